"""Inferences that are audited by sample: logged, committed to in batches, drawn by a later block, and proven if drawn.

model  = AuditedModel.of(compiled, verifying_key)
log    = Log(folder.log, model.hash)
log.append([model.inference(integers)])                     # one for each answer that is served
batch  = commit(folder, model.hash, chain=1, contract="0x..")
batch  = batch.with_draw(randao_of(header), samples=16)
for sample in answers(folder, batch, model, partial(prover.prove_each, clamp=True)): ...

`calls` makes the calls of examples/solidity/AuditedInference.sol, and docs/audit.md says what all of it is worth.
"""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
    from zkgpu.audit.answers import Sample, answers
    from zkgpu.audit.batch import AuditFolder, Batch, commit
    from zkgpu.audit.calls import Terms
    from zkgpu.audit.log import Inference, Log
    from zkgpu.audit.model import AuditedModel
    from zkgpu.audit.odds import escape

__all__ = ["AuditFolder", "AuditedModel", "Batch", "Inference", "Log", "Sample", "Terms", "answers", "commit", "escape"]

_HOMES = {
    "AuditFolder": "zkgpu.audit.batch",
    "AuditedModel": "zkgpu.audit.model",
    "Batch": "zkgpu.audit.batch",
    "Inference": "zkgpu.audit.log",
    "Log": "zkgpu.audit.log",
    "Sample": "zkgpu.audit.answers",
    "Terms": "zkgpu.audit.calls",
    "answers": "zkgpu.audit.answers",
    "commit": "zkgpu.audit.batch",
    "escape": "zkgpu.audit.odds",
}
__getattr__ = names_of(__name__, _HOMES)
