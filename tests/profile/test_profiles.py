"""What a profile counts, for circuits of all origins, and the page it is shown on."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from zkgpu import Circuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.formats.r1cs import read_r1cs, write_r1cs
from zkgpu.profile import Scope, page, profile
from zkgpu.profile.components import _meet

CIRCOM = Path(__file__).parents[1] / "data" / "circom"


def nested() -> R1CS:
    circuit = Circuit()
    x, y = circuit.private("x", 3), circuit.public("y")
    with circuit.scope("outer"):
        with circuit.scope("squares"):
            squares = circuit.materialize(x * x)
        with circuit.scope("cubes"):
            cubes = circuit.materialize(squares * x)
        circuit.assert_equal(cubes.sum(), y, label="sum")
    circuit.assert_product(x[0], x[1], x[2], label="last")
    return circuit.compile().r1cs


def by_path(scope: Scope, above: str = "") -> dict[str, tuple[int, ...]]:
    path = f"{above}/{scope.name}"
    below = [by_path(child, path) for child in scope.children.values()]
    return {path: tuple(int(n) for n in scope.counts)} | {key: n for part in below for key, n in part.items()}


def test_scopes_count_their_constraints_and_entries_and_those_of_what_is_in_them() -> None:
    assert by_path(profile(nested(), "it")) == {
        "/it": (8, 10, 8, 8),
        "/it/outer": (7, 9, 7, 7),
        "/it/outer/squares": (3, 3, 3, 3),
        "/it/outer/cubes": (3, 3, 3, 3),
        "/it/outer/sum": (1, 3, 1, 1),
        "/it/last": (1, 1, 1, 1),
    }


def test_what_has_no_name_is_counted_as_that(tmp_path: Path) -> None:
    circuit = Circuit()
    x = circuit.private("x")
    circuit.assert_product(x, x, x)
    circuit.assert_product(x, x, x, label="named")
    found = by_path(profile(circuit.compile().r1cs, "it"))
    assert found["/it/without a name"][0] == found["/it/named"][0] == 1
    write_r1cs(tmp_path / "it.r1cs", nested())
    assert list(by_path(profile(read_r1cs(tmp_path / "it.r1cs"), "file"))) == ["/file"]


def test_circom_constraints_are_of_the_component_that_holds_their_signals() -> None:
    found = by_path(profile(read_r1cs(CIRCOM / "mixed_O0.r1cs"), "it"))
    assert {path: counts[0] for path, counts in found.items()} == {"/it": 9, "/it/main": 9, "/it/main/s": 2}


def test_components_meet_where_their_paths_part() -> None:
    random = np.random.default_rng(5)
    parents = np.array([0, *(int(random.integers(i)) for i in range(1, 40))])
    ancestors = [[0]]
    for i in range(1, 40):
        ancestors.append([*ancestors[parents[i]], i])
    depth = np.array([len(path) - 1 for path in ancestors])
    groups = [sorted({int(c) for c in random.integers(40, size=random.integers(0, 5))}) for _ in range(300)]
    rows = np.array([row for row, group in enumerate(groups) for _ in group])
    found = _meet(rows, np.concatenate([np.array(g, np.int64) for g in groups]), parents, depth, len(groups))
    for row, group in enumerate(groups):
        shared = set.intersection(*(set(ancestors[c]) for c in group)) if group else {0}
        assert found[row] == max(shared, key=lambda c: depth[c])


class Reader(HTMLParser):
    """Collects a page's tags, and the text of each script."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.addresses, self.scripts = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


HOSTILE = '</script><img src=x onerror="alert(1)">[[data]]'


def test_a_page_loads_nothing_and_shows_names_as_text() -> None:
    root = profile(nested(), HOSTILE)
    root.add([HOSTILE, "<!--"], np.array([1, 1, 1, 1]))
    reader = Reader()
    reader.feed(page(root))
    assert [tag for tag in reader.tags if tag in ("script", "img")] == ["script", "script"]
    assert reader.addresses == []
    assert json.loads(reader.scripts[0]) == root.to_json()
