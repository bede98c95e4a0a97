"""A directed graph without cycles, laid out in layers (Sugiyama, Tagawa, Toda 1981) and drawn as SVG.

Every node is one layer below the lowest that it reads; an edge over several layers bends in each, and layers are put in
order by where the nodes lie that they read or feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from zkgpu.records import dataclass

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _BEND = 150, 36, 22, 26, 24
_SWEEPS = 6
_MOST = 22  # characters of a name in a box


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: its name, a second line, what is told of it where one points, and a hue in degrees."""

    name: str
    second: str = ""
    told: str = ""
    hue: int = 210


Place = tuple[int, int]  # layer, and a number within the graph: of a node, or of an edge's bend


def svg(boxes: Sequence[Box], reads: Sequence[Sequence[int]]) -> str:
    """The drawing.

    Args:
        reads: by node, the numbers of nodes that it reads, all lower than its own
    """
    layers, chains = _layers(reads)
    middles = _middles(_ordered(layers, chains), len(boxes))
    lowest = max((layer for layer, _ in middles), default=0)
    left = min((x - _WIDTH / 2 for x in middles.values()), default=0.0)
    width = max((x + _WIDTH / 2 for x in middles.values()), default=0.0) - left
    height = (lowest + 1) * (_HEIGHT + _GAP_Y) - _GAP_Y
    at = {place: (x - left, place[0] * (_HEIGHT + _GAP_Y)) for place, x in middles.items()}
    lines = "\n".join(_edge([at[place] for place in chain]) for chain in chains)
    nodes = "\n".join(_node(boxes[n], *at[layer, n]) for layer, n in sorted(at) if n < len(boxes))
    return (
        f'<svg viewBox="-2 -2 {width + 4:.0f} {height + 4:.0f}" width="{width + 4:.0f}" role="img" '
        'aria-label="the graph of the layers"><defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" '
        'markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L6 3L0 6z"/></marker></defs>\n'
        f"{lines}\n{nodes}\n</svg>"
    )


def _layers(reads: Sequence[Sequence[int]]) -> tuple[list[list[Place]], list[list[Place]]]:
    """The places of each layer, and the chain of places that each edge goes through."""
    layer_of: list[int] = []
    for read in reads:
        layer_of.append(1 + max((layer_of[n] for n in read), default=-1))
    layers: list[list[Place]] = [[] for _ in range(1 + max(layer_of, default=0))]
    for node, layer in enumerate(layer_of):
        layers[layer].append((layer, node))
    chains, bends = [], len(reads)
    for node, read in enumerate(reads):
        for source in dict.fromkeys(read):
            chain = [(layer_of[source], source)]
            for layer in range(layer_of[source] + 1, layer_of[node]):
                chain.append((layer, bends))
                layers[layer].append(chain[-1])
                bends += 1
            chains.append([*chain, (layer_of[node], node)])
    return layers, chains


def _ordered(layers: list[list[Place]], chains: list[list[Place]]) -> list[list[Place]]:
    """The layers with neighbours near each other: places are sorted by the mean of what they are joined to."""
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for sweep in range(_SWEEPS):
        joined = below if sweep % 2 else above
        position = {place: i - len(layer) / 2 for layer in layers for i, place in enumerate(layer)}
        for layer in reversed(layers) if sweep % 2 else layers:
            layer.sort(key=lambda place: _mean(joined.get(place, ()), position, position[place]))
            position.update((place, i - len(layer) / 2) for i, place in enumerate(layer))
    return layers


def _mean(places: Sequence[Place], position: Mapping[Place, float], default: float) -> float:
    return sum(position[place] for place in places) / len(places) if places else default


def _middles(layers: list[list[Place]], n_nodes: int) -> dict[Place, float]:
    """Where the middle of each place is from left to right: layers are centered on 0."""
    found = {}
    for layer in layers:
        widths = [_WIDTH if number < n_nodes else _BEND for _, number in layer]
        x = -(sum(widths) + _GAP_X * (len(layer) - 1)) / 2
        for place, width in zip(layer, widths, strict=True):
            found[place] = x + width / 2
            x += width + _GAP_X
    return found


def _edge(points: Sequence[tuple[float, float]]) -> str:
    """A line from the bottom of a box, through the height of each bend, to the top of another."""
    (x, y), parts = points[0], []
    y += _HEIGHT
    parts.append(f"M{x:.0f} {y:.0f}")
    for to_x, to_y in points[1:]:
        middle = (y + to_y) / 2
        parts.append(f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
        if (to_x, to_y) != points[-1]:
            y += _HEIGHT
            parts.append(f"V{y:.0f}")
    return f'<path d="{"".join(parts)}" marker-end="url(#tip)"/>'


def _node(box: Box, x: float, y: float) -> str:
    name = box.name if len(box.name) <= _MOST else f"{box.name[: _MOST // 2 - 1]}…{box.name[-_MOST // 2 :]}"
    place = f'x="{x - _WIDTH / 2:.0f}" y="{y:.0f}" width="{_WIDTH}" height="{_HEIGHT}"'
    return (
        f"<g><title>{escape(box.told or box.name)}</title>"
        f'<rect {place} rx="4" style="--hue:{box.hue}"/>'
        f'<text x="{x:.0f}" y="{y + 15:.0f}">{escape(name)}</text>'
        f'<text class="shape" x="{x:.0f}" y="{y + 28:.0f}">{escape(box.second)}</text></g>'
    )
