"""The knowledge base on disk, as a reader sees it: documents, passages, citations.

    KB/kb.json           what made it, and which folder of tables is in service
    KB/lance/            LanceDB: the table of passages, its vectors and its BM25 index
    KB/documents/        the text of each document, named by its content
    KB/documents.jsonl   what is known of each document: queued, read, indexed, failed
    KB/ledger.jsonl      one line for each acknowledged commit, with file hashes
    KB/tags/             versions that are kept, as knowledge bases of their own

How the table is opened and written is in `table`, what a commit should hold in
`update`, ranking in `search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import DataError, StoreError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.schema import (
    PASSAGE_COLUMNS,
    StoredDocument,
    keys_filter,
    to_passage,
    unpack_document,
)
from groundtune.retrieve.stamp import (
    check_embedder,
    check_versions,
    create_if_missing,
    read_stamp,
)
from groundtune.retrieve.table import PassageTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import Citation, Document, Passage
    from groundtune.data.read import UnreadableDocument
    from groundtune.retrieve.source import IngestReport, Source


class KnowledgeBase(PassageTable):
    """Documents, their passages and vectors, in one folder.

    Any number of processes read; one writes. A reader sees the last commit at the
    time it was opened, or last `refresh`ed. An update never shows half a document.
    """

    @classmethod
    def open(cls, path: Path, *, embedder: Embedder | None = None) -> KnowledgeBase:
        """Open a knowledge base for reading; with an embedder also for searching.

        Raises:
            StoreError: None is there, it is damaged, or another embedder or an older
                groundtune made it.
        """
        stamp = read_stamp(path)
        if embedder is not None:
            check_embedder(stamp, embedder, where=path)
            check_versions(stamp, where=path, writing=False)
        return cls(path, stamp=stamp, embedder=embedder)

    @classmethod
    def create_or_open(
        cls, path: Path, *, embedder: Embedder, splitter: SplitterSettings | None = None
    ) -> KnowledgeBase:
        """Open a knowledge base for writing; make an empty one where none is.

        Raises:
            StoreError: Another embedder or splitter made it, the folder holds
                something else, or the disk refuses.
        """
        stamp = create_if_missing(path, embedder=embedder, splitter=splitter)
        return cls(path, stamp=stamp, embedder=embedder)

    @property
    def count(self) -> int:
        """How many passages it holds."""
        return sum(known.passages for known in self._documents.values())

    def documents(self) -> list[StoredDocument]:
        """Every document, by id."""
        return [self._documents[name] for name in sorted(self._documents)]

    def document(self, name: str) -> Document:
        """One document with its text and structure.

        Raises:
            DataError: There is no document of this id.
            StoreError: Its file is missing or damaged.
        """
        known = self._known(name)
        file = self.blob_path(known.content)
        try:
            blob = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(name, file) from error
        if text_sha256(blob) != known.content:
            raise _damaged(name, file)
        return unpack_document(blob, known=known)

    def document_text(self, name: str) -> str:
        """The text that offsets of passages and citations refer to; see `document`."""
        return self.document(name).text

    def passages(self, document: str) -> list[Passage]:
        """The passages of one document, in order.

        Raises:
            DataError: There is no document of this id.
            StoreError: A passage is damaged.
        """
        known = self._known(document)
        rows = self.read(PASSAGE_COLUMNS, where=keys_filter([document])).to_pylist()
        found = [to_passage(row, where=str(self.path)) for row in rows]
        if {p.document for p in found} - {document} or len(found) != known.passages:
            raise StoreError(
                f"the passages of {document!r} are damaged",
                fix=f"groundtune kb verify {self.path}",
                where=str(self.path),
            )
        return sorted(found, key=lambda passage: (passage.start, passage.end))

    def resolve(self, citation: Citation) -> bool:
        """Whether the document holds the citation's text at its offsets."""
        if citation.document not in self._documents:
            return False
        text = self.document_text(citation.document)
        return (
            0 <= citation.start < citation.end <= len(text)
            and text[citation.start : citation.end] == citation.text
        )

    def update(
        self,
        documents: Iterable[Document | UnreadableDocument],
        *,
        delete_missing: bool,
        source: Source | None = None,
        progress: Progress = silent,
    ) -> IngestReport:
        """Bring the knowledge base up to date; see `retrieve.update.update`."""
        from groundtune.retrieve.update import update

        return update(
            self,
            documents,
            delete_missing=delete_missing,
            source=source,
            progress=progress,
        )

    def blob_path(self, content: str) -> Path:
        """File that holds the document of this content."""
        return self.path / "documents" / f"{content}.json"

    def remove(self, documents: Sequence[str]) -> None:
        """Delete documents; see `retrieve.update.remove`."""
        from groundtune.retrieve.update import remove

        remove(self, documents)

    def _known(self, name: str) -> StoredDocument:
        if name not in self._documents:
            raise DataError(
                f"no document named {name!r}",
                fix="ingest it, or check its name",
                where=str(self.path),
            )
        return self._documents[name]


def _damaged(name: str, file: Path) -> StoreError:
    return StoreError(
        f"the stored text of {name!r} is missing or damaged",
        fix="ingest this document again, unless it was changed while you read: then "
        "run the command again",
        where=str(file),
    )
