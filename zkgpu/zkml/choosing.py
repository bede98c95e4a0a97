"""How a model is quantized: attempts from the usual widths on, until one is close enough to the float model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from zkgpu.errors import FormatError, UsageError
from zkgpu.records import dataclass
from zkgpu.zkml import equalizing, limbs
from zkgpu.zkml.accuracy import WARNED, Accuracy
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.comparing import measure
from zkgpu.zkml.graph import Graph, TooCoarse
from zkgpu.zkml.lowering.ramps import has_ramps
from zkgpu.zkml.lowering.residual import NORMAL_BITS
from zkgpu.zkml.lowering.scales import WIDEST_TABLE
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.precision import MOST_BITS, finer
from zkgpu.zkml.quantize import Quantization, quantize
from zkgpu.zkml.samples import Samples
from zkgpu.zkml.streams import require_first_position, stream

Bits = int | Literal["auto", "stream"]  # what `compile_model` is asked for

_LARGE = 1 << 24  # weights of a transformer from which on widths that will not do are not tried
_SMALL = 1 << 18  # weights of a model of a table, up to which more bits cost little
_MORE_BITS = 12, 16  # of such a model
_USUAL = 8  # bits
_MARGIN = 0.25  # of tables, where inputs that calibration has not seen lead beyond their ends
_MOST_CLAMPED = 0.1  # of the samples, which a clamp within the model moves so far that they are refused
_UNEVEN = 4.0  # how much farther than another a column of an input reaches that is worth a finer input


class Attempt(NamedTuple):
    quantization: Quantization
    settings: Settings
    accuracy: Accuracy

    @property
    def amiss(self) -> float:
        return max(self.accuracy.amiss, WARNED * self.clamped)

    @property
    def clamped(self) -> float:
        """The share of samples that are proven with --clamp only, over the largest that is few enough."""
        return self.accuracy.clamped_share / _MOST_CLAMPED

    @property
    def is_close(self) -> bool:
        """Whether it would be compiled without a warning of how far off it is, and proves most samples."""
        return self.amiss <= WARNED


@dataclass(frozen=True, eq=False)
class Trials:
    """What attempts are made of and measured by.

    Attributes:
        members: of the residual stream, where it may get widths of its own: see `stream_of`
        tested: samples that accuracy is measured with
        held_out: whether calibration has not seen them
        limb: width of the limbs of range checks; None for the one with the fewest constraints
    """

    graph: Graph
    bounds: Calibration
    model: FloatModel
    members: tuple[str, ...]
    tested: Samples
    held_out: bool
    limb: int | None

    def attempt(self, wanted: Settings) -> Attempt:
        found, settings = _quantized(self.graph, self.bounds, wanted, self.limb)
        return Attempt(found, settings, measure(found, self.graph, self.model, self.tested, held_out=self.held_out))

    def closest(self, bits: Bits, *, open_weights: bool) -> Attempt:
        """The first attempt without a warning, or the closest one. Raises UsageError for a number of bits there is not.

        Args:
            open_weights: whether weights are given with each proof
        """
        width = _width(bits)
        usual = Settings(width, table_bits=min(width, WIDEST_TABLE), open_weights=open_weights)
        of_stream = replace(usual, bits=NORMAL_BITS, table_bits=WIDEST_TABLE, stream=True)
        if bits == "stream" or (self.members and bits == "auto" and _count_of_weights(self.graph) > _LARGE):
            return self.attempt(of_stream)
        is_small = bits == "auto" and _is_small_table(self.graph, self.bounds)
        most = MOST_BITS if bits == "auto" else width
        made = self._of_small_table(usual) if is_small else self._of_usual_width(usual, most)
        if made.is_close or bits != "auto":
            return made
        if self.members:
            made = min(made, self.attempt(of_stream), key=_amiss)
        if made.is_close or made.settings.stream:
            return made
        return self._with_finer_tensors(made, finer(self.graph, self.bounds, made.settings, self.model, self.tested))

    def _of_usual_width(self, usual: Settings, most: int) -> Attempt:
        """The first attempt without a warning, or the closest: each more may cost constraints, but no wider numbers.

        Args:
            most: bits that there may be where the usual ones are too few for a divisor
        """
        made = self._wide_enough(usual, most)
        if not made.is_close and _has_uneven_columns(self.bounds):
            made = min(made, self.attempt(replace(made.settings, by_column=True)), key=_amiss)
        if not made.is_close and equalizing.has_uneven_channels(self.graph, self.bounds):
            made = min(made, self.attempt(replace(made.settings, even=True)), key=_amiss)
        if not made.is_close:
            made = min(made, self.attempt(replace(made.settings, margin=_MARGIN)), key=_amiss)
        return made if made.is_close else self._or_with_ramps(made, _amiss)

    def _wide_enough(self, wanted: Settings, most: int) -> Attempt:
        """With two bits more, and so on, while a divisor is known in too few steps."""
        try:
            return self.attempt(wanted)
        except TooCoarse:
            bits = wanted.bits + 2
            if bits > most:
                raise
            return self._wide_enough(replace(wanted, bits=bits, table_bits=min(bits, WIDEST_TABLE)), most)

    def _of_small_table(self, usual: Settings) -> Attempt:
        """The first attempt that is close enough, else the closest: at the usual width, by columns, with more bits."""
        tries = [replace(usual, of_table=True)]
        if _has_uneven_columns(self.bounds):
            tries.append(replace(tries[0], by_column=True))
        tries += [replace(tries[-1], ramps=True)] if has_ramps(self.graph, self.bounds) else []
        tries += [replace(tries[-1], bits=b, table_bits=min(b - 1, WIDEST_TABLE)) for b in _MORE_BITS]
        made: list[Attempt] = []
        for wanted in tries:
            try:
                made.append(self.attempt(wanted))
            except (FormatError, UsageError):
                if wanted is tries[-1] and not made:
                    raise
                continue
            if self._distance(made[-1]) <= 1:
                return made[-1]
        best = min(made, key=self._distance)
        is_clamped = best.accuracy.clamped and not best.settings.ramps
        return self._or_with_ramps(best, self._distance) if is_clamped else best

    def _distance(self, made: Attempt) -> float:
        return max(made.accuracy.distance(self.graph), made.clamped)

    def _with_finer_tensors(self, made: Attempt, settings: Iterable[Settings]) -> Attempt:
        """The first attempt without a warning, or the closest one."""
        for wanted in settings:
            made = min(made, self.attempt(wanted), key=_amiss)
            if made.is_close:
                break
        return made

    def _or_with_ramps(self, made: Attempt, key: Callable[[Attempt], float]) -> Attempt:
        """The closer of an attempt and one whose activations follow what calibration has not seen, if there is one."""
        try:
            return min(made, self.attempt(replace(made.settings, ramps=True)), key=key)
        except (FormatError, UsageError):
            return made


def stream_of(graph: Graph, bits: Bits, samples: Samples) -> tuple[str, ...]:
    """The residual stream, where it may get widths of its own. Raises UsageError where one is asked for and missing."""
    members = stream(graph) if bits in ("auto", "stream") else ()
    if bits == "stream" and not members:
        raise UsageError(
            "the model has no residual stream, a chain of sums that norms read: leave bits='stream' out, or give a "
            f"number from 2 to {MOST_BITS}"
        )
    if members:
        require_first_position(graph, samples)
    return members


def _quantized(graph: Graph, bounds: Calibration, wanted: Settings, limb: int | None) -> tuple[Quantization, Settings]:
    """The quantization with limbs of that width, or of the one that takes the fewest constraints."""

    def with_limb(width: int) -> Quantization:
        return quantize(graph, bounds, replace(wanted, limb=width))

    width, found = (limb, with_limb(limb)) if limb else limbs.best_of(with_limb, wanted.open_weights)
    return found, replace(wanted, limb=width)


def _width(bits: Bits) -> int:
    if bits in ("auto", "stream"):
        return _USUAL
    if type(bits) is not int or not 2 <= bits <= MOST_BITS:
        raise UsageError(f"{bits} bits: weights and activations take from 2 to {MOST_BITS}, or 'auto', or 'stream'")
    return bits


def _amiss(made: Attempt) -> float:
    return made.amiss


def _count_of_weights(graph: Graph) -> int:
    return sum(value.size for value in graph.constants.values())


def _is_small_table(graph: Graph, bounds: Calibration) -> bool:
    """Whether all inputs are rows of tables, and more bits cost little."""
    return set(graph.inputs) <= set(bounds.columns) and _count_of_weights(graph) <= _SMALL


def _has_uneven_columns(bounds: Calibration) -> bool:
    """Whether one scale for all columns of an input leaves some of them few steps."""
    reaches = [[reach for reach in found if reach > 0] for found in bounds.columns.values()]
    return any(max(found) > _UNEVEN * min(found) for found in reaches if found)
