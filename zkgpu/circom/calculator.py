"""Runs the witness calculator that circom 2 compiles a circuit to, in a WebAssembly sandbox.

The module gets no files, clock, network or randomness: its only imports are circom's own `runtime` callbacks.
Interface: iden3/circom, code_producers/src/wasm_elements. A small module beside it (`modules.MOVER`) moves values in
bulk, since a call from Python for each wire costs more than the circuit itself.
"""

from __future__ import annotations

import logging
import os
import re
import struct
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from zkgpu.circom import guard, modules
from zkgpu.circom.early import sizes_in_table
from zkgpu.circom.guard import Limits
from zkgpu.circom.signals import flatten, name_hash
from zkgpu.curves import DEFAULT
from zkgpu.errors import FormatError, InputError, ResourceError, UnsatisfiedError, ZkgpuError
from zkgpu.extras import hint
from zkgpu.fields.field import Field, Limbs
from zkgpu.formats.container import map_file
from zkgpu.formats.kinds import wrong_kind

# what a circuit's own log() prints are values of the witness: no handler gets them that did not ask for this very name
values_log = logging.getLogger("zkgpu.values")
values_log.propagate = False
values_log.addHandler(logging.NullHandler())

_PAGE = 1 << 16
_MAX_PAGES = 1 << 16
_MAX_MESSAGE = 4096
_TABLE_WITHIN = 1 << 20  # bytes of the calculator's memory in which the table of input signals lies
_MAX_SAID = 1 << 16  # characters of all messages together: what comes after them is not read
_PLACE = re.compile(r"in template \w+ line: \d+", re.ASCII)  # the part of circom's messages that holds no value
_EXPORTS = (
    *("memory", "getVersion", "getFieldNumLen32", "getRawPrime", "getSharedRWMemoryStart", "init", "getInputSize"),
    *("setInputSignal", "getWitnessSize", "getWitness", "getMessageChar"),
)
_LATER_EXPORTS = ("getInputSignalSize",)  # not in circom 2.0.0 to 2.0.3
_CIRCOM_1 = ("getPWitness", "getSignalOffset32")  # what circom 1 exports, and circom 2 does not
_MOST_LINES = 100  # of log() that are kept until an assertion fails
_ASSERT_FAILED = 4
_EXCEPTIONS: dict[int, tuple[type[ZkgpuError], str]] = {
    1: (InputError, "an input signal is not found"),
    2: (InputError, "too many values are given for an input signal"),
    3: (InputError, "an input signal is given twice"),
    _ASSERT_FAILED: (UnsatisfiedError, "the inputs break an assertion of the circuit"),
    5: (ResourceError, "the calculator is out of memory"),
    6: (InputError, "an input array is longer than the circuit's"),
    7: (UnsatisfiedError, "the circuit reads beyond the end of an array"),
}


def compute_witness(
    wasm: str | os.PathLike[str], inputs: Mapping[str, Any], field: Field, limits: Limits | None = None
) -> Limbs:
    """One witness; `Calculator` computes many without loading the module for each. Raises as it does."""
    return Calculator(wasm, field, limits).witness(inputs)


class Calculator:
    """The witness calculator of a circom 2 circuit, compiled once for each machine; threads may share it.

    Args:
        wasm: the file that circom makes with --wasm
        field: the scalar field of the circuit's curve
        limits: what the module may take

    Raises FormatError for a file that is no WebAssembly module, ResourceError without wasmtime, or beyond the limits.
    """

    def __init__(
        self, wasm: str | os.PathLike[str], field: Field = DEFAULT.scalar_field, limits: Limits | None = None
    ) -> None:
        self.path, self.field, self.limits = os.fspath(wasm), field, limits or Limits()
        self.wasmtime = _import_wasmtime()
        self.engine = guard.engine(self.wasmtime)
        loaded = guard.within(self.limits, self.path, self.engine, self._load)
        self.engine, self.module, self.mover = loaded.engine, loaded.module, loaded.mover

    def __repr__(self) -> str:
        return f"<calculator {self.path}>"

    def witness(self, inputs: Mapping[str, Any]) -> Limbs:
        """The assignment (1, public, private): (n, limbs) uint64, canonical, as circom's own scripts compute it.

        Args:
            inputs: values by signal name, see `circom.signals.flatten`

        Raises InputError for wrong, missing or superfluous inputs, UnsatisfiedError with circom's message for an
        assertion that fails, FormatError when the module is no circom 2 calculator over the field, ResourceError when
        it takes more memory or time than its limits allow.
        """
        signals = flatten(inputs, self.field)
        return guard.within(self.limits, self.path, self.engine, partial(self._witness, signals))

    def _witness(self, signals: Mapping[str, list[int]]) -> Limbs:
        with closing(_Run(self)) as run:
            run.begin()
            run.set_inputs(signals)
            return run.read_witness()

    def _load(self) -> modules.Loaded:
        raw = map_file(self.path)
        if raw[:4].tobytes() != b"\0asm":  # wasmtime would take it for WebAssembly in text form
            other = wrong_kind(self.path, raw, "a WebAssembly module (.wasm)", is_json=False)
            raise other or FormatError(f"{self.path}: not a WebAssembly module: give the .wasm that circom --wasm made")
        try:
            return modules.load(self.wasmtime, self.engine, raw.data)
        except self.wasmtime.WasmtimeError as error:
            raise FormatError(f"{self.path}: not a WebAssembly module ({_first_line(error)}): copy it again") from None


def _import_wasmtime() -> ModuleType:
    try:
        import wasmtime
    except ImportError as error:
        raise ResourceError(f"circom witness calculators need the package wasmtime: {hint('circom')}") from error
    return wasmtime


class _Run:
    """One instance of a calculator, for one witness. `close` gives its memory back: nothing else does in time.

    The store holds the callbacks, which hold this: no reference count ever falls to zero.
    """

    def __init__(self, calculator: Calculator) -> None:
        self._calculator, self._wasmtime = calculator, calculator.wasmtime
        self._path, self._field = calculator.path, calculator.field
        self._messages: list[str] = []
        self._line: list[str] = []  # what log() has said of its line so far
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._failure: ZkgpuError | None = None
        self._limits, self._said = calculator.limits, 0
        self._store = guard.store(self._wasmtime, calculator.engine, calculator.limits)
        self._exports: Any = {}

    def begin(self) -> None:
        """Start the module, and see that it is a circom 2 calculator over the field."""
        self._refuse_circom_1(self._calculator.module)
        self._exports = self._instantiate(self._calculator.module)
        guard.allow_movers(self._store, self._limits)
        self._require_circom_2()
        self._shared = self._call("getSharedRWMemoryStart")
        self._call("init", 1)
        self._require_field()

    def close(self) -> None:
        self._exports = {}
        self._store.close()

    def set_inputs(self, signals: Mapping[str, list[int]]) -> None:
        """Hands over all inputs; the circuit runs when the last one arrives."""
        self._check_inputs(signals)
        mover = self._mover(max((len(values) for values in signals.values()), default=0))
        for name, values in signals.items():
            data = b"".join(value.to_bytes(self._field.bytes, "little") for value in values)
            mover["memory"].write(self._store, data, 0)
            high, low = _halves(name)
            try:
                self._run(mover["write"], high, low, len(values), self._shared, self._field.bytes)
            except InputError as error:
                raise error.within(f"input '{name}'") from None

    def read_witness(self) -> Limbs:
        count = self._call("getWitnessSize") & 0xFFFFFFFF
        self._limits.require_wires(self._path, count, self._field.bytes)
        mover = self._mover(count)
        self._run(mover["read"], count, self._shared, self._field.bytes)
        data = mover["memory"].read(self._store, 0, count * self._field.bytes)
        witness = np.frombuffer(data, dtype="<u8").reshape(count, self._field.limbs)
        if count == 0 or not self._field.is_canonical(witness).all():
            raise FormatError(f"{self._path}: the calculator gives values that are not below the prime: compile again")
        return witness

    def _instantiate(self, module: Any) -> Any:
        wasmtime = self._wasmtime
        handlers = {
            "exceptionHandler": self._on_exception,
            "printErrorMessage": self._on_error_message,
            "writeBufferMessage": self._on_log_message,
            "showSharedRWMemory": self._on_log_value,
        }
        wanted = {item.name for item in module.imports}
        self._logs_text, self._prints_errors = "writeBufferMessage" in wanted, "printErrorMessage" in wanted
        imports = []
        for item in module.imports:
            if item.module != "runtime" or not isinstance(item.type, wasmtime.FuncType) or item.type.results:
                raise FormatError(
                    f"{self._path}: imports {item.module}.{item.name}, which circom 2 calculators do not: refused"
                )
            imports.append(wasmtime.Func(self._store, item.type, handlers.get(item.name, _ignore)))
        try:
            exports = wasmtime.Instance(self._store, module, imports).exports(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise self._failed("it cannot be started", error) from None
        return {name: exports[name] for name in (*_EXPORTS, *_LATER_EXPORTS) if name in exports}

    def _refuse_circom_1(self, module: Any) -> None:
        names = {item.name for item in module.exports}
        if all(name in names for name in _CIRCOM_1):
            raise FormatError(
                f"{self._path}: this is a witness calculator of circom 1: compile the circuit with circom 2"
            )

    def _require_circom_2(self) -> None:
        missing = [name for name in _EXPORTS if name not in self._exports]
        version = None if "getVersion" in missing else self._call("getVersion")
        if missing or version != 2:
            raise FormatError(
                f"{self._path}: not a witness calculator of circom 2 (version {version}, {len(missing)} functions "
                "missing): compile the circuit with circom 2 --wasm"
            )

    def _require_field(self) -> None:
        size = 4 * self._call("getFieldNumLen32")
        self._call("getRawPrime")
        start = self._call("getSharedRWMemoryStart")
        prime = int.from_bytes(self._exports["memory"].read(self._store, start, start + size), "little")
        if (size, prime) != (self._field.bytes, self._field.modulus):
            raise FormatError(f"{self._path}: compiled for another prime than {self._field.name}: compile it for bn128")

    def _check_inputs(self, signals: Mapping[str, list[int]]) -> None:
        sizes = self._input_sizes(signals)
        for name, values in signals.items():
            size = sizes.get(name, len(values))
            if size <= 0:  # -1 or 0 by version of circom
                raise InputError(f"input '{name}' is not an input signal of {self._path}: remove or rename it")
            if size != len(values):
                raise InputError(f"input '{name}' has {len(values):,} values but the circuit takes {size:,}")
        wanted, given = self._call("getInputSize"), sum(len(values) for values in signals.values())
        if wanted != given:
            raise InputError(f"{given:,} input values are given but {self._path} takes {wanted:,}: a signal is missing")

    def _input_sizes(self, signals: Mapping[str, list[int]]) -> dict[str, int]:
        """How many values each signal takes, -1 or 0 for one that there is not; of those of which that is known."""
        if "getInputSignalSize" in self._exports:
            return {name: self._call("getInputSignalSize", *_halves(name)) for name in signals}
        memory, store = self._exports["memory"], self._store
        image = bytes(memory.read(store, 0, min(memory.data_len(store), _TABLE_WITHIN)))
        return sizes_in_table(image, list(signals), self._call("getInputSize"))

    def _mover(self, count: int) -> Any:
        """An instance of the module that moves values, with room for `count` of them."""
        pages = -(-count * self._field.bytes // _PAGE)
        if pages > _MAX_PAGES:
            raise FormatError(f"{self._path}: {count:,} values are declared, more than fit in memory: compile it again")
        imports = [self._exports[name] for name in ("memory", "getWitness", "setInputSignal")]
        exports = self._wasmtime.Instance(self._store, self._calculator.mover, imports).exports(self._store)
        try:
            exports["memory"].grow(self._store, pages)
        except self._wasmtime.WasmtimeError:
            raise self._too_large() from None
        return exports

    def _call(self, name: str, *arguments: int) -> Any:
        return self._run(self._exports[name], *arguments)

    def _run(self, function: Any, *arguments: int) -> Any:
        try:
            return function(self._store, *arguments)
        except (self._wasmtime.Trap, self._wasmtime.WasmtimeError, TypeError) as error:
            raise self._failed("the calculator failed", error) from None

    def _failed(self, what: str, error: BaseException) -> Exception:
        """What an error of wasmtime means."""
        if getattr(error, "trap_code", None) == self._wasmtime.TrapCode.INTERRUPT:
            return guard.Interrupted()
        if self._failure is not None:
            return self._failure
        if "memory" in str(error) and "limit" in str(error):
            return self._too_large()
        return FormatError(f"{self._path}: {what} ({_first_line(error)}): compile it again")

    def _too_large(self) -> ResourceError:
        return ResourceError(
            f"{self._path}: it needs more than {self._limits.memory:,} bytes of memory: give it more with --memory"
        )

    def _on_exception(self, code: int) -> None:
        if not self._prints_errors:
            self._messages.append(self._message())
        kind, what = _EXCEPTIONS.get(code, (UnsatisfiedError, f"the circuit failed with code {code}"))
        places = [place for message in self._messages for place in _PLACE.findall(message)]
        where = f": {'; '.join(places)}" if places else ""
        said = "; ".join(message for message in self._messages if message)
        self._show_log()
        self._failure = kind(f"{self._path}: {what}{where}", values=said)
        raise self._failure

    def _on_error_message(self) -> None:
        if self._is_heard:
            self._messages.append(self._message())

    def _on_log_message(self) -> None:
        """Some text, or at the end of a log() nothing but the end of the line."""
        if not self._is_heard:
            return
        message = self._message()
        if message:
            self._line.append(message)
        else:
            self._end_line()

    def _on_log_value(self) -> None:
        if not self._is_heard:
            return
        self._said += self._field.bytes
        data = self._exports["memory"].read(self._store, self._shared, self._shared + self._field.bytes)
        self._line.append(str(int.from_bytes(bytes(data), "little")))
        if not self._logs_text:  # up to circom 2.0.5 a log() has one value, and no text that ends it
            self._end_line()

    def _end_line(self) -> None:
        line = " ".join(self._line)
        self._line.clear()
        self._lines.append(line)
        values_log.info("log: %s", line)

    def _show_log(self) -> None:
        """What log() said before a failure, for whom does not see it anyhow."""
        if self._line:
            self._end_line()
        if not values_log.isEnabledFor(logging.INFO):
            for line in self._lines:
                values_log.warning("log: %s", line)

    @property
    def _is_heard(self) -> bool:
        """Whether it has not said too much already."""
        return self._said < _MAX_SAID

    def _message(self) -> str:
        characters: list[str] = []
        while len(characters) < _MAX_MESSAGE and (code := self._exports["getMessageChar"](self._store)):
            characters.append(chr(code & 0xFF))
        self._said += 1 + len(characters)
        return " ".join("".join(characters).split())


def _halves(name: str) -> tuple[int, int]:
    """The two halves of a name's hash as signed 32-bit integers, which is how WebAssembly takes them."""
    high, low = struct.unpack(">ii", name_hash(name).to_bytes(8, "big"))
    return high, low


def _ignore(*_: Any) -> None:
    """The other callbacks only print."""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
