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


WITHOUT_TEXTS = """
import sys
from zkgpu.cli import TEXTS_FOR_HELP
from zkgpu.faces import leave_out
if {left_out}:
    leave_out(*TEXTS_FOR_HELP)
import numpy, numpy.linalg, numpy.lib, numpy.ma, numpy.random
names = [f"{{module.__name__}}.{{name}} {{type(getattr(module, name)).__name__}}" for module in
         (numpy, numpy._core.multiarray, numpy._core.umath, numpy.linalg, numpy.lib, numpy.ma, numpy.random)
         for name in dir(module)]
print(*names, numpy.add(1, 1), numpy.ma.array([1, 2], mask=[0, 1]).sum())
print(bool(numpy.array.__doc__), file=sys.stderr)
"""


def test_numpy_without_the_texts_for_help_is_otherwise_the_same():
    said = []
    for left_out in (False, True):
        program = WITHOUT_TEXTS.format(left_out=left_out)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        said.append((done.stdout, done.stderr))
    assert said[0][0] == said[1][0]
    assert [errors for _, errors in said] == ["True\n", "False\n"]


PUT_OFF = """
import sys
from zkgpu.faces import is_put_off, put_off
put_off("xml")
put_off("numpy")
put_off("there is no such package")
import numpy, xml
print(is_put_off("numpy"), is_put_off("xml"), "numpy._core" in sys.modules)
{use}
print(is_put_off("numpy"), numpy is sys.modules["numpy"], type(numpy).__name__, numpy.add(1, 1), len(numpy.__path__))
put_off("numpy")
print(is_put_off("numpy"), is_put_off("xml"))
"""


@pytest.mark.parametrize(
    "use",
    [
        "numpy.zeros(3)",
        "from numpy import array",
        "import numpy.linalg",
        "from numpy.typing import NDArray",
        "numpy.__version__",
        "import zkgpu.fields.cpu",
    ],
)
def test_a_package_that_is_put_off_is_loaded_whole_when_it_is_used(use):
    said = subprocess.check_output([sys.executable, "-c", PUT_OFF.format(use=use)], text=True)
    assert said == "True True False\nFalse True module 2 1\nFalse True\n"
