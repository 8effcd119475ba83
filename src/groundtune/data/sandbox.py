"""Reading untrusted files in a process of their own, with limits.

Any document may be made to hang, to fill the memory or to crash what parses it. So
parsing happens in a child with bounded memory, processor time, open files and wall
time, without network and without the right to write or, where the system allows it, to
open any file: this side opens the file and hands over its bytes. One child serves many
files; when it breaks a limit it is killed and the next file gets a fresh one. Answers
come back as JSON, never as pickle, because whoever takes over the child must gain
nothing in the parent. What holds on this machine is in `Sandbox.protections`; what each
of them means stands in `confine`.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document
from groundtune.data.metadata import find_sidecar
from groundtune.data.reader_process import HEADER, OUT_OF_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_PIECE_BYTES = 1 << 18
_START_SECONDS = 60.0
"""To import the readers; a busy machine may take long, and no file is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost."""

    seconds: float = 28.0
    """Wall time; with the start of a new child less than half a minute."""
    cpu_seconds: int = 25
    memory_bytes: int = 1 << 30
    """Address space of the child, its libraries included."""
    file_bytes: int = 256 << 20
    """Size of the file."""
    answer_bytes: int = 64 << 20
    """Extracted text and structure, as JSON."""


class _LimitError(Exception):
    """The child broke a limit or died; the text says which."""


class Sandbox:
    """A child process that reads documents; use as a context manager."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.protections: tuple[str, ...] = ()
        """What confines the child; known once it has started."""
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, path: Path, *, name: str) -> Document:
        """Read a file that is one document.

        Args:
            path: The file.
            name: The document's id.

        Raises:
            DataError: The file cannot be read, holds several documents, or broke a
                limit.
        """
        documents = self.read_all(path, name=name)
        if len(documents) != 1:
            raise DataError(
                f"holds {len(documents)} documents",
                fix="ingest it, or read it with `read_documents`",
                where=str(path),
            )
        return documents[0]

    def read_all(self, path: Path, *, name: str) -> list[Document]:
        """Read a file, which may hold several documents; its sidecar is read as well.

        Args:
            path: The file.
            name: Its id, and that of its document if it is one.

        Raises:
            DataError: The file cannot be read, or broke a limit.
        """
        beside = find_sidecar(path)
        if path.exists() and not path.is_file():
            raise DataError(
                "not a regular file", fix="leave this path out", where=str(path)
            )
        try:
            aside = _read_start(beside) if beside else b""
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > self.limits.file_bytes:
                    raise DataError(
                        f"{size >> 20} MiB, at most {self.limits.file_bytes >> 20} "
                        "are read",
                        fix="divide it, or leave it out",
                        where=str(path),
                    )
                request = {
                    "name": name,
                    "where": str(path),
                    "size": size,
                    "sidecar": str(beside) if beside else "",
                    "sidecar_size": len(aside),
                }
                answer = json.loads(self._ask(request, file, aside))
        except OSError as error:
            raise DataError(
                error.strerror or str(error),
                fix="check the path and its permissions",
                where=str(path),
            ) from error
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
        return [_document(raw) for raw in answer["documents"]]

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

    def _ask(self, request: dict[str, Any], file: BinaryIO, aside: bytes) -> bytes:
        if self._child is None or self._child.poll() is not None:
            self.close()
            try:
                self._start()
            except OSError as error:
                msg = f"could not begin, its process did not start: {error}"
                raise _LimitError(msg) from error
        child = self._child
        assert child is not None
        deadline = time.perf_counter() + self.limits.seconds
        header = json.dumps(request).encode()
        self._send(child, HEADER.pack(len(header)) + header, deadline)
        for piece in _pieces(file, request["size"]):
            self._send(child, piece, deadline)
        self._send(child, aside, deadline)
        return self._answer(child, deadline)

    def _answer(self, child: subprocess.Popen[bytes], deadline: float) -> bytes:
        (length,) = HEADER.unpack(self._receive(child, HEADER.size, deadline))
        if length > self.limits.answer_bytes:
            msg = f"gives more than {self.limits.answer_bytes >> 20} MiB of text"
            raise _LimitError(msg)
        return self._receive(child, length, deadline)

    def _start(self) -> subprocess.Popen[bytes]:
        limits = json.dumps([self.limits.memory_bytes, self.limits.cpu_seconds])
        # -P keeps the working folder off the path: a json.py there is not ours.
        # -B: it could not write compiled modules anyway.
        child = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-PB", "-m", "groundtune.data.reader_process", limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._child = child
        assert child.stdin
        os.set_blocking(child.stdin.fileno(), False)
        answer = json.loads(self._answer(child, time.perf_counter() + _START_SECONDS))
        self.protections = tuple(answer["held"])
        return child

    def _send(
        self, child: subprocess.Popen[bytes], data: bytes, deadline: float
    ) -> None:
        """All of `data`, before `deadline`: a child that does not read is given up."""
        assert child.stdin
        view = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdin, selectors.EVENT_WRITE)
            while view:
                self._wait(selector, deadline)
                try:
                    view = view[os.write(child.stdin.fileno(), view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError as error:
                    raise _LimitError(self._why_dead(child)) from error

    def _receive(
        self, child: subprocess.Popen[bytes], length: int, deadline: float
    ) -> bytes:
        """Exactly `length` bytes, before `deadline`."""
        assert child.stdout
        pieces: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while length:
                self._wait(selector, deadline)
                piece = os.read(child.stdout.fileno(), min(length, _PIECE_BYTES))
                if not piece:
                    raise _LimitError(self._why_dead(child))
                pieces.append(piece)
                length -= len(piece)
        return b"".join(pieces)

    def _wait(self, selector: selectors.BaseSelector, deadline: float) -> None:
        left = deadline - time.perf_counter()
        if left <= 0 or not selector.select(left):
            msg = f"took more than {self.limits.seconds:g} seconds"
            raise _LimitError(msg)

    def _why_dead(self, child: subprocess.Popen[bytes]) -> str:
        code = child.wait()
        # The signal that the kernel sends at the processor limit.
        if code == -24:
            return f"took more than {self.limits.cpu_seconds} seconds of processor time"
        if code == OUT_OF_MEMORY:
            return f"took more than {self.limits.memory_bytes >> 20} MiB of memory"
        return f"crashed the reader (exit code {code})"


def _read_start(path: Path) -> bytes:
    """A sidecar, or so much of it that the reader finds it too large."""
    with path.open("rb") as file:
        return file.read(_PIECE_BYTES)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes of a file: the child has been told that many."""
    while size:
        piece = file.read(min(size, _PIECE_BYTES))
        if not piece:
            msg = "was cut short: the file changed meanwhile"
            raise _LimitError(msg)
        size -= len(piece)
        yield piece


def _document(raw: dict[str, Any]) -> Document:
    return Document(
        id=raw["id"],
        text=raw["text"],
        title=raw["title"],
        blocks=tuple(Block(*block) for block in raw["blocks"]),
        metadata=dict(raw["metadata"]),
    )
