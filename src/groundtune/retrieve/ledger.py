"""The ledger: one line for each acknowledged commit, with the hash of every new file.

The engine keeps no checksums and never changes a file that it has written. So the size
and SHA-256 of each file are noted when its commit is made durable, and a file that is
not what was noted is damaged. What a commit holds is not known here.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import DataError, StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.store.files import (
    JsonLinesLog,
    explained,
    read_json_lines,
    write_atomic,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FIRST_TABLES = "lance"
"""Name of the first folder of tables; a rebuild makes `lance-2` and so on."""

MARK = "acknowledged"
"""File beside the ledger with the newest version once more: a ledger that has lost its
last lines is noticed by it. It is not synced: older than the ledger it does no harm."""
_MARK_BYTES = 64

_WRITTEN_ONCE = ("data", "_deletions", "_indices", "_transactions", "_versions")
"""Folders of a table whose files never change; others are not noted."""


class FileSum(NamedTuple):
    """What a file was when it was acknowledged."""

    size: int
    sha256: str


class Ledger:
    """The acknowledged commits of one folder of tables.

    Several folders of tables may stand in one file, one after the other: that of a
    rebuild that was stopped, say. Each line names its own.
    """

    def __init__(self, path: Path, *, tables: str) -> None:
        self.path = path
        self._tables = tables
        self._log: JsonLinesLog | None = None
        self.version = 0
        """Newest version of the table that a writer reported as durable."""
        self.files: dict[str, FileSum] = {}
        """Each acknowledged file, by its path below the folder of tables."""
        self.reload()

    @property
    def is_open(self) -> bool:
        """Whether this process may add lines."""
        return self._log is not None

    def reload(self) -> None:
        """Read what has been acknowledged so far.

        Raises:
            StoreError: The file is damaged.
        """
        self.version, self.files = 0, {}
        for line in _lines(self.path):
            if line.get("tables", FIRST_TABLES) != self._tables:
                continue
            try:
                self.version = max(self.version, int(line["version"]))
                for name, (size, digest) in line.get("files", {}).items():
                    self.files[name] = FileSum(int(size), str(digest))
            except (KeyError, TypeError, ValueError) as error:
                raise _damaged(self.path, repr(error)) from error
        if not self.version or self.version < self._marked():
            raise _damaged(self.path, "its last lines are missing")

    def open(self) -> None:
        """Make ready for adding lines; the caller holds the right to write."""
        self._log = JsonLinesLog(self.path)
        self.reload()

    def close(self) -> None:
        """Stop adding lines."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def acknowledge(
        self, version: int, *, documents: int, root: Path, new: Iterable[Path]
    ) -> None:
        """Note a commit whose files are durable; when this returns, so is the note.

        Args:
            version: Of the table, after the commit.
            documents: How many the commit held.
            root: The folder of tables.
            new: Files below it that were made durable for this commit.

        Raises:
            StoreError: It could not be written.
        """
        assert self._log is not None, "inside `writing`"
        sums = file_sums(root, new)
        self._log.append(self._line(version, sums, documents=documents))
        self.version = max(self.version, version)
        self.files.update(sums)
        self._mark()

    @classmethod
    def begin(
        cls, path: Path, *, tables: str, version: int, root: Path, files: Iterable[Path]
    ) -> None:
        """Write the first line for tables that were just made durable.

        Raises:
            StoreError: It could not be written.
        """
        line = ledger_line(tables, version, file_sums(root, files), documents=0)
        log = JsonLinesLog(path)
        try:
            log.append(line)
        finally:
            log.close()

    def _marked(self) -> int:
        """The version that stands in the mark; 0 where it says nothing of these."""
        try:
            raw = (self.path.parent / MARK).read_text(encoding="ascii")
            tables, version = raw.split()
            return int(version) if tables == self._tables else 0
        except (OSError, ValueError):
            return 0

    def _mark(self) -> None:
        text = f"{self._tables} {self.version}".ljust(_MARK_BYTES - 1) + "\n"
        # A full disk must not spoil what is acknowledged already.
        with suppress(OSError):
            handle = os.open(self.path.parent / MARK, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)

    def shorten(self, root: Path) -> None:
        """Forget files that are gone: one line for this folder of tables.

        Args:
            root: The folder of tables; lines of those beside it stay.

        Raises:
            StoreError: It could not be written; the old file stands.
        """
        assert self._log is not None, "inside `writing`"
        self.files = {n: s for n, s in self.files.items() if (root / n).exists()}
        beside = {path.name for path in root.parent.iterdir()} - {self._tables}
        lines = [
            line
            for line in _lines(self.path)
            if line.get("tables", FIRST_TABLES) in beside
        ]
        lines.append(self._line(self.version, self.files, documents=0))
        self._log.close()
        try:
            write_atomic(self.path, ledger_text(lines))
        finally:
            self._log = JsonLinesLog(self.path)

    def _line(
        self, version: int, sums: Mapping[str, FileSum], *, documents: int
    ) -> dict[str, Any]:
        return ledger_line(self._tables, version, sums, documents=documents)


def ledger_line(
    tables: str, version: int, sums: Mapping[str, FileSum], *, documents: int
) -> dict[str, Any]:
    """One line of the ledger, as it is written."""
    return {
        "tables": tables,
        "version": version,
        "documents": documents,
        "files": {name: list(found) for name, found in sorted(sums.items())},
    }


def ledger_text(lines: Iterable[Mapping[str, Any]]) -> str:
    """A whole ledger."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def tables_named(path: Path) -> set[str]:
    """Every folder of tables that a ledger has ever named.

    Raises:
        StoreError: The file is damaged.
    """
    return {str(line.get("tables", FIRST_TABLES)) for line in _lines(path)}


def file_sums(root: Path, files: Iterable[Path]) -> dict[str, FileSum]:
    """Size and hash of those among `files` that never change once written.

    Raises:
        StoreError: A file cannot be read.
    """
    found: dict[str, FileSum] = {}
    with explained(root):
        for file in files:
            if is_written_once(root, file):
                name = file.relative_to(root).as_posix()
                found[name] = FileSum(file.stat().st_size, file_sha256(file))
    return found


def is_written_once(root: Path, file: Path) -> bool:
    """Whether a file of the engine stays as it is until it is deleted."""
    parts = file.relative_to(root).parts
    if len(parts) < 3 or parts[1] not in _WRITTEN_ONCE:
        return False
    return parts[1] != "_versions" or file.suffix == ".manifest"


def check_file(root: Path, name: str, *, expected: FileSum, content: bool) -> None:
    """Compare a file with what was noted of it; one that is gone passes.

    The engine deletes files that no version needs any more.

    Args:
        root: The folder of tables.
        name: The file's path below it.
        expected: What was noted.
        content: Also read the file and compare its hash.

    Raises:
        StoreError: It is damaged.
    """
    file = root / name
    try:
        size = file.stat().st_size
        is_same = size == expected.size and (
            not content or file_sha256(file) == expected.sha256
        )
    except FileNotFoundError:
        return
    except OSError as error:
        raise _changed(file, error.strerror or str(error)) from error
    if not is_same:
        raise _changed(file, "its content is not what was written")


def _changed(file: Path, why: str) -> StoreError:
    return StoreError(
        f"a file of the knowledge base is damaged: {why}",
        fix="see what is left with `groundtune kb verify`, then `groundtune kb "
        "rebuild` or `groundtune kb restore`",
        where=str(file),
    )


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the ledger is damaged: {why}",
        fix="see what is left with `groundtune kb verify`, then `groundtune kb "
        "rebuild` or `groundtune kb restore`",
        where=str(path),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = read_json_lines(path)
    except (DataError, OSError) as error:
        raise _damaged(path, getattr(error, "problem", str(error))) from error
    for line in lines:
        # A line that is JSON but no object, say after a flipped bit.
        if not isinstance(line, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _damaged(path, "a line is not an object")
    return lines
