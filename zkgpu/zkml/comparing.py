"""Float and integer model side by side, sample by sample: what the report on accuracy rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.stages import stage
from zkgpu.zkml import semantics
from zkgpu.zkml.accuracy import LUCKY, Accuracy, OutputAccuracy
from zkgpu.zkml.clamps import clamped, limited
from zkgpu.zkml.inputs import to_integers
from zkgpu.zkml.samples import Samples, sample

if TYPE_CHECKING:
    from zkgpu.zkml.calibration import FloatModel
    from zkgpu.zkml.graph import Graph
    from zkgpu.zkml.quantize import Quantization

Floats = NDArray[np.float64]

_OUTLYING = 10.0  # how much larger than half of the samples one is that says nothing of them


def measure(
    quantization: Quantization, graph: Graph, model: FloatModel, samples: Samples, *, held_out: bool = True
) -> Accuracy:
    """Float and integer model side by side on every sample; entries out of range are brought to its end."""
    compared, count = _Comparison(quantization, graph, model), len(next(iter(samples.values())))
    with stage("measure accuracy"):
        for i in range(count):
            compared.add(i, sample(samples, i))
    if len(compared.refused) == count:
        raise compared.refused[0]
    return compared.accuracy(of_usual_size(samples), held_out)


class _Comparison:
    """What both models answered to the samples so far. Raises FormatError for an output that is text of no classes.

    Attributes:
        squares: by tensor of the float model, see `_squares`, by sample
        answers: by output
        proven: numbers of the samples
        refused: why others cannot be proven
        moved: how many samples a clamp moves so far that they must ask for it
    """

    def __init__(self, quantization: Quantization, graph: Graph, model: FloatModel) -> None:
        self._quantization, self._graph, self._model = quantization, graph, model
        outputs = quantization.model.outputs
        unknown = sorted({tensor.name for tensor in outputs} - set(model.tensors))
        if unknown:
            raise FormatError(
                f"output '{unknown[0]}' is text, of no classes that the file names: leave it out with --tensor"
            )
        truths = {t.name for t in outputs if t.scale == 1.0 and 0 <= t.low <= t.high <= 1}
        shared = [name for name in model.tensors if name in quantization.tensors]
        self.squares: dict[str, list[tuple[float, float]]] = {name: [] for name in shared}
        self.answers = {t.name: _Answers(graph.is_integral(t.name) or t.name in truths) for t in outputs}
        self.proven: list[int] = []
        self.refused: list[semantics.OutOfRange] = []
        self.moved = 0
        self._clamps = limited(quantization.model)

    def add(self, number: int, given: Mapping[str, NDArray[Any]]) -> None:
        """One sample, and its number."""
        model = self._quantization.model
        floats = self._model.run(given)
        try:
            integers = semantics.run(model, to_integers(model, given, clamp=True))
        except semantics.OutOfRange as error:
            self.refused.append(error)
            return
        self.proven.append(number)
        self.moved += any(one.is_refused for one in clamped(self._clamps, integers))
        for name, squares in self.squares.items():
            real = _real(self._quantization, integers, name)
            squares.append(_squares(real, floats[name], all_count=name in self.answers))
            if name in self.answers:
                self.answers[name].add(real, floats[name])

    def accuracy(self, is_usual: NDArray[np.bool_], held_out: bool) -> Accuracy:
        """The report.

        Args:
            is_usual: which samples are of the usual size
        """
        errors = {name: _error(np.array(pairs)) for name, pairs in self.squares.items()}
        named = self._graph.class_tensors()
        named |= {
            n for n, a in self.answers.items() if a.is_integral and a.is_whole and a.largest <= 1
        }  # truths, signs
        chosen = is_usual[self.proven]
        outputs = tuple(
            OutputAccuracy(n, a.equal, errors[n], a.clear, n in named, self._relative_error(n, chosen))
            for n, a in self.answers.items()
        )
        layers = {name: error for name, error in errors.items() if name not in named} or errors
        worst = max(layers, key=lambda name: math.inf if math.isnan(layers[name]) else layers[name])
        refused = len(self.refused)
        return Accuracy(len(self.proven), outputs, (worst, errors[worst]), errors, held_out, refused, self.moved)

    def _relative_error(self, output: str, chosen: NDArray[np.bool_]) -> float:
        """Over those samples; 0 of shares, most of which may be nearly 0."""
        return 0.0 if self.answers[output].is_share else _relative(np.array(self.squares[output])[chosen])


def _error(squares: Floats) -> float:
    """Of samples, a row each: the square of the difference, and that of the float values."""
    difference, size = squares.sum(axis=0)
    return float(np.sqrt(difference / size if size > 0 else difference))


def _relative(squares: Floats) -> float:
    """As `_error`, but nothing of samples whose float values are all 0."""
    return _error(squares) if squares[:, 1].any() else 0.0


def of_usual_size(samples: Samples) -> NDArray[np.bool_]:
    """Which samples are not much larger than most, in any input; all of them where they are few."""
    count = len(next(iter(samples.values())))
    found = np.ones(count, dtype=bool)
    for array in samples.values() if count >= LUCKY else ():
        sizes = np.sqrt((array.reshape(count, -1).astype(np.float64) ** 2).sum(axis=1))
        found &= sizes <= (_OUTLYING * float(np.median(sizes)) or np.inf)
    return found


def _squares(real: Floats, wanted: Floats, *, all_count: bool) -> tuple[float, float]:
    """Sums of squares: of the differences, and of the float values. Equal infinities do not differ.

    Args:
        all_count: whether infinities of the float values do, to which integers that stand for less are infinitely far
    """
    with np.errstate(invalid="ignore"):
        differences = np.where(real == wanted, 0.0, real - wanted)
    if not all_count:
        differences, wanted = (np.where(np.isinf(wanted), 0.0, values) for values in (differences, wanted))
    return float((differences**2).sum()), float((wanted**2).sum())


def _real(quantization: Quantization, integers: Mapping[str, Any], name: str) -> Floats:
    tensor = quantization.tensors[name]
    value = np.asarray(integers[tensor.name], dtype=np.float64)
    return value * tensor.scale if tensor.rows is None else value * (tensor.scale * 2.0**tensor.rows)


@dataclass
class _Answers:
    """Answers of both models to the samples so far, of one output.

    Attributes:
        is_integral: whether entries are the answers, and not the places of the largest ones
        shares: of equal answers, by sample
        gaps: by sample, how much less than its row's largest the float value is at each place that was answered
        largest: magnitude of the float values
        is_whole: whether all float values are whole numbers
        least: of the float values
    """

    is_integral: bool
    shares: list[float] = field(default_factory=list)
    gaps: list[Floats] = field(default_factory=list)
    largest: float = 0.0
    is_whole: bool = True
    least: float = 0.0

    def add(self, x: Floats, y: Floats) -> None:
        """One sample: of the integer model, and of the float model."""
        self.largest = max(self.largest, float(np.abs(y).max(initial=0)))
        self.least = min(self.least, float(y.min(initial=0)))
        self.is_whole = self.is_whole and bool((y == np.rint(y)).all())
        if self.is_integral or y.ndim == 0 or y.shape[-1] == 1:
            self.shares.append(float(np.mean(np.rint(x) == np.rint(y))))
            return
        places = np.argmax(x, axis=-1)
        taken = np.take_along_axis(y, places[..., None], axis=-1)[..., 0]
        self.shares.append(float(np.mean(places == np.argmax(y, axis=-1))))
        self.gaps.append(np.where(places == np.argmax(y, axis=-1), 0.0, y.max(axis=-1) - taken))

    @property
    def is_share(self) -> bool:
        """Whether all float values lie from 0 to 1: most may be nearly 0, which stands for none."""
        return self.least == 0.0 and self.largest <= 1.0

    @property
    def equal(self) -> float:
        return float(np.mean(self.shares))

    @property
    def clear(self) -> float:
        return float(np.mean([np.mean(gaps <= self.largest / 100) for gaps in self.gaps])) if self.gaps else 1.0
