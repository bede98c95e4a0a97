"""Names of a package that are imported when they are asked for are there in whatever order files are imported."""

import subprocess
import sys

import pytest

PROGRAM = """
import {first}
from zkgpu import groth16, plonk
import {second}
print(callable(groth16.setup), callable(plonk.setup), groth16.setup is groth16.setup)
from zkgpu.groth16 import setup, Prover
from zkgpu.circuits import Circuit, gadgets
print(callable(setup), Prover.__name__, Circuit.__name__, gadgets.__name__)
try:
    groth16.nothing
except AttributeError as error:
    print(error)
"""
SAID = """True True True
True Prover Circuit zkgpu.circuits.gadgets
module 'zkgpu.groth16' has no attribute 'nothing'
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("zkgpu", "zkgpu.groth16.setup"),
        ("zkgpu.groth16.setup", "zkgpu.plonk.setup"),
        ("zkgpu.plonk.setup", "zkgpu.api"),
    ],
)
def test_a_function_is_found_beside_a_file_of_its_name(first, second):
    program = PROGRAM.format(first=first, second=second)
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == SAID
