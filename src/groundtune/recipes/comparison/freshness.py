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
    """A question whose answer was changed in the documents, or was not."""

    case: QaCase
    """With the answers that hold after the change."""
    old_answers: tuple[str, ...]
    """Those that held before; the same for a fact that was left alone."""

    @property
    def is_changed(self) -> bool:
        """Whether the documents now say something else."""
        return self.case.answers != self.old_answers


def measure_freshness(
    run: Path,
    facts: Sequence[EditedFact],
    *,
    edited: Path,
    embedder: str,
    systems: Sequence[str] = ("rag", "both"),
    progress: Progress = silent,
) -> dict[str, Any]:
    """Ask about facts before and after the documents are edited and indexed again.

    Args:
        run: A finished run with a knowledge base of its own.
        facts: Questions about what was changed, and about what was not.
        edited: Folder of the documents after the change.
        embedder: The one that made the knowledge base.
        systems: Systems of the run to ask.
        progress: Told how far it is.

    Returns:
        `seconds_to_fresh` and, by system, over the changed facts whose passage was
        retrieved: `update_success` (says the new value), `update_success_read` (the
        same, among those whose new value stood in what the model was given to read),
        `followed` (the same, among those that it answered rightly before: a model that
        cannot read a fact cannot follow it either), `stale_rate` (says the old value)
        and the memorisation ratio old / (old + new). `untouched_before` and
        `untouched_after` are how often it is right on facts that were left alone. The
        same stands in `freshness.json` with a row for each question.

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
    old = tuple(replace(fact.case, answers=fact.old_answers) for fact in facts)
    new = tuple(fact.case for fact in facts)
    gold_before, gold_after = run_in_child(
        gold_of, (embedder, ((str(source), old), (str(copy), new)))
    ).result
    figures: dict[str, Any] = {"seconds_to_fresh": round(seconds, 2), "systems": {}}
    rows: list[dict[str, Any]] = []
    for name in systems:
        spec = SystemSpec(**read_json(run / "systems" / f"{name}.json"))
        unedited, now = replace(spec, kb=str(source)), replace(spec, kb=str(copy))
        before = _ask(unedited, old, gold=gold_before, progress=progress)
        after = _ask(now, new, gold=gold_after, progress=progress)
        made = [
            _judged(fact, before[fact.case.id], after[fact.case.id])
            for fact in facts
            if fact.case.id in before and fact.case.id in after
        ]
        figures["systems"][name] = _figures(made)
        rows += made
    write_json(target, {"figures": figures, "rows": rows})
    return figures


def _ask(
    spec: SystemSpec,
    cases: tuple[QaCase, ...],
    *,
    gold: Mapping[str, Any],
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """A row for each case that the system could answer, by case id."""
    by_id = {case.id: case for case in cases}
    rows: dict[str, dict[str, Any]] = {}

    def add(item: tuple[str, Any, str | None]) -> None:
        case_id, answer, error = item
        if answer is None:
            return
        rows[case_id] = make_row(
            spec, by_id[case_id], answer, gold=gold[case_id], seed=0, error=error
        )
        progress(f"{spec.name}: edited facts", len(rows), len(cases))

    job = AnswerJob(spec=spec, cases=cases)
    run_in_child(answer_cases, job, on_item=add, progress=progress)
    return rows


def _judged(
    fact: EditedFact, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """What the answers to one question say, of the old value and of the new."""
    text = after["prediction"]
    new = bool(contains(text, fact.case.answers))
    return {
        "system": after["system"],
        "case": after["case"],
        "changed": fact.is_changed,
        "was_right": bool(contains(before["prediction"], fact.old_answers)),
        "new": new,
        "old": bool(contains(text, fact.old_answers)) and not new,
        "hit": after["hit"],
        "read": after["read"],
        "before": before,
        "after": after,
    }


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    changed = [row for row in rows if row["changed"]]
    left = [row for row in rows if not row["changed"]]
    found = [row for row in changed if row["hit"]]
    read = [row for row in found if row["read"]]
    able = [row for row in found if row["was_right"]]
    new = sum(row["new"] for row in found)
    old = sum(row["old"] for row in found)
    return {
        "asked": len(changed),
        "retrieved": len(found),
        "update_success": _rate(new, len(found)),
        "read": len(read),
        "update_success_read": _rate(sum(row["new"] for row in read), len(read)),
        "followed": _rate(sum(row["new"] for row in able), len(able)),
        "stale_rate": _rate(old, len(found)),
        "memorisation_ratio": round(old / (old + new), 4) if old + new else 0.0,
        "untouched_before": _rate(sum(row["was_right"] for row in left), len(left)),
        "untouched_after": _rate(sum(row["new"] for row in left), len(left)),
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
