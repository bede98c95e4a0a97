"""zkml: from an ONNX model to a proof of its output, in a build folder."""

from __future__ import annotations

import click

from zkgpu.cli import zkml_model, zkml_proof, zkml_setup
from zkgpu.cli.batch import zkml_batch_command
from zkgpu.cli.parsing import Group


@click.group("zkml", cls=Group, no_args_is_help=False)
def zkml_group() -> None:
    """Prove what a neural network answers: compile, setup, prove, verify."""


for command in (
    zkml_model.check_command,
    zkml_model.compile_command,
    zkml_model.estimate_command,
    zkml_setup.setup_command,
    zkml_setup.report_command,
    zkml_proof.prove_command,
    zkml_proof.verify_command,
    zkml_batch_command,
):
    zkml_group.add_command(command)
