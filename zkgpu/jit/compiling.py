"""Numba as a compiler to object code: the one place that runs it, for kernels that are not there yet.

What it makes needs neither Numba nor Python: no reference counts, no exceptions, one entry that takes a pointer to the
64-bit words: first whether to look at the kinds of arrays, then those of all arguments, in order: an integer itself;
of an array where its fields are (see `signature`); of a tuple those of its items.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, compiler, errors, types
from numba.core.callconv import CPUCallConv
from numba.core.codegen import AOTCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.registry import cpu_target
from numba.np import arrayobj
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from zkgpu.jit.signature import (
    DATA,
    DESCRIPTOR,
    FLAGS,
    INT,
    NDIM,
    OTHER_KINDS,
    SEEN,
    SHAPE,
    STRIDES,
    TYPE,
    TYPE_MASK,
    ArrayKind,
    Kind,
    type_word,
)
from zkgpu.jit.target import Target

I32, WORD = ir.IntType(32), ir.IntType(64)
FAILED = -1  # Numba's status of an exception


def compiled(run: Callable[..., None], name: str, kinds: tuple[Kind, ...], target: Target) -> bytes:
    """An object file for the target, whose function `name` is the entry of run(*arguments of these kinds)."""
    flags, arguments = compiler.Flags(), tuple(map(_type_of, kinds))
    flags.nrt, flags.no_cpython_wrapper, flags.error_model = False, True, "numpy"
    with global_compiler_lock, _plain_indices():
        context = _context(target)
        context.entry_name, context.kinds, library = name, kinds, context.codegen().create_library(name)
        typing = cpu_target.typing_context
        compiler.compile_extra(typing, context, run, arguments, types.void, flags, {}, library=library)
        for function in library._final_module.functions:
            if not function.is_declaration and function.name != name:
                function.linkage = "internal"
        return bytes(library.emit_native_object())


@contextmanager
def _plain_indices() -> Iterator[None]:
    """Numba takes an index as it is, and not as one from an array's end where it is negative: kernels have none."""
    kept = arrayobj.fix_integer_index
    arrayobj.fix_integer_index = _plain_index
    try:
        yield
    finally:
        arrayobj.fix_integer_index = kept


def _plain_index(context: Any, builder: Any, kind: Any, index: Any, _: Any) -> Any:
    if isinstance(index, ir.Constant) and index.constant < 0:
        raise errors.TypingError(f"index {index.constant}: those of kernels count from 0")
    return context.cast(builder, index, kind, types.intp if kind.signed else types.uintp)


def _type_of(kind: Kind) -> Any:
    if isinstance(kind, ArrayKind):
        layout = "C" if kind.is_contiguous else "A"
        return types.Array(from_dtype(np.dtype(kind.dtype)), kind.ndim, layout, not kind.is_writable, aligned=True)
    if isinstance(kind, tuple):
        return types.Tuple(tuple(map(_type_of, kind)))
    return types.int64


@functools.cache
def _context(target: Target) -> _Context:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    context = _Context.__new__(_Context)
    context.__dict__.update(cpu_target.target_context.__dict__)  # shares what Numba learns, as its own subtarget() does
    context._internal_codegen = _Codegen("zkgpu.kernels", target)
    return context


class _Codegen(AOTCPUCodegen):  # type: ignore[misc]
    """Position independent code for a target, which need not be this machine."""

    def __init__(self, module_name: str, target: Target):
        self._for = target
        super().__init__(module_name, target.cpu)

    def _init(self, llvm_module: Any) -> None:
        triple = self._for.triple or llvm.get_process_triple()
        features = ",".join(f"+{feature}" for feature in self._for.features)
        options = {"opt": 3, "cpu": self._for.cpu, "features": features, "reloc": "pic", "codemodel": "default"}
        self._tm = llvm.Target.from_triple(triple).create_target_machine(**options)
        self._tm_features, self._target_data = features, self._tm.target_data
        self._data_layout, self._loopvect, self._opt_level = str(self._target_data), False, 0

    def _create_empty_module(self, name: str) -> Any:
        module = super()._create_empty_module(name)
        module.triple = self._for.triple or llvm.get_process_triple()
        return module


class _StatusOnly(CPUCallConv):  # type: ignore[misc]
    """Exceptions are no more than a status: nobody unpickles what was pickled while compiling."""

    def return_user_exc(self, builder: Any, *_: Any, **__: Any) -> None:
        builder.ret(ir.Constant(I32, FAILED))

    def return_status_propagate(self, builder: Any, status: Any) -> None:
        builder.ret(status.code)


class _Context(CPUContext):  # type: ignore[misc]
    entry_name = ""
    kinds: tuple[Kind, ...] = ()

    @property
    def call_conv(self) -> Any:
        return _StatusOnly(self)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Nothing of Numba's runtime is linked in."""

    def get_executable(self, library: Any, fndesc: Any, env: Any) -> None:
        """Nothing is run here."""

    def create_cfunc_wrapper(self, library: Any, fndesc: Any, env: Any, call_helper: Any) -> None:
        """The entry, in the place of Numba's own wrapper for C."""
        module = self.create_module("entry")
        callee = ir.Function(
            module, self.call_conv.get_function_type(types.void, fndesc.argtypes), fndesc.llvm_func_name
        )
        entry = ir.Function(module, ir.FunctionType(I32, [WORD.as_pointer()]), self.entry_name)
        builder = ir.IRBuilder(entry.append_basic_block())
        words = _words(builder, entry.args[0])
        _leave_unless_as_compiled(builder, next(words), self.kinds, _words(builder, entry.args[0], 1))
        arguments = [self._argument(builder, kind, words) for kind in fndesc.argtypes]
        status, _ = self.call_conv.call_function(builder, callee, types.void, fndesc.argtypes, arguments)
        builder.ret(status.code)
        library.add_ir_module(module)

    def _argument(self, builder: Any, kind: Any, words: Iterator[Any]) -> Any:
        if isinstance(kind, types.Array):
            return self._array(builder, kind, words)
        if isinstance(kind, types.BaseTuple):
            return self.make_tuple(builder, kind, [self._argument(builder, item, words) for item in kind])
        return next(words)

    def _array(self, builder: Any, kind: Any, words: Iterator[Any]) -> Any:
        array, size = make_array(kind)(self, builder), self.get_abi_sizeof(self.get_data_type(kind.dtype))
        fields = builder.inttoptr(next(words), WORD.as_pointer())
        data, lengths, steps = (_word(builder, fields, k) for k in (DATA, SHAPE, STRIDES))
        data = builder.inttoptr(data, self.get_data_type(kind.dtype).as_pointer())
        shape = _several(builder, lengths, kind.ndim)
        if kind.layout == "C":
            strides = [ir.Constant(WORD, size)] * min(kind.ndim, 1)
            for length in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], length))
        else:
            strides = _several(builder, steps, kind.ndim)
        populate_array(array, data, shape, strides, ir.Constant(WORD, size), None)
        return array._getvalue()


def _leave_unless_as_compiled(builder: Any, looks: Any, kinds: tuple[Kind, ...], words: Iterator[Any]) -> None:
    """Ends the entry with OTHER_KINDS where `looks` is not 0 and an array is of another kind than given here."""
    with builder.if_then(builder.icmp_unsigned("!=", looks, ir.Constant(WORD, 0))):
        differences = _differences(builder, kinds, words)
        with builder.if_then(builder.icmp_unsigned("!=", differences, ir.Constant(WORD, 0)), likely=False):
            builder.ret(ir.Constant(I32, OTHER_KINDS))


def _differences(builder: Any, kinds: tuple[Kind, ...], words: Iterator[Any]) -> Any:
    """A word that is 0 just when all arrays are of these kinds."""
    total = ir.Constant(WORD, 0)
    for kind in kinds:
        if isinstance(kind, tuple):
            total = builder.or_(total, _differences(builder, kind, words))
            continue
        word = next(words)
        if isinstance(kind, ArrayKind):
            fields = builder.inttoptr(word, WORD.as_pointer())
            descriptor = builder.inttoptr(_word(builder, fields, DESCRIPTOR), WORD.as_pointer())
            for found, mask, expected in (
                (_word(builder, fields, NDIM), INT, kind.ndim),
                (_word(builder, fields, FLAGS), SEEN, kind.flags),
                (_word(builder, descriptor, TYPE), TYPE_MASK, type_word(np.dtype(kind.dtype))),
            ):
                seen = builder.and_(found, ir.Constant(WORD, mask))
                total = builder.or_(total, builder.xor(seen, ir.Constant(WORD, expected)))
    return total


def _words(builder: Any, pointer: Any, first: int = 0) -> Iterator[Any]:
    return (_word(builder, pointer, k) for k in itertools.count(first))


def _word(builder: Any, pointer: Any, k: int) -> Any:
    return builder.load(cgutils.gep_inbounds(builder, pointer, k))


def _several(builder: Any, address: Any, count: int) -> list[Any]:
    pointer = builder.inttoptr(address, WORD.as_pointer())
    return [_word(builder, pointer, k) for k in range(count)]
