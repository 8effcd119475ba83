"""A full look at a knowledge base: every file, row, text and index.

Nothing is changed. What is found is told with the command that mends it; a reader's own
checks, which are fewer, are in `integrity`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import GroundtuneError, StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.core.protocols import silent
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.ledger import Ledger, check_file
from groundtune.retrieve.maintenance import folder_bytes, spot_check
from groundtune.retrieve.schema import (
    PASSAGE_COLUMNS,
    VECTOR,
    document_key,
    to_passage,
    vectors_of,
)
from groundtune.retrieve.stamp import LEDGER, read_stamp
from groundtune.retrieve.states import UNFINISHED, read_states

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.retrieve.states import DocumentState

_MOST_TOLD = 20
"""Of one kind; the rest are counted."""
_NORM_TOLERANCE = 1e-2


class Damage(NamedTuple):
    """Something that is not as it was written."""

    what: str
    where: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a full look found."""

    documents: int
    passages: int
    version: int
    files: int
    """Files of the tables that were compared with their hashes."""
    bytes: int
    damage: tuple[Damage, ...]
    notes: tuple[str, ...]
    """What is worth knowing and harms nothing."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def verify(path: Path, *, progress: Progress = silent) -> VerifyReport:
    """Look at everything.

    Raises:
        StoreError: There is no knowledge base, or its kb.json cannot be read.
    """
    stamp = read_stamp(path)
    return _Look(path, stamp.tables, progress).run()


class _Look:
    def __init__(self, path: Path, tables: str, progress: Progress) -> None:
        self.path = path
        self.tables = tables
        self.progress = progress
        self.damage: list[Damage] = []
        self.told: Counter[str] = Counter()
        self.notes: list[str] = []
        self.rebuild = f"groundtune kb rebuild {path}"
        self.again = f"ingest it again: groundtune ingest PATH --kb {path}"

    def run(self) -> VerifyReport:
        files = self._files()
        kb = self._open()
        documents = passages = version = 0
        if kb is not None:
            documents, passages, version = len(kb.documents()), kb.count, kb.version
            self._texts(kb)
            self._rows(kb)
            self._indices(kb)
            self._states(kb)
        for kind, count in sorted(self.told.items()):
            if count > _MOST_TOLD:
                more = f"{count - _MOST_TOLD} more of this kind: {kind}"
                self.damage.append(Damage(more, str(self.path), self.rebuild))
        return VerifyReport(
            documents=documents,
            passages=passages,
            version=version,
            files=files,
            bytes=folder_bytes(self.path),
            damage=tuple(self.damage),
            notes=tuple(self.notes),
        )

    def _add(self, kind: str, what: str, *, where: object, fix: str) -> None:
        self.told[kind] += 1
        if self.told[kind] <= _MOST_TOLD:
            self.damage.append(Damage(what, str(where), fix))

    def _files(self) -> int:
        """Every file of the tables against the ledger."""
        try:
            ledger = Ledger(self.path / LEDGER, tables=self.tables)
        except StoreError as error:
            self._add("ledger", error.problem, where=error.where, fix=self.rebuild)
            return 0
        root = self.path / self.tables
        for done, (name, expected) in enumerate(ledger.files.items(), start=1):
            try:
                check_file(root, name, expected=expected, content=True)
            except StoreError as error:
                self._add("file", error.problem, where=error.where, fix=self.rebuild)
            self.progress("files", done, len(ledger.files))
        if aside := [file.name for file in root.rglob("*.quarantined")]:
            self.notes.append(
                f"{len(aside)} unfinished commits were put aside after a crash"
            )
        return len(ledger.files)

    def _open(self) -> KnowledgeBase | None:
        try:
            return KnowledgeBase.open(self.path)
        except GroundtuneError as error:
            kind = f"tables: {error.problem}"
            self._add(kind, error.problem, where=self.path, fix=self.rebuild)
            return None

    def _texts(self, kb: KnowledgeBase) -> None:
        """The stored text of every document against its hash."""
        known = kb.documents()
        for done, document in enumerate(known, start=1):
            file = kb.blob_path(document.content)
            try:
                is_same = file_sha256(file) == document.content
            except OSError:
                is_same = False
            if not is_same:
                what = f"the stored text of {document.id!r} is missing or damaged"
                self._add("text", what, where=file, fix=self.again)
            self.progress("texts", done, len(known))

    def _rows(self, kb: KnowledgeBase) -> None:
        """Every passage against its hash, its document and its neighbours."""
        ids: set[str] = set()
        counts: Counter[str] = Counter()
        text, of = "", ""
        columns = [*PASSAGE_COLUMNS, "key", VECTOR]
        try:
            for batch in kb.scan(columns):
                self._vectors(batch, dim=kb.stamp.dim)
                for row in batch.select([*PASSAGE_COLUMNS, "key"]).to_pylist():
                    name = row["document"]
                    counts[name] += 1
                    if row["id"] in ids:
                        self._row(row, "is there twice")
                    ids.add(row["id"])
                    if row["key"] != document_key(name):
                        self._row(row, "has a damaged key")
                    try:
                        passage = to_passage(row, where=str(self.path))
                    except StoreError:
                        self._row(row, "does not match its hash")
                        continue
                    if name != of:
                        text, of = self._text(kb, name), name
                    if text and text[passage.start : passage.end] != passage.text:
                        self._row(row, "is not what stands in its document")
                self.progress("passages", len(ids), kb.count)
        except StoreError as error:
            self._add("scan", error.problem, where=self.path, fix=self.rebuild)
            return
        if counts != {known.id: known.passages for known in kb.documents()}:
            what = "the counts of passages do not add up"
            self._add("counts", what, where=self.path, fix=self.rebuild)

    def _row(self, row: dict[str, Any], what: str) -> None:
        where = f"{row['document']}:{row['start']}-{row['end']}"
        self._add("passage", f"a passage {what}", where=where, fix=self.rebuild)

    def _vectors(self, batch: Any, *, dim: int) -> None:  # noqa: ANN401 (pyarrow has no types)
        import numpy as np
        import pyarrow as pa

        vectors_P_D = vectors_of(pa.Table.from_batches([batch]), dim=dim)
        norms_P = np.linalg.norm(vectors_P_D, axis=1)
        is_unit = np.abs(norms_P - 1) < _NORM_TOLERANCE
        if bad := int((~is_unit).sum()):
            what = f"{bad} vectors have not the length 1"
            self._add("vector", what, where=self.path, fix=self.rebuild)

    @staticmethod
    def _text(kb: KnowledgeBase, name: str) -> str:
        """The document's text; empty where that was told already."""
        try:
            return kb.document_text(name)
        except GroundtuneError:
            return ""

    def _indices(self, kb: KnowledgeBase) -> None:
        try:
            if kb.count and not kb.is_indexed():
                self.notes.append(
                    "some passages are not in the BM25 index yet; the next ingest, or "
                    "`groundtune kb maintain`, adds them"
                )
            problems = spot_check(kb)
        except StoreError as error:
            problems = [error.problem]
        for problem in problems:
            fix = f"groundtune kb maintain {self.path}, or else {self.rebuild}"
            self._add("index", problem, where=self.path, fix=fix)

    def _states(self, kb: KnowledgeBase) -> None:
        """What is noted of documents against the table."""
        try:
            states = read_states(self.path)
        except StoreError as error:
            self._add("states", error.problem, where=error.where, fix=error.fix)
            return
        stored = {known.id: known for known in kb.documents()}
        off = [s for s in states.values() if not _agrees(s, stored)]
        off_names = {state.document for state in off} | (stored.keys() - states.keys())
        if off_names:
            self.notes.append(
                f"what is noted of {len(off_names)} documents is behind the table; the "
                "next ingest corrects it"
            )
        if open_ := [s for s in states.values() if s.state in UNFINISHED]:
            self.notes.append(
                f"{len(open_)} documents failed or were not finished; groundtune "
                f"ingest PATH --kb {self.path} --retry-failed takes them up again"
            )


def _agrees(state: DocumentState, stored: dict[str, Any]) -> bool:
    known = stored.get(state.document)
    if state.state == "indexed":
        return known is not None and known.content == state.content
    return True
