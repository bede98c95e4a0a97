"""Which contracts are compiled for the tests, and how: `python tests/solidity/contracts.py` writes them all.

Needs node, and npm's solc where node finds it (NODE_PATH).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from committed_instances import LARGE, SHAPES, classifier_prover, made_committed, made_large
from evm import CONTRACTS
from groth16_instances import SAMPLES, Instance, made, sample, uncontributed_key
from model_contracts import DEMO, FORMS, compiled_form, standin_sources
from plonk_instances import PLONK_MADE, PlonkInstance, plonk_made, plonk_sample
from plonk_trapdoor import TRAPDOOR

from zkgpu.solidity import verifier_source

MADE = (0, 1, 2, 16, 100)
COMPILER = Path(__file__).with_name("compile.cjs")
INSECURE, CLASSIFIER, VAULT, PUBLISHED = "uncontributed", "classifier", "vault", "published_model"
AUDITED = "audited_inference"
EXAMPLES = Path(__file__).parents[2] / "examples" / "solidity"


def instances() -> list[Instance]:
    return [*(made(n) for n in MADE), *(sample(name) for name in SAMPLES)]


def plonk_instances() -> list[PlonkInstance]:
    return [*(plonk_made(n) for n in PLONK_MADE), *(plonk_sample(name) for name in SAMPLES)]


def sources() -> dict[str, str]:
    """The source of every compiled contract, by name."""
    texts = {i.name: verifier_source(i.verifying_key) for i in instances()}
    texts |= {name: verifier_source(made_committed(name).verifying_key) for name in SHAPES}
    texts |= {name: verifier_source(made_large(name).verifying_key) for name in LARGE}
    texts[CLASSIFIER] = verifier_source(classifier_prover()[1].key.verifying_key, "ClassVerifier")
    texts[VAULT] = (EXAMPLES / "ClassifiedVault.sol").read_text()
    texts[PUBLISHED] = (EXAMPLES / "PublishedModel.sol").read_text()
    texts[AUDITED] = (EXAMPLES / "AuditedInference.sol").read_text()
    texts[INSECURE] = verifier_source(uncontributed_key(), allow_insecure=True)
    texts |= {i.name: verifier_source(i.verifying_key) for i in plonk_instances()}
    texts["plonk_trapdoor"] = verifier_source(TRAPDOOR.verifying_key)
    return texts | standin_sources()


def compile_sources(texts: dict[str, str]) -> dict[str, str]:
    """The creation code in hexadecimal of each source. Warnings of the compiler are failures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, f"{name}.sol").write_text(text)
        done = subprocess.run(["node", COMPILER, folder], capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    codes: dict[str, str] = json.loads(done.stdout)
    return codes


def compile_or_skip(texts: dict[str, str]) -> dict[str, str]:
    """As compile_sources; skips the test where the compiler is missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    try:
        return compile_sources(texts)
    except RuntimeError as error:
        if "Cannot find module 'solc'" not in str(error):
            raise
        pytest.skip("npm's solc is not installed, or NODE_PATH does not lead to it")


def write_all() -> None:
    texts = sources()
    for name, code in compile_sources(texts).items():
        (CONTRACTS / f"{name}.sol").write_text(texts[name])
        (CONTRACTS / f"{name}.bin").write_text(code + "\n")
    DEMO.write_text(compiled_form(FORMS[0, 2, 0]).dump())


if __name__ == "__main__":
    write_all()
