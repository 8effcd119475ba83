"""Bringing a knowledge base up to date: what changed, and in which commits.

Documents are compared by content, changed ones are cut and embedded, and several go
into one commit; a document is never spread over two. New texts are written first, then
the commit makes them visible, then what nobody needs any more is removed. Storage is in
`table`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.core.values import Document
from groundtune.retrieve.maintenance import maintain_if_due
from groundtune.retrieve.schema import (
    PreparedDocument,
    pack_document,
)
from groundtune.retrieve.source import (
    MASS_DELETE,
    MASS_SHARE,
    FailedDocument,
    IngestReport,
    Source,
)
from groundtune.retrieve.states import DocumentState, DocumentStates
from groundtune.retrieve.writer import DocumentWriter, write_blobs
from groundtune.store.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.data.read import UnreadableDocument
    from groundtune.retrieve.index import KnowledgeBase


def update(
    kb: KnowledgeBase,
    documents: Iterable[Document | UnreadableDocument],
    *,
    delete_missing: bool,
    source: Source | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Write what is new or changed; leave the rest alone.

    A document under a new name whose text belonged to a document that is not among
    `documents` is that document, moved. A document that could not be read keeps its
    stored version, whatever `delete_missing` says.

    Args:
        kb: Opened with `create_or_open`.
        documents: Read one at a time; each id once.
        delete_missing: Remove documents that are not among these.
        source: What is known of the place that they come from.
        progress: Told of each document.

    Raises:
        DataError: Nothing was offered, and all would have been deleted.
        ConfigError: A mass delete was not agreed to; all else was done.
        StoreError: The disk refused, or another process is writing. Each document is
            as it was before, or as it should become.
    """
    with kb.writing():
        return write_documents(
            kb,
            documents,
            delete_missing=delete_missing,
            source=source,
            progress=progress,
        )


def write_documents(
    kb: KnowledgeBase,
    documents: Iterable[Document | UnreadableDocument],
    *,
    delete_missing: bool,
    source: Source | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Do what `update` does, inside `kb.session`."""
    states = DocumentStates(kb.path)
    try:
        job = _Update(kb, states, source or Source(), progress)
        with job.writer:
            return job.run(documents, delete_missing=delete_missing)
    finally:
        states.close()


def remove(kb: KnowledgeBase, names: Sequence[str]) -> None:
    """Delete documents by id.

    Raises:
        DataError: There is no document of one of these ids; nothing was deleted.
        StoreError: The disk refused, or another process is writing.
    """
    with kb.writing():
        known = {stored.id for stored in kb.documents()}
        if unknown := sorted(set(names) - known):
            raise DataError(
                f"no document named {unknown[0]!r}",
                fix="check its name: groundtune kb status shows how many there are",
                where=str(kb.path),
            )
        states = DocumentStates(kb.path)
        try:
            _Update(kb, states, Source(), silent).remove(sorted(set(names)))
        finally:
            states.close()


class _Update:
    def __init__(
        self,
        kb: KnowledgeBase,
        states: DocumentStates,
        source: Source,
        progress: Progress,
    ) -> None:
        self.kb = kb
        self.states = states
        self.source = source
        self.progress = progress
        self.writer = DocumentWriter(kb, before=self._reading, after=self._written)
        self.stored = self.writer.stored
        self.seen: set[str] = set()
        self.before = len(self.stored)
        self.failed: list[FailedDocument] = []
        self.unreadable: set[str] = set()
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
        self.states.agree_with(self.stored)
        self._queue()
        by_text = {known.text_hash: known.id for known in self.stored.values()}
        maybe_moved: list[PreparedDocument] = []
        total = len(self.source.files)
        for done, item in enumerate(documents, start=1):
            self.progress("ingest", done, total if done <= total else None)
            prepared = self._take(item)
            if prepared is None:
                continue
            if prepared.id not in self.stored and prepared.text_hash in by_text:
                # Whether the other name is still in use is known at the end.
                write_blobs(self.kb, [prepared])
                maybe_moved.append(replace(prepared, blob=""))
            else:
                self.writer.add(prepared)
        self._move(maybe_moved)
        self.writer.flush()
        refused = self._delete_missing() if delete_missing else 0
        if self.is_changed or not self.kb.is_indexed():
            self.progress("index", 0, 1)
            self.kb.index()
            self.progress("index", 1, 1)
        self._clean()
        warnings = maintain_if_due(self.kb)
        if refused:
            raise ConfigError(
                f"{refused} of {self.before} documents are no longer there; none of "
                "them was deleted, everything else was done",
                fix="check the path; if they shall go, run it again with --yes",
                where=str(self.kb.path),
            )
        return IngestReport(
            **self.counts,
            passages=self._passages(),
            failed=tuple(self.failed),
            warnings=warnings,
        )

    def remove(self, names: Sequence[str]) -> None:
        self.states.agree_with(self.stored)
        self._delete(names)
        self.kb.index()
        self._clean()

    def _queue(self) -> None:
        """Note what is new at the source and still to do."""
        self.states.put(
            DocumentState(name, "queued", file=str(path.resolve()))
            for name, path in self.source.files.items()
            if self.states.get(name) is None and name not in self.stored
        )

    def _take(self, item: Document | UnreadableDocument) -> PreparedDocument | None:
        """The document if it has to be written; otherwise it is counted here."""
        if not isinstance(item, Document):
            error = item.error
            why = f"{error.problem} (fix: {error.fix})"
            self._fail(item.name, why)
            # A file of several documents names them by its last part only.
            self.unreadable |= {item.name, item.name.rsplit("/", 1)[-1]}
            return None
        if item.id in self.seen:
            # Of the first one the state is kept: it is the one that is stored.
            self.failed.append(FailedDocument(item.id, "another document has this id"))
            return None
        self.seen.add(item.id)
        if not item.text.strip():
            self._fail(item.id, "holds no text")
            return None
        prepared = pack_document(item)
        known = self.stored.get(item.id)
        if known is not None and known.content == prepared.content:
            self.counts["unchanged"] += 1
            self._heal(prepared)
            return None
        return prepared

    def _fail(self, name: str, why: str) -> None:
        self.failed.append(FailedDocument(name, why))
        known = self.states.get(name) or DocumentState(name, "failed")
        place = self.source.files.get(name)
        file = str(place.resolve()) if place else known.file
        self.states.put([known._replace(state="failed", reason=why, file=file)])

    def _heal(self, prepared: PreparedDocument) -> None:
        """Write the stored text again where the disk lost it."""
        write_blobs(self.kb, [prepared])
        self.states.put([self._state(prepared)])

    def _state(self, prepared: PreparedDocument) -> DocumentState:
        """What is noted of a document that is in the table."""
        known = self.states.get(prepared.id)
        file, size = (known.file, known.bytes) if known else ("", 0)
        files = self.source.files
        place = files.get(prepared.id) or files.get(prepared.source)
        if place is not None and place.exists():
            file, size = str(place.resolve()), place.stat().st_size
        return DocumentState(
            prepared.id,
            "indexed",
            content=prepared.content,
            source=prepared.source,
            file=file,
            bytes=size,
        )

    def _move(self, candidates: Sequence[PreparedDocument]) -> None:
        free: dict[str, list[str]] = {}
        for name in sorted(self._missing() - self.source.elsewhere):
            free.setdefault(self.stored[name].text_hash, []).append(name)
        for prepared in candidates:
            names = free.get(prepared.text_hash)
            blob = self.kb.blob_path(prepared.content).read_text(encoding="utf-8")
            self.writer.add(
                replace(prepared, blob=blob), instead_of=names.pop(0) if names else ""
            )

    def _reading(self, batch: Sequence[PreparedDocument]) -> None:
        self.states.put(
            known._replace(state="read")
            for document in batch
            if (known := self.states.get(document.id)) and known.state == "queued"
        )

    def _written(
        self, batch: Sequence[PreparedDocument], replaced: Sequence[str]
    ) -> None:
        self.states.put(self._state(document) for document in batch)
        self.states.forget(replaced)
        self.is_changed = True
        new = sum(document.id not in self.stored for document in batch)
        self.counts["added"] += new - len(replaced)
        self.counts["updated"] += len(batch) - new
        self.counts["moved"] += len(replaced)

    def _missing(self) -> set[str]:
        """Stored documents that were not offered, and not for want of reading them."""
        return {
            name
            for name, known in self.stored.items()
            if name not in self.seen
            and not {name, known.source} & self.unreadable
            and not {name, known.source} & self.source.present
        }

    def _delete_missing(self) -> int:
        """Delete what is gone; how many that would have been, where it was refused."""
        missing = sorted(self._missing())
        if missing and not (self.seen or self.unreadable or self.source.present):
            raise DataError(
                "the source holds no document; nothing was deleted",
                fix="check the path; to start anew, delete the knowledge base",
                where=str(self.kb.path),
            )
        if not self.seen and not self.source.present:
            return 0
        is_mass = len(missing) > max(MASS_DELETE, MASS_SHARE * self.before)
        confirm = self.source.confirm
        if is_mass and confirm and not confirm(len(missing), self.before):
            return len(missing)
        self._delete(missing)
        return 0

    def _delete(self, names: Sequence[str]) -> None:
        if not names:
            return
        self.kb.replace(None, documents=names)
        self.states.forget(names)
        self.is_changed = True
        self.counts["deleted"] += len(names)
        for name in names:
            del self.stored[name]

    def _clean(self) -> None:
        """Remove texts of documents, and states of files, that are not needed."""
        # A file of several documents was read, and they have states of their own.
        self.states.forget(
            name
            for name in self.source.files
            if (state := self.states.get(name)) and state.state == "queued"
        )
        kept = {f"{known.content}.json" for known in self.stored.values()}
        folder = self.kb.path / "documents"
        with explained(folder):
            for file in folder.iterdir():
                if file.name not in kept:
                    file.unlink(missing_ok=True)

    def _passages(self) -> int:
        return sum(known.passages for known in self.stored.values())
