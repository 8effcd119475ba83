"""The table of passages in one folder: opening, checking, and one commit at a time.

A commit is durable and in the ledger before anybody hears of it. What is read is first
compared with the ledger. Which documents there are, and what a commit should hold, is
decided in `index` and `update`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import StoreError
from groundtune.retrieve.durable import (
    Barrier,
    engine_errors,
    put_aside,
)
from groundtune.retrieve.integrity import LISTING_COLUMNS, FileCheck, list_documents
from groundtune.retrieve.ledger import FileSum, Ledger
from groundtune.retrieve.schema import TERMS_INDEX, StoredDocument, keys_filter
from groundtune.retrieve.stamp import (
    LEDGER,
    LOCK,
    TABLE,
    Stamp,
    build_text_index,
    check_embedder,
    connect,
    read_stamp,
)
from groundtune.retrieve.vector_index import update_vector_index
from groundtune.store.files import write_lock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder

_REBUILD_ROWS = 50_000
"""Up to here the BM25 index is made anew after an update, in under five seconds."""
_SCAN_ROWS = 5_000
_JOIN_ROUNDS = 4
"""The second finds nothing more to do; the others are there in case."""
_FOREVER = timedelta(days=36_500)


class PassageTable:
    """The table that is in service in a folder, at the version last looked at."""

    def __init__(
        self,
        path: Path,
        *,
        stamp: Stamp,
        embedder: Embedder | None = None,
        is_published: bool = True,
    ) -> None:
        """Open the table that the stamp names.

        Args:
            path: Its folder.
            stamp: What made it.
            embedder: What turns texts into vectors, for searching and writing.
            is_published: Whether `stamp` is the one in kb.json; a rebuild's is not yet.
        """
        self.path = path
        self.stamp = stamp
        self.embedder = embedder
        self.quarantined: list[str] = []
        """Heads that a crash left and nobody acknowledged, and that were put aside."""
        self.last_stored = ""
        """Document that went in last through this object, for reading it back."""
        self.is_published = is_published
        self._table: Any = None
        self._documents: dict[str, StoredDocument] = {}
        self._use(stamp)
        self.refresh()

    @property
    def version(self) -> int:
        """Version of the table of passages; every commit makes a new one."""
        return int(self._table.version)

    @property
    def tables(self) -> Path:
        """The folder of tables that this object reads."""
        return self.path / self.stamp.tables

    @property
    def _folder(self) -> Path:
        return self.tables / f"{TABLE}.lance"

    def snapshot(self) -> Any:  # noqa: ANN401 (a LanceDB table)
        """The table at this moment; later commits do not show in it.

        Raises:
            StoreError: The index in use is damaged.
        """
        with engine_errors(self.path):
            table = connect(self.path, self.stamp.tables).open_table(TABLE)
            table.checkout(self.version)
        for name in self.index_files():
            self._files.check(name)
        return table

    def index_files(self) -> list[str]:
        """Acknowledged files of the indices in use, by path below `tables`."""
        with engine_errors(self.path):
            used = {str(index.index_uuid) for index in self._table.list_indices()}
        folders = tuple(f"{TABLE}.lance/_indices/{uuid}/" for uuid in used)
        return [name for name in self._ledger.files if name.startswith(folders)]

    def acknowledged_files(self) -> dict[str, FileSum]:
        """What the ledger says of each file, by path below `tables`."""
        return dict(self._ledger.files)

    def read(self, columns: list[str], *, where: str = "") -> Any:  # noqa: ANN401 (pyarrow has no types)
        """Rows of the table in no particular order.

        Raises:
            StoreError: A data file is damaged.
        """
        with engine_errors(self.path):
            query = self._table.search().select(columns)
            return (query.where(where) if where else query).to_arrow()

    def scan(self, columns: list[str]) -> Iterator[Any]:
        """All rows, a batch in memory at a time.

        Raises:
            StoreError: A data file is damaged.
        """
        with engine_errors(self.path):
            query = self._table.search().select(columns)
            yield from query.to_batches(batch_size=_SCAN_ROWS)

    def refresh(self) -> None:
        """See the newest acknowledged commit. Unreadable heads are put aside.

        Raises:
            StoreError: Acknowledged work is damaged or missing.
        """
        if self.is_published and (now := read_stamp(self.path)) != self.stamp:
            if self.embedder is not None:
                check_embedder(now, self.embedder, where=self.path)
            self.stamp = now
            self._use(now)
        if not self._ledger.is_open:
            self._ledger.reload()
        if not self.tables.is_dir():
            # The engine would make the folder that it does not find.
            raise StoreError(
                f"its tables are missing: {self.stamp.tables}",
                fix="take it from a backup again: groundtune kb restore BACKUP "
                f"{self.path}",
                where=str(self.path),
            )
        acknowledged = self._ledger.version
        self._files.check_readable(acknowledged)
        while True:
            try:
                self._open_at(acknowledged)
                return
            except StoreError:
                with self._lock_if_free():
                    aside = put_aside(self._folder, above=acknowledged, most=1)
                if not aside:
                    raise
                self.quarantined += aside

    @contextmanager
    def writing(self) -> Generator[None]:
        """Hold the one right to write.

        Raises:
            StoreError: Another process holds it.
        """
        with write_lock(self.path / LOCK), self.session():
            yield

    @contextmanager
    def session(self) -> Generator[None]:
        """Write under a lock that the caller holds; see `writing`."""
        self.refresh()
        self._ledger.open()
        try:
            # What a killed writer left is not believed: its files may not be there.
            if aside := put_aside(self._folder, above=self._ledger.version):
                self.quarantined += aside
                self._open_at(self._ledger.version)
            self._barrier.trust(self.tables / name for name in self._ledger.files)
            self._barrier.sync()
            yield
        finally:
            self._ledger.close()
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

    def append(self, rows: Any, *, documents: int) -> None:  # noqa: ANN401 (pyarrow has no types)
        """Add passages of documents of which there is none, in one atomic commit.

        The engine need not look for what they replace, which takes the longer the
        larger the table is.

        Raises:
            StoreError: Nothing was changed, or the commit stands but could not be
                made durable.
        """
        with engine_errors(self.path):
            self._table.add(rows)
        self._acknowledge(documents=documents)

    def index(self) -> None:
        """Bring the indices up to date with the passages.

        Raises:
            StoreError: They could not be written; the passages stand.
        """
        with engine_errors(self.path):
            rows = self._table.count_rows()
            if not rows:
                return
        if rows > _REBUILD_ROWS:
            self._join_files()
        else:
            with engine_errors(self.path):
                # Anew, so that scores do not depend on the order of past updates.
                build_text_index(self._table)
        update_vector_index(self._table, kb_path=self.path, dim=self.stamp.dim)
        self._acknowledge(documents=0)

    def is_indexed(self) -> bool:
        """Whether the BM25 index holds every passage."""
        with engine_errors(self.path):
            stats = self._table.index_stats(TERMS_INDEX)
            return stats is not None and not stats.num_unindexed_rows

    def fragments(self) -> int:
        """Files that the passages are spread over."""
        with engine_errors(self.path):
            return int(self._table.stats()["fragment_stats"]["num_fragments"])

    def live_bytes(self) -> int:
        """Bytes of the files that the newest version needs."""
        with engine_errors(self.path):
            return int(self._table.stats()["total_bytes"])

    def compact(self, *, keep: timedelta) -> None:
        """Join small files and delete versions that are older than `keep`.

        Raises:
            StoreError: It could not be done; the passages stand.
        """
        with engine_errors(self.path):
            self._table.checkout_latest()
        self._join_files()
        with engine_errors(self.path):
            # Only this process writes, so what no version names is nobody's work.
            self._table.optimize(cleanup_older_than=keep, delete_unverified=True)
        self._acknowledge(documents=0)
        self._ledger.shorten(self.tables)

    def _use(self, stamp: Stamp) -> None:
        self._barrier = Barrier(self.tables)
        self._ledger = Ledger(self.path / LEDGER, tables=stamp.tables)
        self._files = FileCheck(self.tables, self._ledger)

    def _open_at(self, acknowledged: int) -> None:
        """See what was acknowledged: a newer version may not be whole on the disk."""
        with engine_errors(self.path):
            self._table = connect(self.path, self.stamp.tables).open_table(TABLE)
            if self.version > acknowledged:
                self._table.checkout(acknowledged)
        rows = self.read(LISTING_COLUMNS)
        self._documents = list_documents(rows, where=self.path)
        if self.version < acknowledged:
            raise StoreError(
                f"version {acknowledged} was written here, but only version "
                f"{self.version} is left",
                fix="take it from a backup again: groundtune kb restore BACKUP "
                f"{self.path}",
                where=str(self.path),
            )

    def _join_files(self) -> None:
        """Join small files and extend the indices; old versions stay.

        They go only once the new version is acknowledged: until then the newest of
        them is what a crash falls back to.
        """
        for _ in range(_JOIN_ROUNDS):
            before = self.version
            with engine_errors(self.path):
                self._table.optimize(cleanup_older_than=_FOREVER)
            if self.version == before:
                break
            self._acknowledge(documents=0)

    def _acknowledge(self, *, documents: int) -> None:
        new = self._barrier.sync()
        self._ledger.acknowledge(
            self.version, documents=documents, root=self.tables, new=new
        )
        self._files.trust(new)

    @contextmanager
    def _lock_if_free(self) -> Generator[None]:
        if self._ledger.is_open or not self.is_published:
            yield
            return
        with write_lock(self.path / LOCK):
            yield
