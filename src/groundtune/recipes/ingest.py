"""The job `ingest`: files into a knowledge base, or a knowledge base up to date."""

from __future__ import annotations

import shutil
from itertools import chain
from typing import TYPE_CHECKING

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.core.protocols import silent
from groundtune.core.values import Document
from groundtune.data.read import find_documents, read_documents

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.data.read import UnreadableDocument
    from groundtune.data.sources import SourceFile
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.source import IngestReport
    from groundtune.retrieve.states import DocumentState

DEFAULT_EMBEDDER = "all-minilm-l6-v2"

_PROBE_CHARACTERS = 400
"""Of a passage, as the query that must find it again."""
_PROBE_K = 10

_PLAIN = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".csv", ".tsv"})
_TEXT_SHARE = 0.3
"""Text in a byte of a file that is not plain text."""
_STORED_PER_BYTE = 6.0
"""Bytes on the disk for a byte of text: itself twice, terms, index, and vectors."""
_ROOM = 2.2
"""Space that is needed while files are joined, for each byte that stays."""
_SPARE_BYTES = 16 << 20


def refuse(_going: int, _held: int) -> bool:
    """The answer to a mass delete where nobody can be asked."""
    return False


def agree(_going: int, _held: int) -> bool:
    """The answer to a mass delete where it was agreed to beforehand."""
    return True


def ingest(
    paths: Sequence[Path],
    *,
    kb: Path,
    model: str | Embedder = DEFAULT_EMBEDDER,
    splitter: SplitterSettings | None = None,
    progress: Progress = silent,
    delete: bool = False,
    retry_failed: bool = False,
    confirm: Callable[[int, int], bool] = refuse,
    exclude: Collection[Path] = (),
) -> IngestReport:
    """Make a knowledge base of the documents at `paths`, or bring one up to date.

    Documents are compared by content: unchanged ones are left alone, changed ones
    replaced, each as a whole, and moved ones keep their vectors. A document that cannot
    be read is reported in `failed`, and its earlier version stays; the others go in.

    Args:
        paths: Folders, files and what else `data.read.find_documents` takes.
        kb: Folder of the knowledge base; made where there is none.
        model: Embedding model by name or folder, or one that is open.
        splitter: How documents are cut; None: as they were, or the defaults.
        progress: Told of each document.
        delete: Also remove documents that are no longer at `paths`.
        retry_failed: Read only what failed or was not finished the last time.
        confirm: Asked before many documents are deleted, with how many go and how many
            there are.
        exclude: Files that are no documents, see `data.read.find_documents`.

    Raises:
        ConfigError: A mass delete was refused, or the options contradict each other.
        DataError: No document was found or none could be read; nothing was made.
        ModelLoadError: The model cannot be opened.
        DownloadError: The model is not here and cannot be fetched.
        StoreError: The knowledge base cannot be written, the disk has too little room,
            or another model made it.
    """
    if retry_failed and delete:
        raise ConfigError(
            "a retry looks at some documents only, so it cannot tell what is gone",
            fix="leave out --delete or --retry-failed",
            where="ingest",
        )
    # 1) Find and read. Nothing is made before one document is known to be readable.
    found = find_documents(paths, exclude=exclude)
    files = _unfinished(found.files, kb) if retry_failed else found.files
    items = read_documents(files)
    documents = items if retry_failed else _first_readable(items)

    # 2) Cut, embed and store what changed.
    return store(
        documents,
        files=files,
        kb=kb,
        model=model,
        splitter=splitter,
        progress=progress,
        present=frozenset(file.name for file in found.files),
        delete=delete,
        confirm=confirm,
    )


def store(
    documents: Iterable[Document | UnreadableDocument],
    *,
    files: Sequence[SourceFile],
    kb: Path,
    model: str | Embedder,
    splitter: SplitterSettings | None,
    progress: Progress,
    present: frozenset[str],
    delete: bool,
    confirm: Callable[[int, int], bool],
) -> IngestReport:
    """Bring a knowledge base up to date with documents as they are read.

    Args:
        documents: Read from `files`, in their order.
        files: All, or those that may have changed.
        kb: Folder of the knowledge base; made where there is none.
        model: Embedding model by name or folder, or one that is open.
        splitter: How documents are cut; None: as they were, or the defaults.
        progress: Told of each document.
        present: Names of everything at the source, changed or not.
        delete: Also remove documents whose names are not present.
        confirm: Asked before a mass delete.

    Raises:
        ConfigError: A mass delete was refused.
        ModelLoadError: The model cannot be opened.
        StoreError: See `ingest`.
    """
    # Loaded here, because switching is made of this module.
    from groundtune.recipes.optimization.switching import embedder_of
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.source import Source
    from groundtune.retrieve.states import files_elsewhere, read_states

    _require_room(kb, files, read_states(kb))
    embedder = open_embedding_model(embedder_of(kb, model), progress=progress)
    base = KnowledgeBase.create_or_open(kb, embedder=embedder, splitter=splitter)
    names = {file.name: file.path for file in files}
    source = Source(
        files=names,
        present=present - names.keys(),
        elsewhere=frozenset() if delete else files_elsewhere(kb) - present,
        confirm=confirm,
    )
    report = base.update(
        documents, delete_missing=delete, source=source, progress=progress
    )
    # Read back: what was stored last is found by its own words.
    if base.last_stored:
        _probe(base, embedder, document=base.last_stored)
    return report


def open_embedding_model(
    model: str | Embedder, *, progress: Progress = silent
) -> Embedder:
    """Open an embedding model by name, folder or `URL#NAME`; an open one stays itself.

    Raises:
        ModelLoadError: The model cannot be opened.
        ConfigError: The name of a model behind an endpoint is wrong.
        DownloadError: The model is not here and cannot be fetched.
    """
    from groundtune.retrieve.embed import open_named_embedder

    if not isinstance(model, str):
        return model
    return open_named_embedder(model, progress=progress)


def _unfinished(files: Sequence[SourceFile], kb: Path) -> list[SourceFile]:
    """Those that failed the last time, or that a stopped run did not come to."""
    from groundtune.retrieve.stamp import read_stamp
    from groundtune.retrieve.states import UNFINISHED, read_states

    read_stamp(kb)
    states = read_states(kb)
    wanted = {s.document for s in states.values() if s.state in UNFINISHED}
    return [file for file in files if file.name in wanted]


def _require_room(
    kb: Path, files: Sequence[SourceFile], states: Mapping[str, DocumentState]
) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        StoreError: It has not; nothing was written.
    """
    text = 0.0
    for file in files:
        try:
            size = file.path.stat().st_size
        except OSError:
            continue
        known = states.get(file.name)
        if known is None or known.bytes != size:
            is_plain = file.path.suffix.lower() in _PLAIN
            text += size if is_plain else size * _TEXT_SHARE
    needed = int(text * _STORED_PER_BYTE * _ROOM) + _SPARE_BYTES
    place = kb.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StoreError(
            f"the disk has {free >> 20} MiB free, and these documents may need "
            f"{needed >> 20} MiB",
            fix="free disk space, or ingest fewer documents at a time",
            where=str(kb),
        )


def _first_readable(
    items: Iterator[Document | UnreadableDocument],
) -> Iterable[Document | UnreadableDocument]:
    """The same items, once one of them is known to be a document.

    Raises:
        DataError: None is; the first one's reason.
    """
    failed: list[UnreadableDocument] = []
    empty: list[Document] = []
    for item in items:
        if isinstance(item, Document) and item.text.strip():
            return chain(failed, empty, [item], items)
        if isinstance(item, Document):
            empty.append(item)
        else:
            failed.append(item)
    if not failed:
        raise DataError(
            "the documents hold no text",
            fix="check the files; a scanned PDF has to go through OCR first",
        )
    error = failed[0].error
    others = f" ({len(failed)} documents failed)" if len(failed) > 1 else ""
    raise DataError(f"{error.problem}{others}", fix=error.fix, where=error.where)


def _probe(kb: KnowledgeBase, embedder: Embedder, *, document: str) -> None:
    """Search for the last passage of a document by its own words.

    Raises:
        StoreError: It is not found: the index does not hold what was stored.
    """
    from groundtune.retrieve.search import HybridRetriever

    passage = kb.passages(document)[-1]
    query = f"{passage.heading}\n{passage.text}"[:_PROBE_CHARACTERS]
    hits = HybridRetriever(kb, embedder).search(query, k=_PROBE_K)
    is_found = any(hit.passage.id == passage.id for hit in hits)
    # Near-duplicates may crowd it out, but then as many hits as asked for come.
    if not is_found and len(hits) < min(_PROBE_K, kb.count):
        raise StoreError(
            f"a passage of {document!r} was stored and is not found again",
            fix=f"groundtune kb rebuild {kb.path}",
            where=str(kb.path),
        )
