"""What costs a call of CUDA to make is kept on a shelf: given out, it comes back when nobody uses it any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

Shelf = deque[Any]  # one that keeps nothing has maxlen 0


class Lent:
    """Something of CUDA's at an address; it goes back to its shelf with the last reference to this.

    That may happen in any thread, at any moment: a deque takes it without a lock.
    """

    __slots__ = ("_shelf", "_thing", "address")

    def __init__(self, thing: Any, shelf: Shelf):
        self._thing, self._shelf, self.address = thing, shelf, thing.ptr

    def __del__(self) -> None:
        self._shelf.append(self._thing)


def lend(shelf: Shelf, make: Callable[..., Any], *arguments: Any) -> Lent:
    """A thing from the shelf, or else make(*arguments)."""
    try:
        thing = shelf.pop()
    except IndexError:
        thing = make(*arguments)
    return Lent(thing, shelf)
