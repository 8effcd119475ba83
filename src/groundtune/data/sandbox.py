"""Reading untrusted files in a process of their own, with limits.

A PDF or a page may be made to hang, to fill the memory or to crash the library that
parses it. So parsing happens in a child with bounded memory, processor time and wall
time. One child serves many files; when it breaks a limit it is killed and the next file
gets a fresh one. Answers come back as JSON, never as pickle, because whoever takes over
the child must gain nothing in the parent. This is a bound on harm, not a jail: the
child may still open files that the user may open.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = struct.Struct(">Q")
_READ_BYTES = 1 << 16
_START_SECONDS = 60.0
"""To import the readers; a busy machine may take long, and no file is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost."""

    seconds: float = 60.0
    """Wall time."""
    cpu_seconds: int = 30
    memory_bytes: int = 2 << 30
    """Address space of the child, its libraries included."""
    answer_bytes: int = 256 << 20
    """Extracted text and structure, as JSON."""


class _LimitError(Exception):
    """The child broke a limit or died; the text says which."""


class Sandbox:
    """A child process that reads documents; use as a context manager."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, path: Path, *, name: str) -> Document:
        """Read one file in the child.

        Args:
            path: The file.
            name: The document's id.

        Raises:
            DataError: The file cannot be read, or broke a limit.
        """
        request = json.dumps({"path": str(path), "name": name}).encode()
        try:
            answer = json.loads(self._ask(request))
        except _LimitError as error:
            self.close()
            raise DataError(
                f"reading it {error}",
                fix="leave this file out, or save it again in a simpler form",
                where=str(path),
            ) from error
        if "error" in answer:
            problem, fix, where = (str(part) for part in answer["error"])
            raise DataError(problem, fix=fix, where=where)
        return _document(answer["document"])

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """Stop the child, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()

    def _ask(self, request: bytes) -> bytes:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = self._start()
        child = self._child
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(_HEADER.pack(len(request)) + request)
            child.stdin.flush()
        except BrokenPipeError as error:
            raise _LimitError(self._why_dead(child)) from error
        deadline = time.perf_counter() + self.limits.seconds
        header = self._receive(child, _HEADER.size, deadline)
        (length,) = _HEADER.unpack(header)
        if length > self.limits.answer_bytes:
            msg = f"gives more than {self.limits.answer_bytes >> 20} MiB of text"
            raise _LimitError(msg)
        return self._receive(child, length, deadline)

    def _start(self) -> subprocess.Popen[bytes]:
        limits = json.dumps([self.limits.memory_bytes, self.limits.cpu_seconds])
        # -P keeps the working folder off the path: a json.py there is not ours.
        child = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-P", "-m", "groundtune.data.sandbox", limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._child = child
        self._receive(child, 1, time.perf_counter() + _START_SECONDS)
        return child

    def _receive(
        self, child: subprocess.Popen[bytes], length: int, deadline: float
    ) -> bytes:
        """Exactly `length` bytes, before `deadline`."""
        assert child.stdout
        pieces: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while length:
                left = deadline - time.perf_counter()
                if left <= 0 or not selector.select(left):
                    msg = f"took more than {self.limits.seconds:g} seconds"
                    raise _LimitError(msg)
                piece = os.read(child.stdout.fileno(), min(length, _READ_BYTES))
                if not piece:
                    raise _LimitError(self._why_dead(child))
                pieces.append(piece)
                length -= len(piece)
        return b"".join(pieces)

    def _why_dead(self, child: subprocess.Popen[bytes]) -> str:
        code = child.wait()
        # The signal that the kernel sends at the processor limit.
        if code == -24:
            return f"took more than {self.limits.cpu_seconds} seconds of processor time"
        return f"crashed the reader (exit code {code})"


def _document(raw: dict[str, Any]) -> Document:
    return Document(
        id=raw["id"],
        text=raw["text"],
        title=raw["title"],
        blocks=tuple(Block(*block) for block in raw["blocks"]),
        metadata=dict(raw["metadata"]),
    )


def _serve(source: BinaryIO, sink: BinaryIO, *, memory: int, cpu: int) -> None:
    """The child: one answer a request, until the parent goes away."""
    from pathlib import Path

    from groundtune.data.formats import parse

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    sink.write(b"+")
    sink.flush()
    while len(header := source.read(_HEADER.size)) == _HEADER.size:
        request = json.loads(source.read(_HEADER.unpack(header)[0]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime) + 1
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (spent + cpu, hard))
        path = str(request["path"])
        answer: dict[str, Any]
        try:
            document = parse(Path(path), name=str(request["name"]))
            answer = {"document": asdict(document)}
        except DataError as error:
            answer = {"error": [error.problem, error.fix, error.where]}
        except MemoryError:
            answer = {
                "error": [
                    f"reading it took more than {memory >> 20} MiB of memory",
                    "leave this file out, or divide it",
                    path,
                ]
            }
        except Exception as error:  # noqa: BLE001 (a parser may raise anything)
            answer = {
                "error": [
                    f"could not be read: {type(error).__name__}: {error}",
                    "leave this file out, or save it again in a simpler form",
                    path,
                ]
            }
        raw = json.dumps(answer).encode()
        sink.write(_HEADER.pack(len(raw)) + raw)
        sink.flush()


if __name__ == "__main__":
    _memory, _cpu = json.loads(sys.argv[1])
    # A library that prints must not print into the answers.
    with os.fdopen(os.dup(1), "wb") as _sink:
        os.dup2(2, 1)
        _serve(sys.stdin.buffer, _sink, memory=_memory, cpu=_cpu)
