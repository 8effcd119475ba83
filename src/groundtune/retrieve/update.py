"""Bringing a knowledge base up to date: what changed, and in which commits.

Documents are compared by content, changed ones are cut and embedded, and several go
into one commit; a document is never spread over two. Storage is in `index`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import Document
from groundtune.data.splitter import split_document
from groundtune.retrieve.schema import (
    PreparedDocument,
    StoredDocument,
    keys_filter,
    pack_document,
    search_text,
    to_table,
    unpack_document,
    vectors_of,
)
from groundtune.store.files import explained, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Progress
    from groundtune.data.read import UnreadableDocument
    from groundtune.retrieve.index import KnowledgeBase

BATCH_PASSAGES = 256
"""Passages after which a commit is made; the document at hand is finished first."""


class FailedDocument(NamedTuple):
    """A document that did not go in, and why. Its earlier version stays."""

    document: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an update did, counted in documents."""

    added: int
    updated: int
    moved: int
    """Same text under another name; the old name is gone."""
    deleted: int
    unchanged: int
    passages: int
    """Passages in the knowledge base now."""
    failed: tuple[FailedDocument, ...] = ()


def update(
    kb: KnowledgeBase,
    documents: Iterable[Document | UnreadableDocument],
    *,
    delete_missing: bool,
    progress: Progress,
) -> IngestReport:
    """Write what is new or changed; leave the rest alone.

    A document under a new name whose text belonged to a document that is not among
    `documents` is that document, moved. A document that could not be read keeps its
    stored version, whatever `delete_missing` says.

    Args:
        kb: Opened with `create_or_open`.
        documents: Read one at a time; each id once.
        delete_missing: Remove documents that are not among these.
        progress: Told of each document.

    Raises:
        StoreError: The disk refused, or another process is writing. Each document is
            as it was before, or as it should become.
    """
    with kb.writing():
        return _Update(kb, progress).run(documents, delete_missing=delete_missing)


class _Update:
    def __init__(self, kb: KnowledgeBase, progress: Progress) -> None:
        assert kb.embedder is not None, "opened for writing"
        self.kb = kb
        self.embedder = kb.embedder
        self.progress = progress
        self.stored = {known.id: known for known in kb.documents()}
        self.seen: set[str] = set()
        self.failed: list[FailedDocument] = []
        self.unreadable: set[str] = set()
        self.batch: list[PreparedDocument] = []
        self.replaced: list[str] = []
        self.counts = dict.fromkeys(
            ("added", "updated", "moved", "deleted", "unchanged"), 0
        )
        self.is_changed = False

    def run(
        self,
        documents: Iterable[Document | UnreadableDocument],
        *,
        delete_missing: bool,
    ) -> IngestReport:
        by_text = {known.text_hash: known.id for known in self.stored.values()}
        maybe_moved: list[PreparedDocument] = []
        for done, item in enumerate(documents, start=1):
            self.progress("ingest", done, None)
            prepared = self._take(item)
            if prepared is None:
                continue
            if prepared.id not in self.stored and prepared.text_hash in by_text:
                # Whether the other name is still in use is known at the end.
                write_atomic(self.kb.blob_path(prepared.content), prepared.blob)
                maybe_moved.append(replace(prepared, blob=""))
            else:
                self._add(prepared)
        self._move(maybe_moved)
        self._flush()
        if delete_missing:
            self._delete(sorted(self._missing()))
        if self.is_changed or not self.kb.is_indexed():
            self.progress("index", 0, 1)
            self.kb.index()
            self.progress("index", 1, 1)
        self._clean()
        return IngestReport(
            **self.counts,
            passages=self._passages(),
            failed=tuple(self.failed),
        )

    def _take(self, item: Document | UnreadableDocument) -> PreparedDocument | None:
        """The document if it has to be written; otherwise it is counted here."""
        if not isinstance(item, Document):
            error = item.error
            why = f"{error.problem} (fix: {error.fix})"
            self.failed.append(FailedDocument(item.name, why))
            # A file of several documents names them by its last part only.
            self.unreadable |= {item.name, item.name.rsplit("/", 1)[-1]}
            return None
        if item.id in self.seen:
            self.failed.append(FailedDocument(item.id, "another document has this id"))
            return None
        self.seen.add(item.id)
        if not item.text.strip():
            self.failed.append(FailedDocument(item.id, "holds no text"))
            return None
        prepared = pack_document(item)
        known = self.stored.get(item.id)
        if known is not None and known.content == prepared.content:
            self.counts["unchanged"] += 1
            return None
        return prepared

    def _add(self, prepared: PreparedDocument, *, instead_of: str = "") -> None:
        """Cut a document and queue it; `instead_of` goes in the same commit."""
        shell = StoredDocument(
            prepared.id, prepared.content, prepared.text_hash, prepared.source, 0
        )
        passages = split_document(
            unpack_document(prepared.blob, known=shell),
            tokenizer=self.embedder.tokenizer,
            settings=self.kb.stamp.splitter,
        )
        assert passages, "a document with text has a passage"
        self.batch.append(replace(prepared, passages=tuple(passages)))
        if instead_of:
            self.replaced.append(instead_of)
        if sum(len(queued.passages) for queued in self.batch) >= BATCH_PASSAGES:
            self._flush()

    def _move(self, candidates: Sequence[PreparedDocument]) -> None:
        free: dict[str, list[str]] = {}
        for name in sorted(self._missing()):
            free.setdefault(self.stored[name].text_hash, []).append(name)
        for prepared in candidates:
            names = free.get(prepared.text_hash)
            blob = self.kb.blob_path(prepared.content).read_text(encoding="utf-8")
            self._add(
                replace(prepared, blob=blob), instead_of=names.pop(0) if names else ""
            )

    def _flush(self) -> None:
        """Commit what is queued."""
        if not self.batch:
            return
        batch, self.batch = self.batch, []
        replaced, self.replaced = self.replaced, []
        vectors_P_D = self._embed(batch, replaced)
        for document in batch:
            # Before the commit: a visible passage always has its document.
            write_atomic(self.kb.blob_path(document.content), document.blob)
        names = [document.id for document in batch]
        self.kb.replace(to_table(batch, vectors_P_D), documents=names + replaced)
        self.is_changed = True
        self.kb.last_stored = names[-1]
        for name in replaced:
            del self.stored[name]
        for document in batch:
            old = self.stored.get(document.id)
            self.counts["added" if old is None else "updated"] += 1
            self.stored[document.id] = StoredDocument(
                document.id,
                document.content,
                document.text_hash,
                document.source,
                len(document.passages),
            )
        self.counts["added"] -= len(replaced)
        self.counts["moved"] += len(replaced)
        self.progress("store passages", self._passages(), None)

    def _embed(
        self, batch: Sequence[PreparedDocument], replaced: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """A vector for each passage; those of unchanged texts are taken over."""
        import numpy as np

        texts = [search_text(cut) for document in batch for cut in document.passages]
        older = [document.id for document in batch if document.id in self.stored]
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        if names := [*older, *replaced]:
            rows = self.kb.read(["search_text", "vector"], where=keys_filter(names))
            found_P_D = vectors_of(rows, dim=self.embedder.dim)
            known = rows.column("search_text").to_pylist()
            vectors = dict(zip(known, found_P_D, strict=True))
        fresh = [text for text in dict.fromkeys(texts) if text not in vectors]
        vectors.update(zip(fresh, self.embedder.encode(fresh), strict=True))
        return np.stack([vectors[text] for text in texts])

    def _missing(self) -> set[str]:
        """Stored documents that were not offered, and not for want of reading them."""
        return {
            name
            for name, known in self.stored.items()
            if name not in self.seen
            and name not in self.unreadable
            and known.source not in self.unreadable
        }

    def _delete(self, names: Sequence[str]) -> None:
        if not names:
            return
        self.kb.replace(None, documents=names)
        self.is_changed = True
        self.counts["deleted"] += len(names)
        for name in names:
            del self.stored[name]

    def _clean(self) -> None:
        """Remove texts of documents that are no longer there."""
        kept = {f"{known.content}.json" for known in self.stored.values()}
        folder = self.kb.path / "documents"
        with explained(folder):
            for file in folder.glob("*.json"):
                if file.name not in kept:
                    file.unlink(missing_ok=True)

    def _passages(self) -> int:
        return sum(known.passages for known in self.stored.values())
