"""Audits of a network that reads digits, with its own contract: a few inferences by functions, many by the commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from audit_run import whole_run
from audits import CHAIN, OPERATOR, START, TERMS, Chain, error
from digit_models import PIXELS, deployed_model, other_weights

from zkgpu.audit import AuditedModel, AuditFolder, Log, answers, commit
from zkgpu.audit.calls import answer_call, batch_call, commit_call
from zkgpu.audit.header import randao_of
from zkgpu.errors import FormatError, SelfCheckError


def test_drawn_inferences_are_proven_to_the_contract_with_these_weights_and_no_others(tmp_path: Path) -> None:
    deployed = deployed_model("cnn", "hashed")
    terms = replace(TERMS, samples=2)
    model = AuditedModel.of(deployed.compiled, deployed.key)
    chain = Chain(terms, model.layout, deployed.contract)
    folder = AuditFolder(tmp_path)
    Log(folder.log, model.hash).append([model.inference(model.compiled.quantized(image)) for image in PIXELS])
    batch = commit(folder, model.hash, chain=CHAIN, contract=chain.address)
    assert chain.send(commit_call(0, batch.root, batch.count), value=terms.bond) == "ok"
    chain.at(START + terms.delay + 1)
    assert chain.draw(START + terms.delay) == "ok"
    batch = batch.with_draw(randao_of(chain.header_of(START + terms.delay)), terms.samples)
    for service, said in (
        (lambda _: iter(()), "no valid proof came back"),
        (lambda inputs: deployed.prover.prove_each(inputs[::-1]), "is of another inference than the logged one"),
    ):
        with pytest.raises(SelfCheckError, match=said):
            list(answers(folder, batch, model, service))
    made = list(answers(folder, batch, model, deployed.prover.prove_each))
    assert [one.index for one in made] == chain.ask(batch_call("drawn", 0))[2:]

    other = other_weights(deployed.compiled)
    inputs = PIXELS[made[0].index]
    theirs = replace(made[0], proof=deployed.prove(inputs, weights=other).calldata())
    assert chain.send(answer_call(0, [theirs])) == error("OtherWeights(uint256)", 0)
    with pytest.raises(FormatError, match="over another model's inferences"):
        next(answers(folder, batch, AuditedModel.of(other, deployed.key), deployed.prover.prove_each))
    assert chain.send(answer_call(0, made)) == "ok"
    chain.at(START + terms.delay + terms.window + 1)
    assert chain.act("release") == "ok"
    assert chain.credit(OPERATOR) == terms.bond


@pytest.mark.slow
def test_a_thousand_inferences_are_audited_by_the_commands(tmp_path: Path) -> None:
    costs = whole_run(tmp_path, count=1000, samples=16, per_call=4, sizes=(1, 4, 16))
    assert costs.gas["answer 1"] < 400_000
    assert costs.gas["answer 16"] < 16 * 320_000
    assert costs.gas["commit"] < 120_000
