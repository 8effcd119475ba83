"""Making a knowledge base anew from its stored documents.

The new tables are built beside the old ones, which stay in service until kb.json names
the others: that is one file, replaced in one step. So another embedder, splitter or
layout is taken on, and damaged tables are replaced, without the original files.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, NamedTuple

from groundtune.config.splitter import SPLITTER_VERSION, SplitterSettings
from groundtune.core.errors import DataError, StoreError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.ledger import tables_named
from groundtune.retrieve.maintenance import tables_number
from groundtune.retrieve.schema import StoredDocument, pack_document, unpack_document
from groundtune.retrieve.stamp import (
    LEDGER,
    LOCK,
    STAMP,
    TABLE,
    Stamp,
    connect,
    create_tables,
    read_stamp,
)
from groundtune.retrieve.states import read_states
from groundtune.retrieve.writer import DocumentWriter
from groundtune.store.files import write_json, write_lock
from groundtune.store.folders import remove_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.retrieve.schema import PreparedDocument

_OLDEST_FORMAT = 1


class RebuildReport(NamedTuple):
    """What was made."""

    documents: int
    passages: int
    before: Stamp
    after: Stamp


class _Origin(NamedTuple):
    """A document to be taken over."""

    id: str
    content: str
    source: str


def rebuild(
    path: Path,
    *,
    embedder: Embedder,
    splitter: SplitterSettings | None = None,
    progress: Progress = silent,
) -> RebuildReport:
    """Build new tables from the stored documents and put them into service.

    Args:
        path: The knowledge base; its layout may be an older one, its tables damaged.
        embedder: What makes the vectors from now on.
        splitter: How documents are cut from now on; None: as before.
        progress: Told of each document.

    Raises:
        StoreError: A stored document is damaged, the disk refuses, or another process
            is writing. The old tables stay in service.
    """
    before = read_stamp(path, oldest=_OLDEST_FORMAT)
    with write_lock(path / LOCK):
        origins = _origins(path, before)
        damaged = [o.id for o in origins if _load(path, o) is None]
        if damaged:
            raise StoreError(
                f"the stored text of {len(damaged)} of {len(origins)} documents is "
                f"damaged: {', '.join(damaged[:5])}",
                fix="ingest these documents again first, or take them from a backup: "
                f"groundtune kb restore BACKUP {path}",
                where=str(path),
            )
        after = Stamp(
            embedder=embedder.name,
            dim=embedder.dim,
            splitter=_current(splitter or before.splitter),
            tables=next_tables(path),
        )
        try:
            passages = _build(path, origins, after, embedder, progress)
        except BaseException:
            remove_folder(path / after.tables)
            raise
        write_json(path / STAMP, asdict(after))
    return RebuildReport(len(origins), passages, before, after)


def next_tables(path: Path) -> str:
    """A name for a folder of tables that none has had."""
    taken = {folder.name for folder in path.glob("lance*")}
    try:
        taken |= tables_named(path / LEDGER)
    except StoreError:
        # Of a damaged ledger nothing is believed; it is begun anew.
        (path / LEDGER).replace(path / f"{LEDGER}.quarantined")
    return f"lance-{1 + max((tables_number(name) for name in taken), default=1)}"


def _build(
    path: Path,
    origins: Sequence[_Origin],
    after: Stamp,
    embedder: Embedder,
    progress: Progress,
) -> int:
    """Fill new tables; how many passages they hold."""
    create_tables(path, after)
    made = KnowledgeBase(path, stamp=after, embedder=embedder, is_published=False)

    def ignore(*_: object) -> None:
        """States and counts are those of documents, which stay as they are."""

    with made.session():
        with DocumentWriter(made, before=ignore, after=ignore) as writer:
            for done, origin in enumerate(origins, start=1):
                prepared = _load(path, origin)
                assert prepared is not None, "was read before, under the lock"
                writer.add(prepared)
                progress("rebuild", done, len(origins))
            writer.flush()
        progress("index", 0, 1)
        made.index()
        progress("index", 1, 1)
    if {known.id for known in made.documents()} != {origin.id for origin in origins}:
        raise StoreError(
            "the new tables do not hold the documents of the old ones",
            fix="run the command again; the old tables stay in service",
            where=str(path),
        )
    return made.count


def _current(splitter: SplitterSettings) -> SplitterSettings:
    """The same settings under the splitter of this groundtune."""
    return replace(splitter, version=SPLITTER_VERSION)


def _origins(path: Path, stamp: Stamp) -> list[_Origin]:
    """Every document, from the table; where that is damaged, from the states."""
    columns = ["document", "content", "source"]
    try:
        with engine_errors(path):
            table = connect(path, stamp.tables).open_table(TABLE)
            rows = table.search().select(columns).to_arrow()
        grouped = rows.group_by(columns).aggregate([])
        found = {
            _Origin(r["document"], r["content"], r["source"])
            for r in grouped.to_pylist()
        }
        names = [origin.id for origin in found]
        if len(set(names)) == len(names):
            return sorted(found)
    except StoreError:
        pass
    states = read_states(path).values()
    kept = [_Origin(s.document, s.content, s.source) for s in states if s.content]
    if not kept:
        raise StoreError(
            "the tables cannot be read, and nothing else says which documents there "
            "were",
            fix=f"take it from a backup: groundtune kb restore BACKUP {path}",
            where=str(path),
        )
    return sorted(kept)


def _load(path: Path, origin: _Origin) -> PreparedDocument | None:
    """The stored document; None if it is not what was stored."""
    file = path / "documents" / f"{origin.content}.json"
    try:
        blob = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if text_sha256(blob) != origin.content:
        return None
    known = StoredDocument(origin.id, origin.content, "", origin.source, 0)
    try:
        return pack_document(unpack_document(blob, known=known))
    except (KeyError, TypeError, ValueError, DataError):
        return None
