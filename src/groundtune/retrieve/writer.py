"""Documents into the table: cut, embedded, and several of them in one commit.

First the texts are written, then a commit makes them visible: whatever stops it, each
document is as it was or as it should become. Which documents need it is decided in
`update`, and in `rebuild` that is all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.data.splitter import split_document
from groundtune.retrieve.schema import (
    PreparedDocument,
    StoredDocument,
    keys_filter,
    search_text,
    to_table,
    unpack_document,
    vectors_of,
)
from groundtune.store.files import explained, replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from groundtune.retrieve.index import KnowledgeBase

BATCH_PASSAGES = 256
"""Passages after which a commit is made; the document at hand is finished first."""
_SYNCS_AT_ONCE = 8
"""Files made durable together; the disk joins what comes at the same time."""


class DocumentWriter:
    """Queues documents for one knowledge base, inside `kb.session`.

    Args:
        kb: Opened with an embedder.
        before: Told which documents are about to be embedded.
        after: Told which documents a commit holds, and whose names they took.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        *,
        before: Callable[[Sequence[PreparedDocument]], None],
        after: Callable[[Sequence[PreparedDocument], Sequence[str]], None],
    ) -> None:
        assert kb.embedder is not None, "opened for writing"
        self._kb = kb
        self._embedder = kb.embedder
        self._before = before
        self._after = after
        self._batch: list[PreparedDocument] = []
        self._replaced: list[str] = []
        self.stored = {known.id: known for known in kb.documents()}
        """What the table holds, kept in step with each commit."""

    def add(self, prepared: PreparedDocument, *, instead_of: str = "") -> None:
        """Cut a document and queue it; `instead_of` goes in the same commit.

        Raises:
            StoreError: What was queued could not be written.
        """
        shell = StoredDocument(
            prepared.id, prepared.content, prepared.text_hash, prepared.source, 0
        )
        passages = split_document(
            unpack_document(prepared.blob, known=shell),
            tokenizer=self._embedder.tokenizer,
            settings=self._kb.stamp.splitter,
        )
        assert passages, "a document with text has a passage"
        self._batch.append(replace(prepared, passages=tuple(passages)))
        if instead_of:
            self._replaced.append(instead_of)
        if sum(len(queued.passages) for queued in self._batch) >= BATCH_PASSAGES:
            self.flush()

    def flush(self) -> None:
        """Commit what is queued.

        Raises:
            StoreError: It could not be written; each document is as it was.
        """
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        replaced, self._replaced = self._replaced, []
        self._before(batch)
        vectors_P_D = self._embed(batch, replaced)
        # Before the commit: a visible passage always has its document.
        write_blobs(self._kb, batch)
        names = [document.id for document in batch]
        rows = to_table(batch, vectors_P_D)
        if replaced or not self.stored.keys().isdisjoint(names):
            self._kb.replace(rows, documents=names + replaced)
        else:
            self._kb.append(rows, documents=len(names))
        self._after(batch, replaced)
        self._kb.last_stored = names[-1]
        for name in replaced:
            del self.stored[name]
        for document in batch:
            self.stored[document.id] = StoredDocument(
                document.id,
                document.content,
                document.text_hash,
                document.source,
                len(document.passages),
            )

    def _embed(
        self, batch: Sequence[PreparedDocument], replaced: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """A vector for each passage; those of unchanged texts are taken over."""
        import numpy as np

        texts = [search_text(cut) for document in batch for cut in document.passages]
        older = [document.id for document in batch if document.id in self.stored]
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        if names := [*older, *replaced]:
            rows = self._kb.read(["search_text", "vector"], where=keys_filter(names))
            found_P_D = vectors_of(rows, dim=self._embedder.dim)
            known = rows.column("search_text").to_pylist()
            vectors = dict(zip(known, found_P_D, strict=True))
        fresh = [text for text in dict.fromkeys(texts) if text not in vectors]
        vectors.update(zip(fresh, self._embedder.encode(fresh), strict=True))
        return np.stack([vectors[text] for text in texts])


def write_blobs(kb: KnowledgeBase, documents: Iterable[PreparedDocument]) -> None:
    """Write the texts of documents, each under the name of its content.

    Raises:
        StoreError: The disk refused; no file of another content was touched.
    """
    blobs = {kb.blob_path(d.content): d.blob.encode() for d in documents}
    new = {path: raw for path, raw in blobs.items() if not _holds(path, raw)}
    if not new:
        return
    folder = kb.path / "documents"
    with explained(folder):
        folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
            for _ in pool.map(replace_file, new, new.values()):
                pass
        sync_folder(folder)


def _holds(path: Path, raw: bytes) -> bool:
    try:
        return path.stat().st_size == len(raw) and path.read_bytes() == raw
    except OSError:
        return False
