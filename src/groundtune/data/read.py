"""Files and folders to documents: the edge of the data room.

Finds what can be read, reads it, and turns whatever goes wrong into an error that names
the file and the remedy. What a format means stands in `read_*.py`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import DataError
from groundtune.data.formats import READERS, SANDBOXED, parse, readable_extensions
from groundtune.data.sandbox import Sandbox
from groundtune.data.squad import is_squad, read_squad_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from groundtune.core.values import Document


class SourceFile(NamedTuple):
    """A file to read, and the folder that its document's id is relative to."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        """The id of its document: the path below `root`, with `/`."""
        return self.path.relative_to(self.root).as_posix()


class FoundDocuments(NamedTuple):
    """What a search for documents found."""

    files: tuple[SourceFile, ...]
    """Sorted by name, no file twice."""
    skipped: dict[str, int]
    """How many files of each extension that nothing reads ("" for none)."""


class UnreadableDocument(NamedTuple):
    """A file that could not be read, and why."""

    name: str
    error: DataError


def find_documents(paths: Sequence[Path]) -> FoundDocuments:
    """Find the readable files in folders, at any depth, and among the files named.

    Hidden files and folders are passed over. A JSON file counts where it is SQuAD.

    Raises:
        DataError: A path is missing, a named file has no reader, nothing readable was
            found, or two files would have one id.
    """
    found: dict[Path, SourceFile] = {}
    skipped: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            for file in sorted(_files(path)):
                if _is_readable(file):
                    found.setdefault(file.resolve(), SourceFile(file, path))
                else:
                    skipped[file.suffix.lower()] += 1
        elif path.is_file():
            if not _is_readable(path):
                raise _no_reader(path)
            found.setdefault(path.resolve(), SourceFile(path, path.parent))
        else:
            raise DataError(
                "no such file or folder", fix="check the path", where=str(path)
            )
    if not found:
        raise _nothing_found(paths, skipped)
    files = sorted(found.values(), key=lambda file: file.name)
    for one, other in pairwise(files):
        if one.name == other.name:
            raise DataError(
                f"two documents would be named {one.name!r}",
                fix="give one folder that holds both",
                where=f"{one.path} and {other.path}",
            )
    return FoundDocuments(tuple(files), dict(sorted(skipped.items())))


def read_document(
    path: Path, *, root: Path, sandbox: Sandbox | None = None
) -> Document:
    """Read one file; its id is its path below `root`.

    Args:
        path: A text, Markdown, HTML or PDF file.
        root: A folder above it.
        sandbox: Where HTML and PDF are parsed; one for this call if not given.

    Raises:
        DataError: The file is missing, of another kind, or not readable.
    """
    name = SourceFile(path, root).name
    if path.suffix.lower() not in SANDBOXED:
        return parse(path, name=name)
    if sandbox is not None:
        return sandbox.read(path, name=name)
    with Sandbox() as own:
        return own.read(path, name=name)


def read_documents(
    files: Sequence[SourceFile], *, sandbox: Sandbox | None = None
) -> Iterator[Document | UnreadableDocument]:
    """Read files in the order given; one that fails is reported and passed over.

    A SQuAD file gives one document for each of its articles.
    """
    with ExitStack() as stack:
        box = sandbox or stack.enter_context(Sandbox())
        for file in files:
            try:
                if file.path.suffix.lower() == ".json":
                    yield from read_squad_documents(file.path)
                else:
                    yield read_document(file.path, root=file.root, sandbox=box)
            except DataError as error:
                yield UnreadableDocument(file.name, error)


def _files(folder: Path) -> Iterator[Path]:
    """Files below `folder`; links to folders are not followed, so it ends."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _files(entry)
        elif entry.is_file():
            yield entry


def _is_readable(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in READERS or (suffix == ".json" and is_squad(path))


def _no_reader(path: Path) -> DataError:
    what = "a JSON file that is not SQuAD" if path.suffix == ".json" else "this file"
    return DataError(
        f"no reader for {what}",
        fix=f"convert it to one of {readable_extensions()}, or to SQuAD .json",
        where=str(path),
    )


def _nothing_found(paths: Sequence[Path], skipped: Counter[str]) -> DataError:
    others = ", ".join(
        f"{count} {suffix or 'without extension'}"
        for suffix, count in skipped.most_common(5)
    )
    return DataError(
        "no documents found" + (f" (only {others})" if others else ""),
        fix=f"put files there that can be read: {readable_extensions()}, SQuAD .json",
        where=", ".join(map(str, paths)),
    )
