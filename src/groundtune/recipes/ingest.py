"""The job `ingest`: files into a knowledge base, or a knowledge base up to date."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import DataError, StoreError
from groundtune.core.protocols import silent
from groundtune.core.values import Document
from groundtune.data.read import find_documents, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.data.read import UnreadableDocument
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.update import IngestReport

DEFAULT_EMBEDDER = "all-minilm-l6-v2"

_PROBE_CHARACTERS = 400
"""Of a passage, as the query that must find it again."""
_PROBE_K = 10


def ingest(
    paths: Sequence[Path],
    *,
    kb: Path,
    model: str | Embedder = DEFAULT_EMBEDDER,
    splitter: SplitterSettings | None = None,
    progress: Progress = silent,
    delete: bool = False,
) -> IngestReport:
    """Make a knowledge base of the documents at `paths`, or bring one up to date.

    Unchanged documents are left alone, changed ones replaced, each as a whole. A
    document that cannot be read is reported in `failed`, and its earlier version
    stays; the others go in.

    Args:
        paths: Folders, searched at any depth, and files.
        kb: Folder of the knowledge base; made where there is none.
        model: Embedding model by name or folder, or one that is open.
        splitter: How documents are cut; None: the defaults.
        progress: Told of each document.
        delete: Also remove documents that are no longer at `paths`.

    Raises:
        DataError: No document was found or none could be read; nothing was made.
        ModelLoadError: The model cannot be opened.
        DownloadError: The model is not here and cannot be fetched.
        StoreError: The knowledge base cannot be written, or another model made it.
    """
    # 1) Find and read. Nothing is made before one document is known to be readable.
    found = find_documents(paths)
    documents = _first_readable(read_documents(found.files))

    # 2) Cut, embed and store what changed.
    base, embedder = _open(kb, model, splitter or SplitterSettings(), progress)
    report = base.update(documents, delete_missing=delete, progress=progress)

    # 3) Read back: what was stored last is found by its own words.
    if base.last_stored:
        _probe(base, embedder, document=base.last_stored)
    return report


def _open(
    kb: Path,
    model: str | Embedder,
    splitter: SplitterSettings,
    progress: Progress,
) -> tuple[KnowledgeBase, Embedder]:
    from groundtune.retrieve.index import KnowledgeBase

    embedder = open_embedding_model(model, progress=progress)
    base = KnowledgeBase.create_or_open(kb, embedder=embedder, splitter=splitter)
    return base, embedder


def open_embedding_model(
    model: str | Embedder, *, progress: Progress = silent
) -> Embedder:
    """Open an embedding model by name or folder; one that is open is passed through.

    Raises:
        ModelLoadError: The model cannot be opened.
        DownloadError: The model is not here and cannot be fetched.
    """
    from groundtune.retrieve.embed import open_embedder
    from groundtune.store.models import open_model

    if not isinstance(model, str):
        return model
    return open_embedder(open_model(model, kind="embedder", progress=progress))


def _first_readable(
    items: Iterator[Document | UnreadableDocument],
) -> Iterable[Document | UnreadableDocument]:
    """The same items, once one of them is known to be a document.

    Raises:
        DataError: None is; the first one's reason.
    """
    failed: list[UnreadableDocument] = []
    for item in items:
        if isinstance(item, Document) and item.text.strip():
            return chain(failed, [item], items)
        if not isinstance(item, Document):
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
            fix="delete the knowledge base and ingest again",
            where=str(kb.path),
        )
