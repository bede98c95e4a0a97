"""Jobs on disk: what was accepted stays accepted whatever becomes of the process, and is proven once.

    DIR/lock                held by the one service that uses the folder
    DIR/jobs.sqlite         jobs, and results of those that are over; write-ahead log, synchronous
    DIR/inputs/ID           what a job that is not over is to prove; a file without such a job counts for nothing
    DIR/secret              what digests of bodies are keyed with, so that nobody can look for an input by its digest

All of it is its owner's alone. A job is there once its row is, which is written after its inputs were flushed; it is
over once its outcome is, and its inputs go then. A folder lies on a disk of this machine: locks of SQLite and of the
system do not hold on most network file systems.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from zkgpu.errors import ResourceError, UsageError
from zkgpu.formats.atomic import make_folder
from zkgpu.records import dataclass
from zkgpu.service.opened import Options

WAITING, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_TABLE = """
create table if not exists jobs (
    id text primary key, key text not null, options text not null, priority integer not null, created real not null,
    deadline real, idempotency text unique, digest blob not null, size integer not null, lost integer not null,
    state text not null, started real, finished real, outcome text
);
create index if not exists by_state on jobs (state, finished);
"""
_COLUMNS = (
    *("id", "key", "options", "priority", "created", "deadline", "idempotency", "digest", "size", "lost", "state"),
    *("started", "finished", "outcome"),
)
_SELECT = f"select {', '.join(_COLUMNS)} from jobs "  # noqa: S608  names of columns, all of them above


class Conflict(UsageError):
    """An idempotency key came back with another body."""


@dataclass(eq=False)
class Job:
    """A job.

    Attributes:
        created, deadline, started, finished: seconds since 1970
        digest: of its body and options
        size: bytes of its body
        lost: how often whatever proved it died
        outcome: what came of it, as JSON, once it is over
        stages: seconds by stage while it runs; the one that has begun has none yet
        passed: how many that came later went first
    """

    key: str
    options: Options
    digest: bytes
    size: int
    priority: int = 0
    deadline: float | None = None
    idempotency: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: float = field(default_factory=time.time)
    lost: int = 0
    state: str = WAITING
    started: float | None = None
    finished: float | None = None
    outcome: dict[str, Any] | None = None
    stages: dict[str, float | None] = field(default_factory=dict)
    passed: int = 0

    @property
    def is_over(self) -> bool:
        return self.finished is not None

    @property
    def rank(self) -> tuple[int, float]:
        """What is proven first: by priority, then by age."""
        return -self.priority, self.created


class Spool:
    """A folder of jobs, for one thread at a time. Raises UsageError where another service uses the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._inputs = folder, folder / "inputs"
        for path in (folder, self._inputs):
            make_folder(path, 0o700)
            path.chmod(0o700)
        self._lock = FileLock(folder / "lock", mode=0o600, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"{folder}: another service works with this spool: give each a folder of its own"
            ) from None
        self._secret = _secret_in(folder / "secret")
        self._database = _opened(folder / "jobs.sqlite")

    def close(self) -> None:
        self._database.close()
        self._lock.release()

    def digest(self) -> Any:
        """A hash for a body and what comes with it: `update`, then `digest`."""
        return hashlib.blake2b(key=self._secret, digest_size=32)

    def upload(self) -> tuple[str, BinaryIO]:
        """A new file for the body of a job: its path, and the file, for its owner only."""
        path = self._inputs / f"{uuid.uuid4().hex}.part"
        return os.fspath(path), open(path, "xb", opener=_private)

    def path_of(self, job: Job) -> str:
        """Where a job's inputs lie until it is over."""
        return os.fspath(self._inputs / job.id)

    def accept(self, job: Job, upload: str) -> Job:
        """The job, once it would survive; or the one that its idempotency key stands for. Raises Conflict."""
        place = self.path_of(job)
        os.replace(upload, place)
        _sync(self._inputs)
        row = {**asdict(job), "options": json.dumps(asdict(job.options)), "outcome": None}
        try:
            with self._database:
                self._database.execute(
                    f"insert into jobs ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608
                    [row[name] for name in _COLUMNS],
                )
            return job
        except sqlite3.IntegrityError:
            os.unlink(place)
            return self._same(job)
        except sqlite3.Error as error:
            os.unlink(place)
            raise ResourceError(f"the spool cannot be written ({error}): make room") from error

    def _same(self, job: Job) -> Job:
        known = self.by_idempotency(job.idempotency or "")
        if known is None or known.digest != job.digest:
            raise Conflict("this idempotency key was used for another body: give each job a key of its own")
        return known

    def finish(self, job: Job) -> None:
        """What came of the job, for good; its inputs go."""
        with self._database:
            self._database.execute(
                "update jobs set state = ?, started = ?, finished = ?, outcome = ?, lost = ? where id = ?",
                [job.state, job.started, job.finished, json.dumps(job.outcome), job.lost, job.id],
            )
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path_of(job))

    def note_loss(self, job: Job) -> None:
        with self._database:
            self._database.execute("update jobs set lost = ? where id = ?", [job.lost, job.id])

    def find(self, id_: str) -> Job | None:
        return next(self._jobs("where id = ?", id_), None)

    def by_idempotency(self, key: str) -> Job | None:
        return next(self._jobs("where idempotency = ?", key), None)

    def recover(self) -> list[Job]:
        """The jobs that are not over, in the order of their age. Files that belong to none of them are removed."""
        jobs = list(self._jobs("where state = ? order by created", WAITING))
        wanted = {job.id for job in jobs}
        for path in self._inputs.iterdir():
            if path.name not in wanted:
                path.unlink()
        return jobs

    def forget(self, before: float) -> int:
        """Removes what was over before that time; how many there were."""
        with self._database:
            gone = self._database.execute("delete from jobs where finished < ?", [before])
        return gone.rowcount

    def _jobs(self, clause: str, *values: object) -> Iterator[Job]:
        for row in self._database.execute(_SELECT + clause, values):
            named = dict(zip(_COLUMNS, row, strict=True))
            named["options"] = Options(**json.loads(named["options"]))
            named["outcome"] = None if named["outcome"] is None else json.loads(named["outcome"])
            yield Job(**named)


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what SQLite puts beside it has the same mode
    with contextlib.ExitStack() as where_it_fails:
        try:
            database = sqlite3.connect(path, check_same_thread=False)
            where_it_fails.callback(database.close)
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = full")
            database.executescript(_TABLE)
        except sqlite3.Error as error:
            raise ResourceError(f"{path}: the spool cannot be used ({error}): give another --spool") from error
        where_it_fails.pop_all()
    return database


def _secret_in(path: Path) -> bytes:
    """The bytes in a file, which are drawn when there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    secret = uuid.uuid4().bytes + uuid.uuid4().bytes
    with open(path, "xb", opener=_private) as file:
        file.write(secret)
    return secret


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
