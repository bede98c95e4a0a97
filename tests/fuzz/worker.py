"""Damages files and reads them, a case for each line that comes in: `python -m tests.fuzz.worker`.

A line is a target and a seed with a tab between them; so is the beginning of the answer, before the outcome, the
seconds and what was raised. The process may map BUDGET bytes more than when it began: whoever takes more is refused.
`python -m tests.fuzz.worker TARGET SEED` shows one case, with its traceback.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from tests.fuzz.targets import BY_NAME, Target
from zkgpu.errors import ZkgpuError

BUDGET = 1 << 30


def damaged(target: Target, seed: int) -> bytes:
    """The file of a case: the same every time."""
    rng = random.Random(f"{target.name} {seed}")
    seeds = target.seeds()
    return rng.choice(target.mutations)(seeds[rng.randrange(len(seeds))], rng)


def outcome(target: Target, seed: int, folder: Path) -> tuple[str, str]:
    """What became of a case: "read", the exit code of an error of ours, "memory", or "bug"; and what was raised."""
    path = folder / "file"
    path.write_bytes(damaged(target, seed) or b"\0")
    try:
        target.read(path)
    except ZkgpuError as error:
        said = str(error)
        return ("bug", f"two lines: {said!r}") if "\n" in said else (str(error.exit_code), type(error).__name__)
    except MemoryError:
        return "memory", "MemoryError"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "bug", f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:100]!r}"
    return "read", ""


def confine() -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + BUDGET, resource.RLIM_INFINITY))


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        if len(sys.argv) == 3:
            (folder / "file").write_bytes(damaged(BY_NAME[sys.argv[1]], int(sys.argv[2])))
            print(BY_NAME[sys.argv[1]].read(folder / "file"))
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        for line in sys.stdin:
            target, seed = line.rstrip("\n").split("\t")
            BY_NAME[target].seeds()
            if target not in _confined:
                _confined.add(target)
                confine()
            begun = time.monotonic()
            what, said = outcome(BY_NAME[target], int(seed), folder)
            said = " ".join(said.split()).encode("ascii", "backslashreplace").decode()
            answers.write(f"{target}\t{seed}\t{what}\t{time.monotonic() - begun:.3f}\t{said}\n")


_confined: set[str] = set()

if __name__ == "__main__":
    main()
