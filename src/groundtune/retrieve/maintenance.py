"""Keeping the tables small and their indices right: one job, with limits.

It joins small files, brings the indices up to date, deletes old versions, and then asks
the indices for what a comparison of everything finds. After an ingest it runs by itself
where it is due.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError, StoreError
from groundtune.core.protocols import silent
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.schema import TERMS, VECTOR, vectors_of
from groundtune.retrieve.stamp import TABLE
from groundtune.retrieve.vector_index import (
    exact_nearest,
    index_recall,
    read_vector_index,
)
from groundtune.store.files import read_json, write_json
from groundtune.store.folders import remove_folder

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.retrieve.index import KnowledgeBase

FAILURES = "maintenance.json"
MOST_FAILURES = 3
"""In a row, by itself; then a warning becomes an error."""

_SPOT_PASSAGES = 8
_SPOT_K = 10
_SPOT_RECALL = 0.8
_SPOT_TERMS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """When maintenance is due, and what it may delete."""

    fragments: int = 16
    """Files of passages; each update adds some."""
    versions: int = 64
    growth: float = 4.0
    """Bytes on the disk for each byte that the newest version needs."""
    spare_bytes: int = 64 << 20
    """Below this the growth does not matter."""
    keep: timedelta = timedelta(days=7)
    """Versions younger than this stay, for readers that have them open."""
    keep_at_least: timedelta = timedelta(hours=1)
    """The same, once there are too many versions or bytes."""


DEFAULT_CAPS = Caps()


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceReport:
    """What the tables were before and after."""

    versions: tuple[int, int]
    fragments: tuple[int, int]
    bytes: tuple[int, int]
    is_rebuilt: bool
    """Whether an index failed the spot check and was made anew."""


def maintain(
    kb: KnowledgeBase, *, caps: Caps = DEFAULT_CAPS, progress: Progress = silent
) -> MaintenanceReport:
    """Run the job now.

    Raises:
        StoreError: Another process is writing, the disk refused, or an index finds the
            wrong passages even after it was made anew.
    """
    with kb.writing():
        report = _run(kb, caps, progress)
        (kb.path / FAILURES).unlink(missing_ok=True)
    return report


def maintain_if_due(kb: KnowledgeBase) -> tuple[str, ...]:
    """Run the job inside `kb.writing` where it is due.

    What it fails of is told, not raised: the documents are safe without it.

    Returns:
        The failure, if there was one.

    Raises:
        StoreError: It failed too many times in a row.
    """
    assert kb.is_published, "a rebuild is not the place for it"
    caps = DEFAULT_CAPS
    remove_old_tables(kb, keep=caps.keep_at_least)
    versions, fragments, size = _sizes(kb)
    is_grown = size > max(caps.spare_bytes, caps.growth * kb.live_bytes())
    if fragments <= caps.fragments and versions <= caps.versions and not is_grown:
        return ()
    file = kb.path / FAILURES
    try:
        failures = int(read_json(file)["failures"])
    except (DataError, KeyError, TypeError, ValueError, OSError):
        failures = 0
    try:
        _run(kb, caps, silent)
        file.unlink(missing_ok=True)
    except StoreError as error:
        if failures + 1 >= MOST_FAILURES:
            raise
        write_json(file, {"failures": failures + 1, "last": error.problem})
        return (f"maintenance failed and will be tried again: {error.problem}",)
    return ()


def remove_old_tables(kb: KnowledgeBase, *, keep: timedelta) -> None:
    """Delete folders of tables that are out of service, inside `kb.writing`.

    Those of a rebuild that was stopped go at once; those that a rebuild replaced stay
    for a while, because readers may have them open.
    """
    stamp_file = kb.path / "kb.json"
    age = time.time() - stamp_file.stat().st_mtime
    for folder in kb.path.glob("lance*"):
        name = folder.name
        is_newer = tables_number(name) > tables_number(kb.stamp.tables)
        if name != kb.stamp.tables and (is_newer or age >= keep.total_seconds()):
            remove_folder(folder)


def tables_number(name: str) -> int:
    """Place of a folder of tables in the row of rebuilds, 1 for the first."""
    number = name.rpartition("-")[2]
    return int(number) if number.isdigit() else 1


def spot_check(kb: KnowledgeBase) -> list[str]:
    """Ask the indices for what comparing every passage finds.

    Returns:
        What is wrong, a sentence each; empty where all is well.
    """
    dim = kb.stamp.dim
    with engine_errors(kb.path):
        table = kb.snapshot()
        count = int(table.count_rows())
        if not count:
            return []
        step = max(1, count // _SPOT_PASSAGES)
        rows = table.take_offsets(list(range(0, count, step))[:_SPOT_PASSAGES])
        sample = rows.select(["id", TERMS, VECTOR]).to_arrow()
        vectors_Q_D = vectors_of(sample, dim=dim)
        k = min(_SPOT_K, count)
        right_Q_K = exact_nearest(table, vectors_Q_D, k=k)
        index = read_vector_index(kb.path)
        recalls = index_recall(
            table,
            vectors_Q_D,
            right_Q_K,
            probes=index.probes,
            proposals=index.proposals,
        )
    problems: list[str] = []
    # Passages of one text tie, and which of them comes last is the engine's affair.
    if sum(recalls) < _SPOT_RECALL * len(recalls) and not _has_ties(vectors_Q_D):
        problems.append(
            f"the vector index finds {sum(recalls) / len(recalls):.0%} of the nearest "
            "passages"
        )
    names = sample.column("id").to_pylist()
    words = sample.column(TERMS).to_pylist()
    missed = [
        n for n, w in zip(names, words, strict=True) if not _is_found(table, n, w)
    ]
    if missed:
        problems.append(
            f"the BM25 index does not find {len(missed)} of {len(names)} passages by "
            f"their own words, such as {missed[0]}"
        )
    return problems


def _has_ties(vectors_Q_D: Any) -> bool:  # noqa: ANN401 (an array)
    import numpy as np

    return len(np.unique(np.round(vectors_Q_D, 6), axis=0)) < len(vectors_Q_D)


def _is_found(table: Any, name: str, words: str) -> bool:  # noqa: ANN401 (a LanceDB table)
    """Whether a passage is among the best for its own words, or drowned by equals."""
    from lancedb import query as fulltext

    asked = " ".join(words.split()[:_SPOT_TERMS])
    if not asked:
        return True
    limit = 100
    match: Any = fulltext.MatchQuery  # its stub asks for what has a default
    search = table.search(match(asked, TERMS), query_type="fts")
    hits = search.select(["id", "_score"]).limit(limit).to_arrow()
    return name in hits.column("id").to_pylist() or hits.num_rows == limit


def _run(kb: KnowledgeBase, caps: Caps, progress: Progress) -> MaintenanceReport:
    before = _sizes(kb)
    is_large = before[0] > caps.versions or before[2] > max(
        caps.spare_bytes, caps.growth * kb.live_bytes()
    )
    progress("join small files", 0, 1)
    kb.compact(keep=caps.keep_at_least if is_large else caps.keep)
    progress("join small files", 1, 1)
    if not kb.is_indexed():
        kb.index()
    progress("check the indices", 0, 1)
    is_rebuilt = bool(spot_check(kb))
    if is_rebuilt:
        kb.index()
        if problems := spot_check(kb):
            raise StoreError(
                f"after maintenance {problems[0]}",
                fix=f"groundtune kb rebuild {kb.path}",
                where=str(kb.path),
            )
    progress("check the indices", 1, 1)
    remove_old_tables(kb, keep=caps.keep_at_least)
    after = _sizes(kb)
    return MaintenanceReport(
        versions=(before[0], after[0]),
        fragments=(before[1], after[1]),
        bytes=(before[2], after[2]),
        is_rebuilt=is_rebuilt,
    )


def _sizes(kb: KnowledgeBase) -> tuple[int, int, int]:
    """Versions, fragments and bytes on the disk."""
    table = kb.tables / f"{TABLE}.lance"
    versions = sum(1 for _ in (table / "_versions").glob("*.manifest"))
    return versions, kb.fragments(), folder_bytes(kb.tables)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
