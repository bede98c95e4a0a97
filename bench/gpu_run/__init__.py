"""A run on a machine with a GPU that is at hand for minutes and reaches no network: what `.ci/gpu` starts.

__main__  the order of the steps, each a process of its own within a limit
results   lines on disk before anything else happens
modules   Python packages carried as wheels
steps     what a step does: environment, smoke, sizes, rates, bench, proofs, tiny, once
checks    a result against another way of computing it on the device's own kernels
devices   the driver of a GPU, or of an emulated one for a dry run; launches counted and timed
"""
