"""zkml: from an ONNX model to a proof of its output, in a build folder."""

from __future__ import annotations

from zkgpu.cli.declaring import group


@group(
    "zkml",
    later={
        "check": "zkml_model.check_command",
        "compile": "zkml_model.compile_command",
        "estimate": "zkml_model.estimate_command",
        "setup": "zkml_setup.setup_command",
        "report": "zkml_setup.report_command",
        "prove": "zkml_proof.prove_command",
        "verify": "zkml_proof.verify_command",
        "batch": "batch.zkml_batch_command",
    },
)
def zkml_group() -> None:
    """Prove what a neural network answers: compile, setup, prove, verify."""
