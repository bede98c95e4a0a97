"""Records are what the standard library's dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
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
