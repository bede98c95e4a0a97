"""CPU kernels that compile on first use and are kept on disk.

A kernel is written as a builder, a function of hashable parameters that returns the Python function to compile:

    @kernel
    def multiply_blocks(instruction set, modulus):
        @operation(instruction set, modulus)
        def multiply(e, out, x, y, offset):              # emits LLVM code, once, through the emitter e
            e.store(e.load(x, offset) * e.load(y, offset), out, offset)

        words = instruction set.over(modulus).block_words

        def run(out, x, y, blocks):                      # ordinary Numba code
            for k in range(blocks):
                multiply(out, x, y, k * words)

        return run

    multiply_blocks(IFMA, Fr.modulus)(out, x, y, len(x))

Neither importing a module of kernels nor calling kernels that are compiled imports Numba or LLVM. Kernels release the
GIL. A helper function that a kernel calls is wrapped in `subroutine`, never in numba.njit; give each heavy operation
one call site, for every call is compiled again. A kernel allocates nothing: what it needs is given to it, or lies
`on_stack`. Kernels index raw memory without bounds checks: the caller checks every length and index, and none is
negative, for none is counted from an array's end.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, cast

import numpy as np

from zkgpu.jit import cache
from zkgpu.jit.isa import FMA, IFMA, InstructionSet
from zkgpu.jit.rounding import require_rounding
from zkgpu.jit.signature import KNOWN, LOOK, OTHER_KINDS, Kind, PlainArray, kind_of, quick_words, take

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    from zkgpu.jit.loading import Entry
    from zkgpu.jit.target import Target

    Parameters = TypeVarTuple("Parameters")

Builder = Callable[..., Callable[..., Any]]
Function = TypeVar("Function", bound=Callable[..., Any])
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_lock = threading.RLock()


def kernel(builder: Callable[[Unpack[Parameters]], Function]) -> Callable[[Unpack[Parameters]], Function]:
    """A function from the builder's parameters to the compiled kernel, made and cached once per parameters.

    The parameters name the kernel in the disk cache by their repr, so they must be numbers, strings, booleans,
    tuples, instruction sets, or frozen values made of them such as KernelGroup, given by position.
    """
    compiled: dict[tuple[Any, ...], Function] = {}

    @functools.wraps(builder)
    def of(*parameters: Unpack[Parameters]) -> Function:
        if parameters not in compiled:
            with _lock:
                if parameters not in compiled:
                    compiled[parameters] = cast("Function", Kernel(builder, parameters))
        return compiled[parameters]

    return of


def subroutine(function: Function) -> Function:
    """A Numba function that kernels call; its body is copied into every caller.

    Compiled by itself it would go through LLVM's code generator and then, linked into the caller, through the
    optimizer once more, which takes the integer addresses as the generator rewrote them for pointers to nothing
    and reorders loads and stores (seen with LLVM 22). So kernels refuse callees made by numba.njit.
    """
    import numba

    _refuse_compiled_callees(function)
    inlined = numba.njit(inline="always")(function)
    return cast("Function", inlined)  # as it is in the kernels that call it


def on_stack(shape: tuple[int, ...], dtype: Any) -> Any:
    """A function for kernels, of no arguments: an uninitialized array that lives as long as the kernel runs.

    Called twice in a kernel it gives different arrays, but the same one each time in a loop.
    """
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array, populate_array
    from numba.np.numpy_support import from_dtype

    kind, count = types.Array(from_dtype(dtype), len(shape), "C"), math.prod(shape)

    def generate(context: Any, builder: Any, _: Any, __: Any) -> Any:
        item = context.get_data_type(kind.dtype)
        size, array = context.get_abi_sizeof(item), make_array(kind)(context, builder)
        data = builder.bitcast(cgutils.alloca_once(builder, ir.ArrayType(item, count)), item.as_pointer())
        lengths = [size * math.prod(shape[k + 1 :]) for k in range(len(shape))]
        word = functools.partial(ir.Constant, ir.IntType(64))
        populate_array(array, data, [*map(word, shape)], [*map(word, lengths)], word(size), None)
        return array._getvalue()

    @intrinsic  # type: ignore[untyped-decorator]
    def array_on_stack(typingctx: Any) -> Any:
        return kind(), generate

    return array_on_stack


def operation(
    isa: InstructionSet, modulus: int, returns: Literal["nothing", "int64"] = "nothing"
) -> Callable[[Callable[Concatenate[Any, Arguments], Result]], Callable[Arguments, Result]]:
    """Decorator: body(emitter, *arguments) becomes a Numba intrinsic for the field of that modulus.

    In the body an array argument is the LLVM pointer to its first element (the array must be contiguous) and an
    integer argument is an i64 value. With returns="int64" the body returns an i64 value.
    """
    return functools.partial(_intrinsic, isa, modulus, returns)


def emitter(isa: InstructionSet, modulus: int, builder: Any) -> Any:
    """The instruction set's emitter of arithmetic modulo `modulus`, writing through an llvmlite IRBuilder."""
    if isa == IFMA:
        from zkgpu.jit.ifma import IfmaEmitter

        return IfmaEmitter(builder, modulus)
    if isa == FMA:
        from zkgpu.jit.fma import FmaEmitter

        return FmaEmitter(builder, modulus)
    from zkgpu.jit.portable import PortableEmitter

    return PortableEmitter(builder, modulus)


known: list[Kernel] = []  # of this process
_HASHED = tuple(f"{__name__.partition('.')[0]}.{room}." for room in cache.ROOMS)  # see cache.toolchain_digest


@functools.cache
def _quick() -> frozenset[type]:
    """Types of arguments of which a call asks Python nothing."""
    return frozenset((int, np.ndarray))


class Kernel:
    """A kernel of given parameters, compiled or loaded when it meets arguments of new kinds; threads may share it.

    Attributes:
        isa: the instruction set among its parameters, if there is one
    """

    def __init__(self, builder: Builder, parameters: tuple[Any, ...]):
        self.__name__, self.__doc__ = _unique_name(builder, parameters), builder.__doc__
        self._builder, self._parameters = builder, parameters
        self.isa = next((isa for p in parameters if isinstance(isa := getattr(p, "isa", p), InstructionSet)), None)
        self._rounds = self.isa == FMA
        self._entries: dict[tuple[Any, ...], tuple[Entry, Callable[..., bytes]]] = {}
        self._latest: dict[tuple[type, ...], tuple[Entry, Callable[..., bytes]]] = {}  # of arrays and integers alone
        known.append(self)

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}>"

    def __call__(self, *arguments: Any) -> None:
        if self._rounds:
            require_rounding()
        status, latest = OTHER_KINDS, self._latest.get(tuple(map(type, arguments)))
        if latest is not None:
            entry, pack = latest
            status = entry(pack(LOOK, *quick_words(arguments)))
        if status == OTHER_KINDS:
            status = self._run(arguments)
        if status:
            raise AssertionError(f"{self.__name__} failed")

    def _run(self, arguments: tuple[Any, ...]) -> int:
        """The status of the entry for these kinds, which the next call tries first."""
        words: list[int] = []
        key = tuple([take(argument, words) for argument in arguments])
        entry, pack = found = self._entries.get(key) or self._entry(key, len(words))
        types = tuple(map(type, arguments))
        if PlainArray not in types and _quick().issuperset(types):
            self._latest[types] = found
        return entry(pack(KNOWN, *words))

    def _entry(self, key: tuple[Any, ...], words: int) -> tuple[Entry, Callable[..., bytes]]:
        with _lock:
            if key not in self._entries:
                kinds = tuple(map(kind_of, key))
                entry = cache.entry(self.__name__, kinds, functools.partial(self.compiled, kinds))
                self._entries[key] = entry, struct.Struct(f"{1 + words}q").pack
            return self._entries[key]

    def met(self) -> list[tuple[Kind, ...]]:
        """The kinds of arguments that it was called with."""
        return [tuple(map(kind_of, key)) for key in self._entries]

    def is_kept(self, arguments: tuple[Any, ...]) -> bool:
        """Whether a call with such arguments compiles nothing."""
        key = tuple([take(argument, []) for argument in arguments])
        return key in self._entries or cache.is_kept(self.__name__, tuple(map(kind_of, key)))

    def compiled(self, kinds: tuple[Kind, ...], target: Target) -> bytes:
        """An object file, of which the function `self.__name__` is the entry for arguments of these kinds."""
        from zkgpu.jit.compiling import compiled

        run = self._builder(*self._parameters)
        _refuse_compiled_callees(run)
        return compiled(run, self.__name__, kinds, target)


def is_kept(of: Callable[..., None], *arguments: Any) -> bool:
    """Whether a kernel is compiled, in this process or on disk, for arguments like these."""
    return cast("Kernel", of).is_kept(arguments)


def _unique_name(builder: Builder, parameters: tuple[Any, ...]) -> str:
    """Name of the kernel's file and of its entry. The source is in it for builders outside the hashed rooms."""
    text = f"{builder.__module__}.{builder.__qualname__}{parameters!r}{_source_hash(builder.__module__)}"
    return f"{builder.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@functools.cache
def _source_hash(module: str) -> str:
    if module.startswith(_HASHED):
        return ""
    return hashlib.sha256(Path(str(sys.modules[module].__file__)).read_bytes()).hexdigest()


def _refuse_compiled_callees(function: Callable[..., Any]) -> None:
    from numba.core.dispatcher import Dispatcher

    used = inspect.getclosurevars(function)
    for name, value in {**used.globals, **used.nonlocals}.items():
        if isinstance(value, Dispatcher) and value.targetoptions.get("inline") != "always":
            raise TypeError(f"{function.__name__} calls {name}, which is compiled by itself: wrap it in subroutine")


def _intrinsic(isa: InstructionSet, modulus: int, returns: str, body: Callable[..., Any]) -> Any:
    from numba.core import types
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array

    def pointer_or_integer(context: Any, builder: Any, kind: Any, value: Any) -> Any:
        return make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = [
            pointer_or_integer(context, builder, kind, v) for kind, v in zip(signature.args, values, strict=True)
        ]
        result = body(emitter(isa, modulus, builder), *arguments)
        return result if returns == "int64" else context.get_dummy_value()

    def typed(typingctx: Any, *kinds: Any) -> Any:
        result = types.int64 if returns == "int64" else types.void
        return result(*[k if isinstance(k, types.Array) else types.int64 for k in kinds]), generate

    typed.__name__ = typed.__qualname__ = body.__name__
    # Numba reads the argument names here; the typing context stands in the emitter's place
    typed.__signature__ = inspect.signature(body)  # type: ignore[attr-defined]
    return intrinsic(typed)
