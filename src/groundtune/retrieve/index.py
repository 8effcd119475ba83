"""The knowledge base on disk: opening, checking, reading, and one commit at a time.

    KB/kb.json         which embedder and splitter made it
    KB/lance/          LanceDB: the table of passages, its vectors and its BM25 index
    KB/documents/      the text of each document, named by its content
    KB/ledger.jsonl    one line for each acknowledged commit

What a commit should hold is decided in `update`; ranking is in `search`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError, StoreError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.durable import Barrier, engine_errors, quarantine_head
from groundtune.retrieve.schema import (
    CATALOGUE_COLUMNS,
    PASSAGE_COLUMNS,
    StoredDocument,
    keys_filter,
    to_passage,
    unpack_document,
)
from groundtune.retrieve.stamp import (
    LEDGER,
    LOCK,
    TABLE,
    Stamp,
    build_text_index,
    check_embedder,
    connect,
    create_if_missing,
    read_stamp,
)
from groundtune.store.files import (
    JsonLinesLog,
    read_json_lines,
    write_lock,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import Citation, Document, Passage
    from groundtune.data.read import UnreadableDocument
    from groundtune.retrieve.update import IngestReport

_REBUILD_ROWS = 50_000
"""Up to here the BM25 index is made anew after an update, in under five seconds."""
_COMPACT_FRAGMENTS = 16


class KnowledgeBase:
    """Documents, their passages and vectors, in one folder.

    Any number of processes read; one writes. A reader sees the last commit at the
    time it was opened, or last `refresh`ed. An update never shows half a document.
    """

    def __init__(
        self,
        path: Path,
        *,
        stamp: Stamp,
        embedder: Embedder | None = None,
    ) -> None:
        """Opened by `open` or `create_or_open`, not directly."""
        self.path = path
        self.stamp = stamp
        self.embedder = embedder
        self.quarantined: list[str] = []
        """Heads that a crash left unreadable, and that were put aside on opening."""
        self.last_stored = ""
        """Document that went in last through this object, for reading it back."""
        self._barrier = Barrier(path / "lance")
        self._ledger: JsonLinesLog | None = None
        self._table: Any = None
        self._documents: dict[str, StoredDocument] = {}
        self.refresh()

    @classmethod
    def open(cls, path: Path, *, embedder: Embedder | None = None) -> KnowledgeBase:
        """Open a knowledge base for reading; with an embedder also for searching.

        Raises:
            StoreError: None is there, it is damaged, or another embedder made it.
        """
        stamp = read_stamp(path)
        if embedder is not None:
            check_embedder(stamp, embedder, where=path)
        return cls(path, stamp=stamp, embedder=embedder)

    @classmethod
    def create_or_open(
        cls, path: Path, *, embedder: Embedder, splitter: SplitterSettings
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

    @property
    def version(self) -> int:
        """Version of the table of passages; every commit makes a new one."""
        return int(self._table.version)

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
        self._known(document)
        rows = self.read(PASSAGE_COLUMNS, where=keys_filter([document])).to_pylist()
        found = [to_passage(row, where=str(self.path)) for row in rows]
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
        progress: Progress = silent,
    ) -> IngestReport:
        """Bring the knowledge base up to date; see `retrieve.update.update`."""
        from groundtune.retrieve.update import update

        return update(self, documents, delete_missing=delete_missing, progress=progress)

    # What `update` and `search` are made of.

    def blob_path(self, content: str) -> Path:
        """File that holds the document of this content."""
        return self.path / "documents" / f"{content}.json"

    def snapshot(self) -> Any:  # noqa: ANN401 (a LanceDB table)
        """The table at this moment; later commits do not show in it."""
        with engine_errors(self.path):
            table = connect(self.path).open_table(TABLE)
            table.checkout(self.version)
        return table

    def read(self, columns: list[str], *, where: str = "") -> Any:  # noqa: ANN401 (pyarrow has no types)
        """Rows of the table in no particular order.

        Raises:
            StoreError: A data file is damaged.
        """
        with engine_errors(self.path):
            query = self._table.search().select(columns)
            return (query.where(where) if where else query).to_arrow()

    def refresh(self) -> None:
        """See the newest commit. Heads that a crash left unreadable are put aside.

        Raises:
            StoreError: Acknowledged work is damaged or missing.
        """
        acknowledged = self._acknowledged()
        folder = self.path / "lance" / f"{TABLE}.lance"
        while True:
            try:
                with engine_errors(self.path):
                    self._table = connect(self.path).open_table(TABLE)
                self._documents = self._catalogue()
                break
            except StoreError:
                with self._lock_if_free():
                    head = quarantine_head(folder, acknowledged=acknowledged)
                if not head:
                    raise
                self.quarantined.append(head)
        if self.version < acknowledged:
            raise StoreError(
                f"version {acknowledged} was written here, but only version "
                f"{self.version} is left",
                fix="restore the folder from a copy, or delete it and ingest again",
                where=str(self.path),
            )

    @contextmanager
    def writing(self) -> Generator[None]:
        """Hold the one right to write.

        Raises:
            StoreError: Another process holds it.
        """
        with write_lock(self.path / LOCK):
            self.refresh()
            # What a killed writer left behind becomes the ground of the next commit.
            self._barrier.sync()
            self._ledger = JsonLinesLog(self.path / LEDGER)
            try:
                yield
            finally:
                self._ledger.close()
                self._ledger = None
                self.refresh()

    def replace(
        self,
        rows: Any,  # noqa: ANN401 (pyarrow has no types)
        *,
        documents: Sequence[str],
    ) -> None:
        """Replace all passages of `documents` in one atomic commit.

        Args:
            rows: A table with the new passages; None removes the documents.
            documents: Ids of all documents that `rows` holds or that go.

        Raises:
            StoreError: Nothing was changed, or the commit stands but could not be
                made durable.
        """
        condition = keys_filter(documents)
        with engine_errors(self.path):
            if rows is None:
                self._table.delete(condition)
            else:
                (
                    self._table.merge_insert("id")
                    .when_matched_update_all()
                    .when_not_matched_insert_all()
                    .when_not_matched_by_source_delete(condition)
                    .execute(rows)
                )
        self._acknowledge(documents=len(documents))

    def index(self) -> None:
        """Bring the BM25 index up to date with the passages.

        Raises:
            StoreError: It could not be written; the passages stand.
        """
        with engine_errors(self.path):
            rows = self._table.count_rows()
            if not rows:
                return
            fragments = self._table.stats()["fragment_stats"]["num_fragments"]
            if rows > _REBUILD_ROWS or fragments > _COMPACT_FRAGMENTS:
                self._table.optimize()
            if rows <= _REBUILD_ROWS:
                # Anew, so that scores do not depend on the order of past updates.
                build_text_index(self._table)
        self._acknowledge(documents=0)

    def is_indexed(self) -> bool:
        """Whether the BM25 index holds every passage."""
        with engine_errors(self.path):
            stats = self._table.index_stats("search_text_idx")
            return stats is not None and not stats.num_unindexed_rows

    def _acknowledge(self, *, documents: int) -> None:
        assert self._ledger is not None, "inside `writing`"
        self._barrier.sync()
        self._ledger.append({"version": self.version, "documents": documents})

    def _acknowledged(self) -> int:
        try:
            lines = read_json_lines(self.path / LEDGER)
        except DataError as error:
            raise StoreError(error.problem, fix=error.fix, where=error.where) from error
        return max((int(line["version"]) for line in lines), default=0)

    @contextmanager
    def _lock_if_free(self) -> Generator[None]:
        if self._ledger is not None:
            yield
            return
        with write_lock(self.path / LOCK):
            yield

    def _catalogue(self) -> dict[str, StoredDocument]:
        rows = self.read(CATALOGUE_COLUMNS)
        grouped = rows.group_by(CATALOGUE_COLUMNS).aggregate([([], "count_all")])
        found: dict[str, StoredDocument] = {}
        for row in grouped.to_pylist():
            name = row["document"]
            if name in found:
                raise StoreError(
                    f"two versions of {name!r} are visible",
                    fix="delete the knowledge base and ingest again",
                    where=str(self.path),
                )
            found[name] = StoredDocument(
                name, row["content"], row["text_hash"], row["source"], row["count_all"]
            )
        return found

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
        fix="check the disk, delete the knowledge base and ingest again",
        where=str(file),
    )
