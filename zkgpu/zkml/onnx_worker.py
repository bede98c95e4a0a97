"""Models run, and their constants computed, in a process that may take so much memory and time.

A model from a stranger can loop, fill any memory, or crash onnxruntime. Shapes do not show what it will do: they may
depend on its data, loops have no length, and onnxruntime computes constants while it opens a model. A process can be
ended whatever it does, and a crash in it is an error here.
One process serves all models of this one, in turns, and ends with it. A message is

    size of the head u64 | head: JSON | the bytes of its blobs, one after another

in both directions; arrays are blobs with their type and shape in the head.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, ResourceError

MEMORY = 2 << 30  # bytes beyond those of the process itself; four times the model where that is more
SECONDS = 60.0  # for opening a model, for a sample, or for one constant: a network that can be proven takes hundredths

_PROGRAM = "import sys; sys.path[:] = sys.argv[1].split('\\n'); from zkgpu.zkml.onnx_worker import serve; serve()"
_HEAD_BYTES = 8
_TEXT = "text"  # the type of an array of strings
_REFUSALS = {
    "open": "onnxruntime cannot run this model: ",
    "run": "onnxruntime cannot run this model on the data: ",
    "evaluate": "",
}

Array = NDArray[Any]
Message = tuple[dict[str, Any], list[bytes]]


class Session:
    """A model opened by onnxruntime. Raises as `Worker.ask`, FormatError where onnxruntime refuses the model.

    Args:
        outputs: (name, type) of each, as onnxruntime names them
    """

    def __init__(self, model: bytes, memory: int | None = None, seconds: float | None = None) -> None:
        self._worker = _worker()
        self._limits = {"memory": memory or max(MEMORY, 4 * len(model)), "seconds": seconds or SECONDS}
        answer, _ = self._worker.ask({"do": "open", **self._limits}, [model])
        self._number = answer["session"]
        self.outputs: list[tuple[str, str]] = [(name, kind) for name, kind in answer["outputs"]]

    def run(self, outputs: Sequence[str], feed: Mapping[str, Array]) -> list[Array]:
        """The values of these tensors."""
        described, blobs = _described(list(feed.values()))
        head = {"do": "run", "session": self._number, "outputs": list(outputs), "names": list(feed)}
        answer, data = self._worker.ask({**head, **self._limits, "arrays": described}, blobs)
        return _arrays(answer["arrays"], data)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be ending, or the process have been
            self._worker.forget(self._number)


def evaluate(model: bytes, feed: Mapping[str, Array]) -> list[Array]:
    """The outputs of a model by ONNX' reference evaluator, which has every operator. Raises as `Session`."""
    return _values(_worker(), {"do": "evaluate", "memory": MEMORY, "seconds": SECONDS}, feed, [model])


def _values(worker: Worker, head: dict[str, Any], feed: Mapping[str, Array], blobs: list[bytes]) -> list[Array]:
    described, data = _described(list(feed.values()))
    answer, data = worker.ask({**head, "names": list(feed), "arrays": described}, [*blobs, *data])
    return _arrays(answer["arrays"], data)


class Worker:
    """A process that runs models."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._forgotten: list[int] = []
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", _PROGRAM, "\n".join(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, head: dict[str, Any], blobs: Sequence[bytes]) -> Message:
        """The answer. Raises ResourceError after head["seconds"], FormatError where the process ends or complains."""
        with self._lock:
            ended = threading.Event()
            timer = threading.Timer(head["seconds"], self._end_late, [ended])
            timer.start()
            try:
                forgotten, self._forgotten = self._forgotten, []
                _write(self._stream("stdin"), {**head, "forget": forgotten}, blobs)
                answer, data = _read(self._stream("stdout"))
            except (OSError, EOFError, ValueError) as error:
                self.close()
                if ended.is_set():
                    raise ResourceError(
                        f"one run of the model takes more than {head['seconds']:g} s: it may never end"
                    ) from error
                raise FormatError("the model makes onnxruntime end: it is damaged, or takes too much memory") from error
            except BaseException:
                self.close()
                raise
            finally:
                timer.cancel()
        if "error" in answer:
            kind = ResourceError if answer["memory"] else FormatError
            raise kind(f"{_REFUSALS[head['do']]}{answer['error']}")
        return answer, data

    @property
    def is_usable(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def forget(self, session: int) -> None:
        """Lets a model go with the next question."""
        self._forgotten.append(session)

    def close(self) -> None:
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
            for name in ("stdin", "stdout"):
                with contextlib.suppress(OSError):
                    self._stream(name).close()

    def _end_late(self, ended: threading.Event) -> None:
        ended.set()
        self._process.kill()

    def _stream(self, name: str) -> IO[bytes]:
        stream: IO[bytes] = getattr(self._process, name)
        return stream


_shared: Worker | None = None
_starting = threading.Lock()


def _worker() -> Worker:
    global _shared
    with _starting:
        if _shared is None or not _shared.is_usable:
            _shared = Worker()
            atexit.register(_shared.close)
        return _shared


def serve() -> None:
    """Answers until there are no more questions: the program of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to both; the other one decides
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:
        for descriptor in (0, 1):
            os.dup2(nothing.fileno(), descriptor)
    sessions: dict[int, Any] = {}
    with contextlib.suppress(EOFError, OSError):
        while True:
            head, blobs = _read(questions)
            for number in head["forget"]:
                sessions.pop(number, None)
            answer, data = _answer(sessions, head, blobs)
            _write(answers, answer, data)


def _answer(sessions: dict[int, Any], head: dict[str, Any], blobs: list[bytes]) -> Message:
    before = _allow(head["memory"])
    try:
        if head["do"] == "open":
            return _open(sessions, blobs[0]), []
        described, data = _described(_run(sessions, head, blobs))
        return {"arrays": described}, data
    except Exception as error:  # onnxruntime and each operator of the evaluator raise what they like
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"error": lines[0], "memory": isinstance(error, MemoryError) or "alloc" in str(error).lower()}, []
    finally:
        _restore(before)


def _run(sessions: dict[int, Any], head: dict[str, Any], blobs: list[bytes]) -> list[Any]:
    models = len(blobs) - len(head["names"])
    feed = dict(zip(head["names"], _arrays(head["arrays"], blobs[models:]), strict=True))
    if head["do"] == "evaluate":
        from onnx.reference import ReferenceEvaluator

        return list(ReferenceEvaluator(blobs[0]).run(None, feed))
    return list(sessions[head["session"]].run(head["outputs"], feed))


def _open(sessions: dict[int, Any], model: bytes) -> dict[str, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    number = 1 + max(sessions, default=0)
    sessions[number] = session
    return {"session": number, "outputs": [(output.name, output.type) for output in session.get_outputs()]}


def _allow(memory: int) -> Any:
    """Sets how far the process may grow, where the system has such a limit; what `_restore` takes back."""
    try:
        import resource

        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return None
    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + memory
    if before[1] != resource.RLIM_INFINITY:
        wanted = min(wanted, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (wanted, before[1]))
    return before


def _restore(before: Any) -> None:
    if before is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, before)


def _described(values: Sequence[Any]) -> tuple[list[list[Any]], list[bytes]]:
    """[type, shape] of each array, and their bytes; of text, JSON."""
    arrays = [np.asarray(value) for value in values]
    kinds = [_TEXT if array.dtype.kind in "OSU" else array.dtype.name for array in arrays]
    blobs = [_text_bytes(a) if kind == _TEXT else a.tobytes() for kind, a in zip(kinds, arrays, strict=True)]
    return [[kind, list(array.shape)] for kind, array in zip(kinds, arrays, strict=True)], blobs


def _text_bytes(array: Array) -> bytes:
    items = [item.decode(errors="replace") if isinstance(item, bytes) else str(item) for item in array.ravel().tolist()]
    return json.dumps(items).encode()


def _arrays(described: Sequence[Sequence[Any]], blobs: Sequence[bytes]) -> list[Array]:
    with contextlib.suppress(ImportError):
        import ml_dtypes  # noqa: F401 - gives NumPy the names of the short floats that onnx has
    return [
        (np.array(json.loads(blob), dtype=object) if kind == _TEXT else np.frombuffer(blob, dtype=kind)).reshape(shape)
        for (kind, shape), blob in zip(described, blobs, strict=True)
    ]


def _write(stream: IO[bytes], head: dict[str, Any], blobs: Sequence[bytes]) -> None:
    text = json.dumps({**head, "sizes": [len(blob) for blob in blobs]}).encode()
    stream.write(len(text).to_bytes(_HEAD_BYTES, "little") + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def _read(stream: IO[bytes]) -> Message:
    head = json.loads(_exactly(stream, int.from_bytes(_exactly(stream, _HEAD_BYTES), "little")))
    return head, [_exactly(stream, size) for size in head["sizes"]]


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data
