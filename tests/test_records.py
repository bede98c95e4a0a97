"""Records are what the standard library's dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, InitVar, field
from functools import cached_property
from typing import ClassVar

import pytest

from zkgpu import records

KINDS = [{"frozen": True}, {"frozen": True, "eq": False}, {}, {"eq": False}]


def family(dataclass, options):
    """A class, one below it, and what they are made of."""

    @dataclass(**options)
    class Base:
        kind: ClassVar[str] = "base"
        x: int
        y: object = None
        several: list = field(default_factory=list)
        hidden: int = field(default=3, repr=False)
        aside: int = field(default=4, compare=False)
        late: str = field(default="late", init=False)
        made: dict = field(default_factory=dict, init=False, compare=False)

        def __post_init__(self):
            object.__setattr__(self, "late", f"{self.late} {self.x}")

        @cached_property
        def twice(self):
            return 2 * self.x

    @dataclass(**options)
    class Below(Base):
        """Said of it."""

        z: tuple = ()

        def __repr__(self):
            return "mine"

    @dataclass(**options)
    class Nothing:
        pass

    return Base, Below, Nothing


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def looked_at(dataclass, options):
    """All that tells one implementation from another."""
    base, below, nothing = family(dataclass, options)
    one, same, other = base(1), base(1), base(2, 5, [6], 7, 8)
    one.several.append(one)  # a representation that would never end
    found = [repr(base(1, "y")), repr(below(1)), repr(nothing()), repr(one), repr(other), below.__doc__]
    found += [base(1) == base(1), base(1) != other, base(1) == base(1, aside=9), base(1) == below(1), nothing() == 0]
    found += [[f.name for f in dataclasses.fields(c)] for c in (base, below, nothing)]
    found += [base.__match_args__, below.__match_args__, base(3).twice, same.late, other.hidden, other.made]
    found += [dataclasses.asdict(below(1, z=(2,))), dataclasses.astuple(other), copy.copy(other).late]
    found += [repr(dataclasses.replace(other, x=9)), outcome(lambda: dataclasses.replace(other, late="no"))]
    found += [base.__hash__ is None, base.__hash__ is object.__hash__, base.__eq__ is object.__eq__]
    found += [outcome(lambda: hash(base(1, 2, (), 4)) == hash(base(1, 2, (), 4, aside=1)))]
    found += [outcome(lambda: hash(nothing()) == hash(nothing())), outcome(lambda: len({below(1, z=())}))]
    found += [
        outcome(lambda value=value, name=name: setattr(value, name, 1)) for value in (other, below(1)) for name in "xnz"
    ]
    found += [outcome(lambda: delattr(other, "x")), outcome(lambda: delattr(other, "unknown"))]
    found += [base.__init__.__module__, base.__init__.__qualname__.split(".")[-2:]]
    found += [outcome(lambda: base())[0], outcome(lambda: base(1, unknown=2))[0], outcome(lambda: nothing(1))[0]]
    return found


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_record_does_what_a_dataclass_does(options):
    assert looked_at(records.dataclass, options) == looked_at(dataclasses.dataclass, options)


def test_other_options_are_those_of_the_standard_library():
    @records.dataclass(frozen=True, order=True)
    class Ordered:
        x: int

    assert Ordered(1) < Ordered(2)


def test_what_a_class_defines_itself_stays():
    @records.dataclass(frozen=True)
    class Own:
        x: int

        def __eq__(self, other):
            return "equal"

        def __hash__(self):
            return 7

    assert (Own(1) == Own(2), hash(Own(1))) == ("equal", 7)


@records.dataclass(frozen=True)
class Pickled:
    x: int


def test_records_are_pickled_and_stay_frozen():
    again = pickle.loads(pickle.dumps(Pickled(5)))
    assert again == Pickled(5)
    with pytest.raises(FrozenInstanceError):
        again.x = 6


def test_a_mutable_default_is_refused():
    with pytest.raises(ValueError, match="mutable default"):

        @records.dataclass
        class Wrong:
            several: list = []  # noqa: RUF012


def point_and_below():
    """Two classes that nothing has used."""

    @records.dataclass(frozen=True)
    class Point:
        x: int
        y: int = 2

    @records.dataclass(frozen=True)
    class Below(Point):
        z: int = 3

    return Point, Below


@pytest.mark.parametrize(
    "use",
    [
        lambda point: [*inspect.signature(point).parameters] == ["x", "y"],
        lambda point: point.__init__.__qualname__ == f"{point.__qualname__}.__init__",
        lambda point: (
            outcome(lambda: point(1, z=2)) == (TypeError, said_of(point, "got an unexpected keyword argument 'z'"))
        ),
        lambda point: outcome(point) == (TypeError, said_of(point, "missing 1 required positional argument: 'x'")),
        lambda point: (
            outcome(lambda: point(1, x=2)) == (TypeError, said_of(point, "got multiple values for argument 'x'"))
        ),
        lambda point: outcome(lambda: point(1, 2, 3))[0] is TypeError,
        lambda point: [point(k).x for k in range(records._FEW + 1)] == [*range(records._FEW + 1)],
    ],
)
def test_what_makes_instances_is_compiled_when_it_is_asked_for_or_often_used(use):
    point, below = point_and_below()
    assert repr(below(1)) == f"{below.__qualname__}(x=1, y=2, z=3)"
    assert all(isinstance(vars(c)["__init__"], records._Init) for c in (point, below))
    assert use(point)
    assert inspect.isfunction(vars(point)["__init__"])
    assert isinstance(vars(below)["__init__"], records._Init)
    assert repr(below(1)) == f"{below.__qualname__}(x=1, y=2, z=3)"


def said_of(cls, text):
    return f"{cls.__qualname__}.__init__() {text}"


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_instances_made_before_and_after_it_is_compiled_are_equal(options):
    base, below, _ = family(records.dataclass, options)

    def made():
        return [vars(base(1)), vars(base(1, 2, hidden=5)), vars(below(x=1, z=(3,), several=[4]))]

    first = made()
    assert not any(inspect.isfunction(vars(c)["__init__"]) for c in (base, below))
    for cls in (base, below):
        assert cls.__init__
    assert [[*values.items()] for values in made()] == [[*values.items()] for values in first]


def test_threads_may_make_the_first_instances_at_once():
    for _ in range(10):
        _, below = point_and_below()
        start = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda x, below=below, start=start: (start.wait(), below(x))[1], range(4)))
        assert [(value.x, value.z) for value in made] == [(x, 3) for x in range(4)]


def test_fields_above_stand_first_and_what_is_no_plain_field_is_left_to_the_standard_library():
    @records.dataclass(frozen=True)
    class Given:
        x: int
        seed: InitVar[int] = 5

        def __post_init__(self, seed):
            object.__setattr__(self, "x", self.x + seed)

    assert (Given(1).x, Given(1, 2).x) == (6, 3)
    _, below = point_and_below()
    assert [f.name for f in dataclasses.fields(below)] == ["x", "y", "z"]
    assert [f.type for f in dataclasses.fields(below)] == ["int"] * 3
