"""Documents into the table: cut, embedded, and several of them in one commit.

First the texts are written, then a commit makes them visible: whatever stops it, each
document is as it was or as it should become. While one batch is embedded, in a thread
that does nothing else, the one before is committed and the next is read and cut. Which
documents need it is decided in `update`, and in `rebuild` that is all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Self

    import numpy as np
    import numpy.typing as npt

    from groundtune.retrieve.index import KnowledgeBase

BATCH_PASSAGES = 256
"""Passages after which a commit is made; the document at hand is finished first."""
_SYNCS_AT_ONCE = 8
"""Files made durable together; the disk joins what comes at the same time."""
_TEXTS_AT_ONCE = 64
"""Texts given to the embedder in one call; who gives up waits for one such call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Documents of one commit, on their way through the embedder."""

    documents: list[PreparedDocument]
    replaced: list[str]
    known: dict[str, npt.NDArray[np.float32]]
    """Vectors of texts that were stored before."""
    fresh: list[list[str]]
    """The other texts, as they were given to the embedder."""
    encoding: list[Future[npt.NDArray[np.float32]]]
    """What becomes of each of these."""

    def vectors(self) -> npt.NDArray[np.float32]:
        """A vector for each passage; waits for them."""
        import numpy as np

        vectors = dict(self.known)
        for texts, rows in zip(self.fresh, self.encoding, strict=True):
            vectors.update(zip(texts, rows.result(), strict=True))
        return np.stack([vectors[text] for text in _texts(self.documents)])


class DocumentWriter:
    """Queues documents for one knowledge base, inside `kb.session`.

    Use it as a context manager: whoever leaves without `flush` gives up what no commit
    holds yet. All but embedding happens in the thread that calls.

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
        self._ahead: _Batch | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self.stored = {known.id: known for known in kb.documents()}
        """What the table holds, kept in step with each commit."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.shutdown(cancel_futures=True)

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
            self._start()

    def flush(self) -> None:
        """Commit what is queued.

        Raises:
            StoreError: It could not be written; each document is as it was.
        """
        self._start()
        if self._ahead is not None:
            batch, self._ahead = self._ahead, None
            self._commit(batch)

    def _start(self) -> None:
        """Have what is queued embedded, and meanwhile commit what came before it."""
        if not self._batch:
            return
        documents, self._batch = self._batch, []
        replaced, self._replaced = self._replaced, []
        self._before(documents)
        batch, self._ahead = self._ahead, self._embed(documents, replaced)
        if batch is not None:
            self._commit(batch)

    def _commit(self, batch: _Batch) -> None:
        vectors_P_D = batch.vectors()
        documents, replaced = batch.documents, batch.replaced
        # Before the commit: a visible passage always has its document.
        write_blobs(self._kb, documents)
        names = [document.id for document in documents]
        rows = to_table(documents, vectors_P_D)
        if replaced or not self.stored.keys().isdisjoint(names):
            self._kb.replace(rows, documents=names + replaced)
        else:
            self._kb.append(rows, documents=len(names))
        self._after(documents, replaced)
        self._kb.last_stored = names[-1]
        for name in replaced:
            del self.stored[name]
        for document in documents:
            self.stored[document.id] = StoredDocument(
                document.id,
                document.content,
                document.text_hash,
                document.source,
                len(document.passages),
            )

    def _embed(self, documents: list[PreparedDocument], replaced: list[str]) -> _Batch:
        """Give all passages to the embedder but those whose text has a vector."""
        older = [document.id for document in documents if document.id in self.stored]
        known: dict[str, npt.NDArray[np.float32]] = {}
        if names := [*older, *replaced]:
            rows = self._kb.read(["search_text", "vector"], where=keys_filter(names))
            found_P_D = vectors_of(rows, dim=self._embedder.dim)
            stored = rows.column("search_text").to_pylist()
            known = dict(zip(stored, found_P_D, strict=True))
        texts = dict.fromkeys(_texts(documents))
        # Longest first over all calls, as within each: few processors wait at the end.
        new = sorted((t for t in texts if t not in known), key=len, reverse=True)
        fresh = [
            new[start : start + _TEXTS_AT_ONCE]
            for start in range(0, len(new), _TEXTS_AT_ONCE)
        ]
        return _Batch(
            documents=documents,
            replaced=replaced,
            known=known,
            fresh=fresh,
            encoding=[self._thread.submit(self._embedder.encode, t) for t in fresh],
        )


def _texts(documents: Iterable[PreparedDocument]) -> list[str]:
    return [search_text(cut) for document in documents for cut in document.passages]


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
