"""Ceremonies by zkgpu and by snarkjs: whole commands on the same files, in turns, both with all cores.

    npm install snarkjs                                            # in some folder
    python bench/ceremony.py --node-modules node_modules [--sizes 12 14] [--steps contribute prepare key verify]

Sizes are logarithms of powers; the key is that of a Poseidon chain that fills them. Before anything is timed, beacons
and preparations of both must give the same bytes, and each verifies a contribution of the other. snarkjs prepares 2^12
powers in one to two minutes of a core, and 2^14 in ten: --repeats 1 suits that.
"""

from __future__ import annotations

import argparse
import compileall
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from chain import chain, hashes_for
from harness import ROOT, Recorder
from measuring import Measurement
from programs import ZKGPU, Program, run_program

from zkgpu.formats.r1cs import write_r1cs

STEPS = ("contribute", "prepare", "key", "verify")
BEACON = ("0102030405060708090a0b0c0d0e0f10", "10")


class Ceremony:
    """The files of one size, in a folder, and the two programs."""

    def __init__(self, folder: Path, log_size: int, node_modules: str):
        self.folder, self.log_size = folder, log_size
        self.snarkjs: Program = ["node", Path(node_modules, "snarkjs", "build", "cli.cjs")]
        self.new, self.powers, self.ready = (folder / f"{name}.ptau" for name in ("new", "powers", "ready"))
        self.circuit, self.key = folder / "chain.r1cs", folder / "chain.zkey"

    def make(self) -> None:
        """A ceremony with one contribution by each, prepared by zkgpu, and a key of snarkjs' making."""
        write_r1cs(self.circuit, chain(hashes_for(self.log_size)).compile().r1cs)
        run_program([*ZKGPU, "powers", "new", self.log_size, self.new])
        run_program([*ZKGPU, "powers", "contribute", self.new, self.folder / "one.ptau"])
        self.of_snarkjs("powersoftau", "contribute", self.folder / "one.ptau", self.powers, "--name=x", "-e=any text")
        run_program([*ZKGPU, "powers", "prepare", self.powers, self.ready])
        self.of_snarkjs("zkey", "new", self.circuit, self.ready, self.key)

    def of_snarkjs(self, *arguments: object) -> None:
        run_program([*self.snarkjs, *arguments])

    def check(self) -> None:
        """Exits unless both do the same to the same files, and find each other's contributions right."""
        a, b = self.folder / "a", self.folder / "b"
        run_program([*ZKGPU, "key", "beacon", self.key, a, *BEACON])
        self.of_snarkjs("zkey", "beacon", self.key, b, *BEACON)
        require_equal(a, b)
        run_program([*ZKGPU, "key", "verify", self.circuit, self.ready, b])
        self.of_snarkjs("zkey", "verify", self.circuit, self.ready, a)
        run_program([*ZKGPU, "powers", "verify", self.ready])
        self.of_snarkjs("powersoftau", "verify", self.ready)
        a.unlink()
        b.unlink()

    def programs(self, step: str) -> dict[str, Program]:
        """What zkgpu and snarkjs are called with; both write where nothing is."""
        out = {name: self.folder / f"{step}-{name}" for name in ("zkgpu", "snarkjs")}
        ours, theirs = {
            "contribute": (
                ["powers", "contribute", "--force", self.new, out["zkgpu"]],
                ["powersoftau", "contribute", self.new, out["snarkjs"], "--name=x", "-e=any text"],
            ),
            "prepare": (
                ["powers", "prepare", "--force", self.powers, out["zkgpu"]],
                ["powersoftau", "prepare", "phase2", self.powers, out["snarkjs"]],
            ),
            "key": (
                ["key", "contribute", "--force", self.key, out["zkgpu"]],
                ["zkey", "contribute", self.key, out["snarkjs"], "--name=x", "-e=any text"],
            ),
            "verify": (["powers", "verify", self.ready], ["powersoftau", "verify", self.ready]),
        }[step]
        return {"zkgpu": [*ZKGPU, *ours], "snarkjs": [*self.snarkjs, *theirs]}


def require_equal(one: Path, other: Path) -> None:
    if one.read_bytes() != other.read_bytes():
        raise SystemExit(f"{one.name} and {other.name} differ")


def compare(ceremony: Ceremony, step: str, repeats: int, recorder: Recorder) -> None:
    """Times one step in turns, and records both."""
    programs = ceremony.programs(step)
    rounds = [{name: run_program(program) for name, program in programs.items()} for _ in range(repeats)]
    if step == "prepare":
        require_equal(*(ceremony.folder / f"prepare-{name}" for name in programs))
    joined = {name: Measurement.joined([r[name] for r in rounds]) for name in programs}
    for name, measurement in joined.items():
        facts = {"what": f"{step}, {name}", "log_size": ceremony.log_size, "checked": "both verify, and agree"}
        recorder.add(measurement, threads=os.cpu_count(), **facts)
    ours, theirs = joined["zkgpu"], joined["snarkjs"]
    print(
        f"  {step} at 2^{ceremony.log_size}: {theirs.median / ours.median:.1f} times by the clock, "
        f"{theirs.cpu_median / ours.cpu_median:.1f} by the processor"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--node-modules", required=True, help="the folder that npm put snarkjs in")
    options.add_argument("--sizes", type=int, nargs="+", default=[12, 14])
    options.add_argument("--steps", choices=STEPS, nargs="+", default=list(STEPS))
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    compileall.compile_dir(ROOT / "zkgpu", quiet=1)  # as pip leaves a package
    recorder = Recorder("ceremony")
    for log_size in chosen.sizes:
        with TemporaryDirectory() as folder:
            ceremony = Ceremony(Path(folder), log_size, chosen.node_modules)
            ceremony.make()
            ceremony.check()
            for step in chosen.steps:
                compare(ceremony, step, chosen.repeats, recorder)


if __name__ == "__main__":
    main()
