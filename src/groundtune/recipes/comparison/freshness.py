"""Freshness: change facts in the documents, index again, train nothing, ask again.

Weights that learned a fact may go on saying it; retrieval should follow the document.
The knowledge base of the run is copied, so the run itself stays as it was.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.core.protocols import silent
from groundtune.measure.answers import contains
from groundtune.measure.statistics import wilson
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.answering import AnswerJob, answer_cases, make_row
from groundtune.recipes.comparison.knowledge import gold_of
from groundtune.recipes.ingest import ingest
from groundtune.store.files import read_json, write_json
from groundtune.systems.build import SystemSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.core.values import QaCase


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFact:
    """A question whose answer was changed in the documents."""

    case: QaCase
    """With the new answers."""
    old_answers: tuple[str, ...]


def measure_freshness(
    run: Path,
    facts: Sequence[EditedFact],
    *,
    edited: Path,
    embedder: str,
    systems: Sequence[str] = ("rag", "both"),
    progress: Progress = silent,
) -> dict[str, Any]:
    """Ask about edited facts, before and after the documents are indexed again.

    Args:
        run: A finished run with a knowledge base of its own.
        facts: Questions about what was changed.
        edited: Folder of the documents after the change.
        embedder: The one that made the knowledge base.
        systems: Systems of the run to ask.
        progress: Told how far it is.

    Returns:
        `seconds_to_fresh` and, by system, update success, stale rate and memorisation
        ratio with their counts, among the facts whose passage was retrieved. The same
        stands in `freshness.json` with a row for each answer.

    Raises:
        DataError: The run has no knowledge base of its own.
    """
    target = run / "freshness.json"
    if target.exists():
        return read_json(target)["figures"]
    source, copy = run / "kb", run / "kb-edited"
    if not source.is_dir():
        raise DataError(
            "the run has no knowledge base of its own",
            fix="make the run with --docs",
            where=str(run),
        )
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(source, copy)
    start = time.perf_counter()
    ingest([edited], kb=copy, model=embedder, progress=progress)
    seconds = time.perf_counter() - start
    cases = tuple(fact.case for fact in facts)
    gold = run_in_child(gold_of, (str(copy), embedder, cases)).result
    figures: dict[str, Any] = {"seconds_to_fresh": round(seconds, 2), "systems": {}}
    rows: list[dict[str, Any]] = []
    for name in systems:
        raw = read_json(run / "systems" / f"{name}.json")
        spec = replace(SystemSpec(**raw), kb=str(copy))
        made = _rows(spec, facts, gold, progress=progress)
        figures["systems"][name] = _figures(made)
        rows += made
    write_json(target, {"figures": figures, "rows": rows})
    return figures


def _rows(
    spec: SystemSpec,
    facts: Sequence[EditedFact],
    gold: Mapping[str, list[dict[str, Any]]],
    *,
    progress: Progress,
) -> list[dict[str, Any]]:
    by_id = {fact.case.id: fact for fact in facts}
    rows: list[dict[str, Any]] = []

    def add(item: tuple[str, Any, str | None]) -> None:
        case_id, answer, error = item
        if answer is None:
            return
        fact = by_id[case_id]
        row = make_row(spec, fact.case, answer, gold=gold[case_id], seed=0, error=error)
        text = row["prediction"]
        row["new"] = bool(contains(text, fact.case.answers))
        row["old"] = bool(contains(text, fact.old_answers)) and not row["new"]
        rows.append(row)
        progress(f"{spec.name}: edited facts", len(rows), len(facts))

    job = AnswerJob(spec=spec, cases=tuple(fact.case for fact in facts))
    run_in_child(answer_cases, job, on_item=add, progress=progress)
    return rows


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [row for row in rows if row["hit"]]
    new = sum(row["new"] for row in found)
    old = sum(row["old"] for row in found)
    return {
        "asked": len(rows),
        "retrieved": len(found),
        "update_success": _rate(new, len(found)),
        "stale_rate": _rate(old, len(found)),
        "memorisation_ratio": round(old / (old + new), 4) if old + new else 0.0,
    }


def _rate(count: int, n: int) -> dict[str, float | int]:
    if not n:
        return {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    interval = wilson(count, n)
    return {
        "value": count / n,
        "low": interval.low,
        "high": interval.high,
        "n": n,
    }
