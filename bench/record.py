"""Records everything that the figures and pictures of README and docs come from, one bench after another: half an hour.

    python bench/record.py --node-modules node_modules --groth16py peers/bin/python [--only groth16 peers]

Starts no bench while others keep the cores busy: their figures would be those of the crowd.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from lines import HERE

BUSY, WAIT = 0.7, 180.0  # processes that may be ready to run before a bench begins; seconds to wait for that
BENCHES: dict[str, list[str]] = {
    "primitives": ["primitives.py"],
    "account": ["account.py"],
    "groth16": ["groth16.py", "--sizes", "12", "14", "16", "18"],
    "scaling": ["groth16.py", "--steps", "prove", "--sizes", "13", "15", "17", "19", "20", "--repeats", "3"],
    "plonk": ["plonk.py", "--sizes", "12", "14", "16", "18"],
    "peers": ["peers.py", "--sizes", "12", "14", "16", "--portable"],
    "sha256": ["peers.py", "--circuit", "sha256", "--sizes", "15", "18", "--repeats", "3"],
    "circuits": ["circuits.py"],
    "startup": ["startup.py"],
}
BESIDE_PEERS = ("peers", "sha256")


def wait_for_quiet(limit: float) -> None:
    """Exits unless the last minute's load, which our own bench before has raised, falls within `limit` seconds."""
    end = time.monotonic() + limit
    while os.getloadavg()[0] > BUSY:
        if time.monotonic() > end:
            raise SystemExit(f"the load is {os.getloadavg()[0]:.1f}: stop what else runs, or say --busy")
        time.sleep(5)


def command(name: str, peers: list[str]) -> list[str]:
    script, *options = BENCHES[name]
    return [sys.executable, str(HERE / script), *options, *(peers if name in BESIDE_PEERS else [])]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--node-modules", help="see peers.py")
    options.add_argument("--groth16py", help="see peers.py")
    options.add_argument("--only", choices=BENCHES, nargs="+", default=list(BENCHES), help="these benches only")
    options.add_argument("--busy", action="store_true", help="do not wait for a quiet machine")
    chosen = options.parse_args()
    peers = ["--node-modules", chosen.node_modules] if chosen.node_modules else []
    peers += ["--groth16py", chosen.groth16py] if chosen.groth16py else []
    for name in chosen.only:
        if not chosen.busy:
            wait_for_quiet(WAIT)
        print(f"{name}:", flush=True)
        subprocess.run(command(name, peers), check=True)
    subprocess.run([sys.executable, str(HERE / "pictures.py")], check=True)


if __name__ == "__main__":
    main()
