"""demo: a convolutional network reads a handwritten digit, and proves what it read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.errors import SelfCheckError, UsageError
from zkgpu.extras import hint
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.evm.in_memory import OnChain
    from zkgpu.groth16.keys import ProvingKey
    from zkgpu.inference import CompiledModel
    from zkgpu.provers.statement import Statement

_SHADES = " .:-=+*#@"


def run_digits(session: Session, output: str | None, force: bool = False) -> None:
    """Compiles, sets up, proves, verifies, calls the contract; prints the image, the answer and what each step cost."""
    from zkgpu.demo.digits import IMAGE, ask_contract, model
    from zkgpu.inference import Folder, Prover, unsafe_setup, values_of, verify

    with session.working():
        with stage("read model"):
            compiled = model()
        circuit = compiled.circuit  # a stage of its own
        if output and not force and Folder(Path(output)).holds_another(compiled):
            raise UsageError(f"{output}: there is the model of another circuit: --force replaces it, and its keys")
        backend = session.backend()
        key = unsafe_setup(compiled, backend)
        inference = Prover(compiled, key, backend).prove(IMAGE)
        with stage("verify"):
            if not verify(key.verifying_key, inference):
                raise SelfCheckError("the proof of the demo does not verify")
        on_chain = ask_contract(key.verifying_key, inference)
        if output:
            with stage("write files"):
                _write_files(Path(output), compiled, key, inference)
    (name,) = (tensor.name for tensor in compiled.model.outputs)
    scores = np.ravel(values_of(key.verifying_key, inference)[name]).astype(np.int64)
    digit = int(scores.argmax())
    _show(session, compiled, circuit.r1cs.n_constraints, backend.name, digit, on_chain)
    result = {"digit": digit, "constraints": circuit.r1cs.n_constraints, "device": backend.name, "valid": True}
    costs = {"on_chain": None if on_chain is None else asdict(on_chain)}
    timings = {"unsafe": True, "output": output, "seconds": session.seconds(), "stages": session.stages()}
    line = f"valid proof that the network's scores of this image are highest for {digit}; " + (
        _not_called() if on_chain is None else "the contract accepts it, and refuses it beside an altered score"
    )
    session.finish({**result, **costs, **timings}, line)


def _not_called() -> str:
    return f"the contract was not called, which takes an EVM: {hint('evm')}"


def _write_files(folder: Path, compiled: CompiledModel, key: ProvingKey, inference: Statement) -> None:
    """A build folder, and the proof with its public values."""
    from zkgpu.inference import Folder

    build, proof = Folder(folder), folder / "proof.json"
    proof.unlink(missing_ok=True)  # an old one is of another key
    build.write_model(compiled)
    build.write_key(key, compiled)
    inference.save(proof)


def _show(session: Session, compiled: Any, constraints: int, device: str, digit: int, on_chain: OnChain | None) -> None:
    if session.json or session.quiet:
        return
    from zkgpu.demo.digits import IMAGE

    console = Console(highlight=False)
    for row in IMAGE:
        console.print("  " + "".join(_SHADES[int(pixel) // 2] * 2 for pixel in row))
    weights = f"{compiled.model.n_weights:,} weights"
    table = Table(title=f"a CNN of {weights} reads {digit}: {constraints:,} constraints on {device}")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("gas", justify="right")
    gas = {} if on_chain is None else {"deploy contract": on_chain.deploy_gas, "call contract": on_chain.call_gas}
    for name, seconds in session.stage_seconds.items():
        table.add_row(name, f"{seconds:.3f}", f"{gas[name]:,}" if name in gas else "")
    table.add_row("total", f"{session.seconds():.3f}", style="bold")
    console.print(table)
    session.warn(UNSAFE_WARNING)
