"""The job `ingest --watch`: a knowledge base follows its sources until it is stopped.

Files are looked at by size and time, which costs little; what that shows as changed is
read and compared by content, as in every ingest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.core.protocols import silent
from groundtune.data.read import STANDARD_INPUT, find_documents, read_documents
from groundtune.recipes.ingest import (
    DEFAULT_EMBEDDER,
    ingest,
    open_embedding_model,
    refuse,
    store,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.errors import GroundtuneError
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.data.sources import SourceFile
    from groundtune.retrieve.source import IngestReport

INTERVAL_SECONDS = 2.0
SETTLE_SECONDS = 0.5
"""Nothing may have changed for so long: a file may still be written."""

_Stat = tuple[int, int]


class _Look(NamedTuple):
    """The sources at one moment."""

    documents: Mapping[Path, SourceFile]
    stats: Mapping[Path, _Stat]
    """Of the documents, and of what lies beside them: that may be metadata."""


def watch(
    paths: Sequence[Path],
    *,
    kb: Path,
    stop: threading.Event,
    model: str | Embedder = DEFAULT_EMBEDDER,
    delete: bool = False,
    confirm: Callable[[int, int], bool] = refuse,
    on_error: Callable[[GroundtuneError], None],
    interval: float = INTERVAL_SECONDS,
    settle: float = SETTLE_SECONDS,
    progress: Progress = silent,
) -> Iterator[IngestReport]:
    """Ingest now, and again whenever the sources change; one report each time.

    Args:
        paths: As for `ingest`; standard input cannot be followed.
        kb: Folder of the knowledge base.
        stop: Set to end it; an update that has begun is finished first.
        model: Embedding model by name or folder, or one that is open.
        delete: Also remove documents that are gone.
        confirm: Asked before a mass delete.
        on_error: Told what an update could not do; it is tried again when something
            changes.
        interval: Seconds between two looks.
        settle: Seconds without a change before an update.
        progress: Told of each document.

    Raises:
        ConfigError: Standard input is among the paths.
        GroundtuneError: What the first ingest raises.
    """
    from groundtune.recipes.optimization.switching import embedder_of

    if STANDARD_INPUT in paths:
        raise ConfigError(
            "a list on standard input cannot be followed",
            fix="name the files and folders themselves",
            where="ingest --watch",
        )
    embedder = open_embedding_model(embedder_of(kb, model), progress=progress)
    before = _look(paths)
    yield ingest(
        paths,
        kb=kb,
        model=embedder,
        delete=delete,
        confirm=confirm,
        progress=progress,
    )
    told = ""
    while not stop.wait(interval):
        try:
            now = _look(paths)
            if now == before:
                continue
            while not stop.wait(settle) and (later := _look(paths)) != now:
                now = later
            files, is_gone = _changed(before, now)
            if files or (is_gone and delete):
                yield store(
                    read_documents(files),
                    files=files,
                    kb=kb,
                    model=embedder,
                    splitter=None,
                    progress=progress,
                    present=frozenset(file.name for file in now.documents.values()),
                    delete=delete,
                    confirm=confirm,
                )
            before, told = now, ""
        except (ConfigError, DataError) as error:
            # Such as a folder that was emptied: that changes nothing.
            on_error(error)
            before = _look_or_nothing(paths)
        except StoreError as error:
            # Another process is writing, say: tried again, but not told again.
            if error.problem != told:
                on_error(error)
            told = error.problem


def _look(paths: Sequence[Path]) -> _Look:
    """Documents and what lies in their folders.

    Raises:
        DataError: There is no document.
    """
    documents = {file.path: file for file in find_documents(paths).files}
    stats: dict[Path, _Stat] = {}
    for folder in {path.parent for path in documents}:
        for entry in folder.iterdir():
            if entry.name.startswith(".") or (entry.is_dir()):
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            stats[entry] = (found.st_mtime_ns, found.st_size)
    return _Look(documents, stats)


def _look_or_nothing(paths: Sequence[Path]) -> _Look:
    """See `_look`; nothing where there is nothing."""
    try:
        return _look(paths)
    except DataError:
        return _Look({}, {})


def _changed(before: _Look, now: _Look) -> tuple[list[SourceFile], bool]:
    """Documents to read again, and whether one is gone."""
    every = before.stats.keys() | now.stats.keys()
    moved = {p for p in every if before.stats.get(p) != now.stats.get(p)}
    # What is no document may be metadata of those in its folder.
    beside = {
        path.parent
        for path in moved
        if path not in now.documents and path not in before.documents
    }
    files = [
        file
        for path, file in now.documents.items()
        if path in moved or path.parent in beside
    ]
    return files, bool(before.documents.keys() - now.documents.keys())
