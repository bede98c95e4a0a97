"""Every error zkgpu raises on purpose, and the exit code each one gives the command line.

    ZkgpuError                       70  (a bug, when raised as itself)
    ├── UsageError                    2  the question makes no sense: lengths differ, an option is unknown
    │   ├── LengthError               2
    │   └── InputError                3  a value given to a circuit or a model is missing, misshapen or out of its range
    ├── FormatError                   3  a file or a value in it is wrong
    │   ├── PointError                3  a point is off its curve or outside the subgroup
    │   └── InsecureKeyError          3  a key whose secrets are public
    ├── UnsatisfiedError              4  the witness breaks a constraint
    │   └── UnsoundError              4  a circuit has a second witness
    ├── ResourceError                 5  no GPU, not enough memory, a missing optional package
    ├── SelfCheckError                6  the prover's own verification refused the proof
    └── CancelledError              130  whoever asked for the work had it stopped

A message is one line: what is wrong, where, and how to mend it. No value of a witness, an input or a private weight is
part of it: such values are in `values`, for whoever asks (`zkgpu --show-values`).
"""

from __future__ import annotations

import errno
import os
from typing import Any, TypeVar

EXIT_OK = 0
EXIT_INVALID_PROOF = 1


_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT}
_SAID_OF_SHORTAGES = (
    *("can't start new thread", "Cannot allocate memory", "failed to map segment", "out of memory"),
    "Too many open files",
)


def is_shortage(error: BaseException) -> bool:
    """Whether the system had too little of something: memory, threads, open files, room on a disk."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES):
        return True
    may_say = isinstance(error, OSError | RuntimeError | ImportError)
    return may_say and any(text in str(error) for text in _SAID_OF_SHORTAGES)


Error = TypeVar("Error", bound="ZkgpuError")


class ZkgpuError(Exception):
    """Base of all errors raised by zkgpu.

    Args:
        values: what the message is about and does not show, since it may be secret: one line, or ""
    """

    exit_code = 70

    def __init__(self, message: str = "", *, values: str = "") -> None:
        super().__init__(message)
        self.values = values

    def within(self: Error, where: str) -> Error:
        """The same error, with the name of a file or a part of it in front of the message."""
        return type(self)(f"{where}: {self}", values=self.values)


class UsageError(ZkgpuError):
    """The call or the command line cannot be carried out."""

    exit_code = 2


class LengthError(UsageError):
    """Two lengths that must agree do not."""


class InputError(UsageError):
    """A value that a circuit or a model was given is missing, misshapen, no number of its kind, or out of its range."""

    exit_code = 3  # as of any bad value: most are in files


class FormatError(ZkgpuError):
    """A file, or a value in one, is malformed."""

    exit_code = 3


class PointError(FormatError):
    """A point is not on its curve, not in the prime-order subgroup, or not allowed to be infinity."""


class InsecureKeyError(FormatError):
    """A key with which anyone can forge proofs, or whose proofs hide nothing, such as one without a contribution."""

    @classmethod
    def because(cls, reason: str) -> InsecureKeyError:
        """The error for a weakness, which `reason` says."""
        return cls(
            f"insecure key: {reason}; anyone can forge proofs for it, or read what they hide. "
            "Make a key with `zkgpu setup`, or pass --allow-insecure-key for a test"
        )

    @classmethod
    def raise_for(cls, weakness: str | None) -> None:
        """Raises the error where there is a weakness."""
        if weakness is not None:
            raise cls.because(weakness)


class UnsatisfiedError(ZkgpuError):
    """The assignment does not satisfy the circuit."""

    exit_code = 4


class UnsoundError(UnsatisfiedError):
    """A circuit can be satisfied in a second way: a prover could lie.

    Args:
        details: the whole report, as JSON takes it
    """

    def __init__(self, message: str = "", details: dict[str, Any] | None = None, *, values: str = "") -> None:
        super().__init__(message, values=values)
        self.details = details or {}


class ResourceError(ZkgpuError):
    """A device, memory or an optional package that is needed is not there."""

    exit_code = 5


class SelfCheckError(ZkgpuError):
    """A proof failed its own verification and was withheld."""

    exit_code = 6


class CancelledError(ZkgpuError):
    """Work was stopped between two of its stages, as was asked (`stages.cancellable`)."""

    exit_code = 130


_NO_ROOM = (errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_MENDS = {
    **dict.fromkeys(_NO_ROOM, ": choose another place"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), ": allow it to this user, or choose another place"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP), ": check the path"),
}


def described(error: BaseException) -> tuple[str, int]:
    """(one line, exit code) for any exception. The line shows no value of a witness or an input."""
    if isinstance(error, ZkgpuError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return "out of memory: close other programs or take a smaller circuit", ResourceError.exit_code
    if is_shortage(error):
        what = (error.strerror if isinstance(error, OSError) else None) or str(error).strip().splitlines()[-1]
        return f"the system is short of something: {what}: allow this process more of it", ResourceError.exit_code
    if isinstance(error, OSError):
        if error.errno == errno.ENOENT and not error.filename and _is_nowhere():
            return "the folder that this was started in is gone: change to one that is there", FormatError.exit_code
        where = f"{error.filename}: " if error.filename else ""
        kind_of_error = ResourceError if error.errno in _NO_ROOM else FormatError
        mend = _MENDS.get(error.errno or 0, "")
        return f"{where}{error.strerror or type(error).__name__}{mend}", kind_of_error.exit_code
    if isinstance(error, UnicodeError):
        return "a name or a text holds bytes that are no characters: write it in UTF-8", FormatError.exit_code
    kind = type(error).__name__
    return f"internal error ({kind}): set ZKGPU_TRACEBACK=1 and report it", ZkgpuError.exit_code


def _is_nowhere() -> bool:
    """Whether the folder that relative paths begin in was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def error_with(text: str, exit_code: int) -> ZkgpuError:
    """The error that another process described: one with that exit code."""
    kinds = (UsageError, FormatError, UnsatisfiedError, ResourceError, SelfCheckError, CancelledError)
    found = next((kind for kind in kinds if kind.exit_code == exit_code), ZkgpuError)
    return found(text)
