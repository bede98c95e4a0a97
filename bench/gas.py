"""What the Solidity verifier costs: gas to deploy, gas of a transaction that verifies, bytes of code.

`python bench/gas.py` prints a table and appends one JSON line a row to bench/results/gas.jsonl. Public inputs of the
made keys have no zero bytes, which is the dearest calldata. Gas does not depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "solidity"))

from committed_instances import LARGE, SHAPES, CommittedInstance, made_committed, made_large  # noqa: E402
from contracts import instances, plonk_instances  # noqa: E402
from digit_models import PIXELS, deployed_model  # noqa: E402
from evm import TRUE, Contract, creation_code  # noqa: E402
from groth16_instances import Instance  # noqa: E402
from model_contracts import linked_code  # noqa: E402
from plonk_instances import PlonkInstance  # noqa: E402

from zkgpu.groth16 import VerifyingKey  # noqa: E402
from zkgpu.solidity import calldata, gas_limit  # noqa: E402
from zkgpu.solidity.calldata import VerifierFunction  # noqa: E402

AnyInstance: TypeAlias = Instance | CommittedInstance | PlonkInstance
RESULTS = ROOT / "bench" / "results" / "gas.jsonl"


def of_model(name: str, weights: str) -> CommittedInstance:
    """An inference of a model that reads digits, with a key of its own: 74 packed values."""
    model = deployed_model(name, weights)
    proven = model.prove(PIXELS[0])
    return CommittedInstance(f"{name}, {weights}", model.key, list(proven.public_inputs), proven.packed, proven.proof)


def measure(instance: AnyInstance, code: bytes) -> dict[str, object]:
    """One row, of a proof that the contract made by `code` accepted."""
    system = "plonk" if isinstance(instance, PlonkInstance) else "groth16"
    key = instance.verifying_key
    committed = key.commitments if isinstance(key, VerifyingKey) else ()
    round_ = committed[0].round if committed else None
    contract = Contract(code)
    verify, require = _gas(contract, instance, "verifyProof"), _gas(contract, instance, "requireValidProof")
    return {
        "contract": instance.name,
        "public_inputs": len(instance.public_inputs),
        "packed_values": sum(array.size for array in round_.arrays) if round_ else 0,
        "deploy_gas": contract.deploy_gas,
        "verify_gas": verify,
        "require_gas": require,
        "gas_limit": gas_limit(len(instance.public_inputs), system, round_=round_),
        "runtime_bytes": contract.runtime_size,
        "checked": True,
    }


def _gas(contract: Contract, instance: AnyInstance, function: VerifierFunction) -> int:
    packed = getattr(instance, "packed", b"")
    verdict = contract.call(calldata(instance.proof, instance.public_inputs, function, packed))
    if verdict != TRUE:
        raise SystemExit(f"{instance.name}: {function} said {verdict} of a valid proof")
    return contract.gas_used


def main() -> None:
    made: list[AnyInstance] = [*instances(), *map(made_committed, SHAPES), *map(made_large, LARGE)]
    made += plonk_instances()
    models = [of_model(name, weights) for name in ("cnn", "dense") for weights in ("public", "private", "hashed")]
    rows = [measure(instance, creation_code(instance.name)) for instance in made]
    rows += [measure(model, linked_code(model.verifying_key)) for model in models]
    print(*(f"{name:>16}" for name in rows[0]))
    for row in rows:
        print(*(f"{value!s:>16}" for value in row.values()))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    context = {"bench": "gas", "commit": commit.stdout.strip(), "evm": "revm, Cancun", "solc": "0.8.37, 200 runs"}
    with RESULTS.open("a") as file:
        file.writelines(json.dumps(context | row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
