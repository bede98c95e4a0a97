"""A process that proves with groth16py, as `zkgpu_worker.py` does: KEY.zkey WITNESS.wtns VERIFICATION_KEY.json.

Runs in groth16py's own environment and writes its 256-byte proof in hexadecimal. It does not verify the proof it made.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import groth16py  # type: ignore[import-not-found]


def answer(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    key_file, witness = sys.argv[1:]
    start = time.perf_counter()
    key, _ = groth16py.import_zkey(key_file)
    answer(seconds=time.perf_counter() - start, device=f"groth16py {groth16py.__version__}")
    for line in sys.stdin:
        _, proof_file, _ = line.split()
        start, cpu = time.perf_counter(), time.process_time()
        proof = groth16py.prove_wtns(key, witness)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        Path(proof_file).write_text(proof.hex())
        answer(seconds=seconds, cpu_seconds=cpu_seconds)


if __name__ == "__main__":
    main()
