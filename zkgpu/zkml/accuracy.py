"""How far the integers are from the floats: by output, by layer, and in the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zkgpu.errors import FormatError
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.zkml.graph import Graph

ALLOWED = 0.05  # how far an output may be from the float model's, as a share, unless more is allowed
WARNED = 0.02  # from where on it is reported
_OF_LABELS, _OF_SCORES, _OF_LAYERS, _OF_A_NUMBER = 0.01, 0.0005, 0.005, 0.0025  # see Accuracy.distance
LUCKY = 8  # samples from which on one that differs is luck
FEWEST_SAMPLES = 32  # of which a part is held out of the calibration
_REFUSED = "{} of {} samples have values beyond what calibration saw, and cannot be proven: calibrate with more"
_CLAMPED = "{} of {} samples have values in the network beyond what calibration saw, and are proven with --clamp only"
_FEW = "accuracy was measured on the {} samples of the calibration: give {} or more, so that some are held out of it"


@dataclass(frozen=True)
class OutputAccuracy:
    """One output over all samples.

    Attributes:
        agreement: share of rows whose largest entry is at the same place in both; of whole numbers, share of equal ones
        error: root of the mean squared difference, over that of the float values
        clear: as agreement, but the float value at the place may be less than the row's largest by a hundredth of the
            output's largest magnitude, which is what 8 bits do
        named: whether it holds the names or places of classes, or truths as 0 and 1: then only the agreement counts
        usual: as error, without the samples whose inputs are much larger than those of most; 0 for shares from 0 to 1
    """

    name: str
    agreement: float
    error: float
    clear: float = 1.0
    named: bool = False
    usual: float = 0.0

    @property
    def farthest(self) -> float:
        """The error, also where a few large samples would hide that of all others."""
        return max(self.error, self.usual, key=lambda share: math.inf if math.isnan(share) else share)

    def amiss(self, samples: int) -> float:
        """How far the output is from the float model's, as a share: 0 is best. One answer of eight or more is luck."""
        luck = 1 / samples if samples >= LUCKY else 0.0
        shares = (1 - self.agreement - luck,) if self.named else (self.farthest, 1 - self.clear - luck)
        return max(math.inf if math.isnan(share) else share for share in shares)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy report.

    Attributes:
        samples: how many were compared
        outputs: one record for each output
        worst_layer: the tensor with the largest error relative to its size, and that error
        layers: that error for each tensor of the float model
        held_out: whether the calibration has not seen these samples
        refused: how many more there were that cannot be proven, as a value leaves a range that is not clamped
        clamped: how many had values beyond what calibration saw that a clamp moves so far that they must be asked for
    """

    samples: int
    outputs: tuple[OutputAccuracy, ...]
    worst_layer: tuple[str, float]
    layers: Mapping[str, float]
    held_out: bool = True
    refused: int = 0
    clamped: int = 0

    @property
    def worst_output(self) -> OutputAccuracy:
        """The output that is farthest from the float model's."""
        return max(self.outputs, key=lambda output: output.amiss(self.samples))

    @property
    def amiss(self) -> float:
        """How far the worst output is from the float model's, as a share; or the share of samples that are refused."""
        count = self.samples + self.refused
        luck = 1 / count if count >= LUCKY else 0.0
        return max(self.worst_output.amiss(self.samples), self.refused / count - luck)

    @property
    def clamped_share(self) -> float:
        """The share of samples that must ask for a clamp. One of eight or more is luck."""
        luck = 1 / self.samples if self.samples >= LUCKY else 0.0
        return max(0.0, self.clamped / self.samples - luck)

    def distance(self, graph: Graph) -> float:
        """How far answers are off, as shares of what is allowed before more bits are worth it: 1 is close enough.

        No answer counts as luck here. A model that names classes, or takes the nearest of some, must have its scores,
        and all before them, much closer, as their differences choose one; one that gives a single number, closer than
        one that gives many.
        """
        names = any(output.named for output in self.outputs) or any(node.operator == "TopK" for node in graph.nodes)
        single = all(math.prod(graph.shapes[output.name]) == 1 for output in self.outputs)
        allowed = _OF_SCORES if names else _OF_A_NUMBER if single else WARNED
        shares = [(1 - o.agreement) / _OF_LABELS if o.named else o.farthest / allowed for o in self.outputs]
        shares += [self.worst_layer[1] / _OF_LAYERS] if names else []
        return max(math.inf if math.isnan(share) else share for share in shares)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever relies on the report should know, one line each."""
        found = [] if self.held_out else [_FEW.format(self.samples, FEWEST_SAMPLES)]
        found += [_REFUSED.format(self.refused, self.samples + self.refused)] if self.refused else []
        found += [_CLAMPED.format(self.clamped, self.samples)] if self.clamped else []
        return (*found, *([] if self.amiss <= WARNED else [self._told(f"'{self.worst_layer[0]}'")]))

    def require(self, most: float, graph: Graph) -> None:
        """Raises FormatError naming the worst layer unless every output is as close to the float model's as asked."""
        if not self.amiss <= most:
            node = graph.producers().get(self.worst_layer[0])
            layer = f"node '{node.name}' ({node.operator})" if node else f"'{self.worst_layer[0]}'"
            raise FormatError(
                f"{self._told(layer)}: calibrate with more, or more typical, samples, or allow it with --allow-error"
            )

    def _told(self, layer: str) -> str:
        """The output that is farthest from the float model's, and the layer where most goes wrong."""
        output, error = self.worst_output, self.worst_layer[1]
        differs = f"output '{output.name}' agrees in {output.agreement:.1%} of answers with the float model"
        error_told = "" if output.named else f", its error is {output.farthest:.2%}"
        return f"{differs}{error_told}; the worst layer is {layer} with an error of {error:.2%}"
