"""WebAssembly compiled to native code once: what a process used last is at hand, the rest in the cache folder.

Compiling a calculator takes a thousand times as long as a small circuit. Compiled modules are native code, and kept as
`store.native` says; wasmtime itself refuses those of another version, configuration or processor.
"""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from zkgpu.circom import guard
from zkgpu.records import dataclass
from zkgpu.store import native

MOST_AT_HAND = 8

# (values, count): moves `count` elements of `size` bytes between its own memory, one after another, and the one
# element at `start` in the calculator's memory that the calculator reads and writes.
MOVER = """
(module
  (import "circuit" "memory" (memory $circuit 0))
  (import "circuit" "getWitness" (func $get (param i32)))
  (import "circuit" "setInputSignal" (func $set (param i32 i32 i32)))
  (memory $values (export "memory") 0)
  (func (export "read") (param $count i32) (param $start i32) (param $size i32) (local $i i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
      (call $get (local.get $i))
      (memory.copy $values $circuit
        (i32.mul (local.get $i) (local.get $size)) (local.get $start) (local.get $size))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))
  (func (export "write") (param $high i32) (param $low i32)
      (param $count i32) (param $start i32) (param $size i32) (local $i i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
      (memory.copy $circuit $values
        (local.get $start) (i32.mul (local.get $i) (local.get $size)) (local.get $size))
      (call $set (local.get $high) (local.get $low) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))))
"""


@dataclass(frozen=True)
class Loaded:
    """A calculator's module, and the one that moves values, on their engine."""

    engine: Any
    module: Any
    mover: Any


_lock = threading.Lock()
_at_hand: OrderedDict[str, Loaded] = OrderedDict()
atexit.register(_at_hand.clear)  # before the interpreter takes wasmtime apart, which each module needs to be freed


def load(wasmtime: ModuleType, engine: Any, data: memoryview) -> Loaded:
    """The module of a WebAssembly file, mapped: one used before, with the engine it was on, or else on this engine.

    Raises WasmtimeError when it is none.
    """
    name = _name(wasmtime, data)
    with _lock:
        if name in _at_hand:
            _at_hand.move_to_end(name)
            return _at_hand[name]
    loaded = Loaded(engine, _module(wasmtime, engine, name, data), _mover(wasmtime, engine))
    with _lock:
        _at_hand[name] = loaded
        while len(_at_hand) > MOST_AT_HAND:
            _at_hand.popitem(last=False)
    return loaded


def _module(wasmtime: ModuleType, engine: Any, name: str, data: memoryview) -> Any:
    module = native.load(name, lambda code: wasmtime.Module.deserialize(engine, code))
    if module is None:
        whole = data.tobytes()  # the file may be written to meanwhile: what is compiled is what gives the name
        module = wasmtime.Module(engine, whole)
        native.keep(_name(wasmtime, memoryview(whole)), bytes(module.serialize()))
    return module


def _mover(wasmtime: ModuleType, engine: Any) -> Any:
    data = memoryview(MOVER.encode())
    return _module(wasmtime, engine, _name(wasmtime, data), data)


def _name(wasmtime: ModuleType, data: memoryview) -> str:
    return native.name_of([data, _version(wasmtime).encode(), repr(guard.settings()).encode()])


@lru_cache(maxsize=1)
def _version(wasmtime: ModuleType) -> str:
    """What names the installed version; `importlib.metadata` would take longer than a small circuit."""
    places = Path(str(wasmtime.__file__)).parents[1].glob("wasmtime-*.dist-info")
    return " ".join(sorted(place.name for place in places))
