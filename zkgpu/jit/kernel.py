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

Importing a module of kernels imports neither Numba nor LLVM. Kernels release the GIL. A helper function that a
kernel calls is wrapped in `subroutine`, never in numba.njit; give each heavy operation one call site, for every call
is compiled again. Kernels index raw memory without bounds checks: the caller checks every length and index.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from zkgpu.jit import cache
from zkgpu.jit.isa import FMA, IFMA, InstructionSet

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

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
                    compiled[parameters] = _dispatcher(builder, parameters)
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


def _dispatcher(builder: Builder, parameters: tuple[Any, ...]) -> Any:
    name = _unique_name(builder, parameters)
    import numba

    run = builder(*parameters)
    _refuse_compiled_callees(run)
    run.__qualname__ = run.__name__ = name
    return cache.attach(numba.njit(nogil=True, error_model="numpy")(run), name)


def _unique_name(builder: Builder, parameters: tuple[Any, ...]) -> str:
    """Name of the kernel's file and symbols.

    Numba numbers symbols per process, so code cached by two processes could meet under one symbol in a third;
    the digest of the parameters keeps them apart. The source is in it for builders outside the hashed rooms.
    """
    source = inspect.getsource(inspect.getmodule(builder) or builder)
    text = f"{builder.__module__}.{builder.__qualname__}{parameters!r}{source}"
    return f"{builder.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


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
