"""Writing files so that what was acknowledged survives kill -9 and power loss.

Everything that groundtune writes beside the vector database goes through here: whole
files by write-new-then-rename, growing files by append with fsync, and one lock file
per folder that is written to. What the files mean belongs to the callers.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError, StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a rename is lost without this)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn an OSError on `path` into a StoreError with a remedy.

    Raises:
        StoreError: The disk is full, the place is read-only, or the like.
    """
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        fixes = {
            errno.ENOSPC: "free disk space, then run the same command again",
            errno.EFBIG: "raise the limit on file sizes, or free disk space",
            errno.EDQUOT: "free disk space within your quota, then run it again",
            errno.EROFS: "choose a place that can be written to",
            errno.EACCES: "choose a place that you may write to",
        }
        fix = fixes.get(error.errno or 0, "check the path and the disk")
        problem = error.strerror or str(error)
        raise StoreError(problem, fix=fix, where=str(path)) from error


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace `path` by `data`: readers see the old file or the new, never a part.

    Raises:
        StoreError: It could not be written; the old file is untouched.
    """
    raw = data.encode() if isinstance(data, str) else data
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, raw)
        sync_folder(path.parent)


def replace_file(path: Path, raw: bytes) -> None:
    """`write_atomic` for one of many: the caller makes the folder and syncs it once.

    Raises:
        OSError: It could not be written; the old file is untouched.
    """
    with replacement(path) as part:
        part.write_bytes(raw)


@contextmanager
def replacement(path: Path) -> Generator[Path]:
    """A name to write to, for a file that takes the place of `path` once it is whole.

    For what a library writes by itself; see `replace_file` for what the caller does.

    Raises:
        OSError: It could not be written; the old file is untouched.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        sync_file(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write one JSON value, readable and with stable key order.

    Raises:
        StoreError: See `write_atomic`.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 (any JSON value)
    """Read a JSON file that groundtune wrote.

    Raises:
        DataError: It is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            "no such file", fix="check the path", where=str(path)
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"not JSON: {error}", fix="restore the file from a copy", where=str(path)
        ) from error


class JsonLinesLog:
    """A file of one JSON object per line that only grows.

    A line is acknowledged after fsync. A torn last line, left by a crash between
    write and acknowledgement, is cut off when the log is opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            # Unbuffered: a buffer would keep what a full disk refused, and retry it.
            self._stream = path.open("ab+", buffering=0)
            self._cut_torn_tail()
            if is_new:
                sync_folder(path.parent)

    def _cut_torn_tail(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._stream.truncate(whole)
            os.fsync(self._stream.fileno())

    def append(self, *values: Mapping[str, object]) -> None:
        """Add lines; when this returns they survive a power cut.

        Raises:
            StoreError: They could not be written; earlier lines stand.
        """
        lines = "".join(
            json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
            for value in values
        )
        end = self._stream.seek(0, os.SEEK_END)
        with explained(self.path):
            try:
                left = memoryview(lines.encode())
                while left:
                    left = left[self._stream.write(left) :]
                os.fsync(self._stream.fileno())
            except OSError:
                # A full disk may have taken half a line.
                self._stream.truncate(end)
                raise

    def close(self) -> None:
        """Release the file."""
        self._stream.close()


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a log that groundtune wrote; a torn last line is ignored.

    Raises:
        DataError: A whole line is not JSON.
    """
    if not path.exists():
        return []
    values: list[dict[str, Any]] = []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            values.append(json.loads(line))
        except ValueError as error:
            raise DataError(
                f"not JSON: {error}",
                fix="delete this line, or the file, and run the command again",
                where=f"{path}:{number}",
            ) from error
    return values


@contextmanager
def write_lock(path: Path) -> Generator[None]:
    """Hold the one right to write beside `path`; freed even by kill -9.

    Raises:
        StoreError: Another process holds it.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise StoreError(
                f"in use by another groundtune process (pid {holder})",
                fix="wait for it to end, or stop it",
                where=str(path.parent),
            ) from error
        # Who holds it is a courtesy, and a full disk may refuse it.
        with suppress(OSError):
            os.ftruncate(stream.fileno(), 0)
            os.write(stream.fileno(), str(os.getpid()).encode())
        yield
