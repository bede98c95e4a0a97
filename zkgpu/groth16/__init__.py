"""Groth16 (eprint 2016/260): one file per verb."""
