"""Files and folders to documents: the edge of the data room.

Finds what can be read, reads it, and turns whatever goes wrong into an error that names
the file and the remedy. What a format means stands in `read_*.py`, how a source lists
its files in `sources.py`.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import DataError
from groundtune.data.formats import READERS, readable_extensions
from groundtune.data.metadata import is_sidecar
from groundtune.data.sandbox import Sandbox
from groundtune.data.sources import (
    SourceFile,
    files_in,
    git_index,
    is_pattern,
    is_sitemap,
    listed_files,
    listed_paths,
    matching_files,
    sitemap_files,
)
from groundtune.data.squad import is_squad

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import TextIO

    from groundtune.core.values import Document

STANDARD_INPUT = Path("-")
"""Stands for a list of paths that comes in on standard input."""


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


def find_documents(
    paths: Sequence[Path],
    *,
    exclude: Collection[Path] = (),
    listing: TextIO | None = None,
) -> FoundDocuments:
    """Find the readable files of all sources named.

    A path may be a folder (searched at any depth; of a git checkout the tracked files),
    a file, a pattern such as `docs/**/*.md`, a sitemap in XML, whose addresses are
    looked for beside it, or `-` for a list of paths on standard input. Hidden files and
    sidecars are passed over.

    Args:
        paths: The sources.
        exclude: Files that are no documents though they lie among them: the labelled
            cases that the documents are tested with. SQuAD JSON is both and stays, for
            only its paragraphs are read; so does a file that is named itself.
        listing: What `-` reads; standard input if not given.

    Raises:
        DataError: A path is missing, a named file has no reader, nothing readable was
            found, or two files would have one id.
    """
    found: dict[Path, SourceFile] = {}
    skipped: Counter[str] = Counter()
    left_out = {path.resolve() for path in exclude}
    for path in paths:
        for file in _files(path, listing):
            key = file.path.resolve()
            is_left_out = key in left_out and file.path != path
            if (is_left_out and not is_squad(key)) or is_sidecar(file.path):
                continue
            if _is_readable(file.path):
                found.setdefault(key, file)
            elif file.path == path:
                raise _no_reader(path)
            else:
                skipped[file.path.suffix.lower()] += 1
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
    """Read a file that is one document; its id is its path below `root`.

    Args:
        path: A file of a kind that `formats` lists.
        root: A folder above it.
        sandbox: Where it is parsed; one for this call if not given.

    Raises:
        DataError: The file is missing, of another kind, not readable, or holds several
            documents.
    """
    name = SourceFile(path, root).name
    with ExitStack() as stack:
        box = sandbox or stack.enter_context(Sandbox())
        return box.read(path, name=name)


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
                documents = box.read_all(file.path, name=file.name)
            except DataError as error:
                yield UnreadableDocument(file.name, error)
                continue
            for document in documents:
                # What the file itself says stands before what the source says of it.
                metadata = {**dict(file.metadata), **document.metadata}
                yield replace(document, metadata=metadata)


def _files(path: Path, listing: TextIO | None) -> Iterator[SourceFile]:
    """The files of one source.

    Raises:
        DataError: It is missing or not readable.
    """
    if path == STANDARD_INPUT:
        yield from listed_files(listed_paths(listing or sys.stdin))
    elif path.is_dir():
        for file in files_in(path):
            yield SourceFile(file, path)
    elif is_sitemap(path):
        yield from sitemap_files(path)
    elif path.is_file():
        yield SourceFile(path, path.parent)
    elif is_pattern(path):
        yield from matching_files(path)
    else:
        raise DataError("no such file or folder", fix="check the path", where=str(path))


def _is_readable(path: Path) -> bool:
    return path.suffix.lower() in READERS


def _no_reader(path: Path) -> DataError:
    return DataError(
        "no reader for this file",
        fix=f"convert it to one of {readable_extensions()}",
        where=str(path),
    )


def _nothing_found(paths: Sequence[Path], skipped: Counter[str]) -> DataError:
    others = ", ".join(
        f"{count} {suffix or 'without extension'}"
        for suffix, count in skipped.most_common(5)
    )
    checkout = " that git tracks" if any(map(git_index, paths)) else ""
    return DataError(
        f"no documents found{checkout}" + (f" (only {others})" if others else ""),
        fix=f"put files there that can be read: {readable_extensions()}"
        + ("; and `git add` them" if checkout else ""),
        where=", ".join(map(str, paths)),
    )
