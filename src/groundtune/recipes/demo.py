"""The job `demo`: the whole comparison on a world that no model can know.

Documents, questions and edits are invented on the spot; the arms are built, measured
and reported as for anyone's own data, only smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.core.protocols import silent, unheard
from groundtune.data.worlds import make_world, write_world
from groundtune.recipes.compare import compare
from groundtune.recipes.comparison.freshness import EditedFact, measure_freshness
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.report import report, write_html, write_markdown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.measure.comparison import Summary

DEMO_SETTINGS = CompareSettings(
    diagnostics=("naive_both", "nearest_answer"),
    limit=60,
    style_cases=12,
    probe_cases=0,
    dev_cases=24,
    closed_book=TrainSettings(epochs=20.0, max_tokens=24_000, evaluations=3),
    context=TrainSettings(epochs=2.0, max_tokens=40_000, evaluations=3),
)
"""Sized for ten minutes on two CPU cores."""

THOROUGH_SETTINGS = CompareSettings(
    limit=200,
    dev_cases=60,
    closed_book=TrainSettings(epochs=20.0, max_tokens=60_000, evaluations=3),
    context=TrainSettings(epochs=6.0, max_tokens=160_000),
)
"""Enough cases for a verdict that is no screening: about half an hour."""

_EDITS = 20
_UNTOUCHED = 6
_THOROUGH_UNTOUCHED = 40


def demo(
    *,
    out: Path,
    seed: int = 0,
    thorough: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> Summary:
    """Invent a world, compare the four arms on it, edit some facts and ask again.

    Args:
        out: Run folder; the world is written beside it, to `OUT-world`.
        seed: Of the world and of everything else.
        thorough: More cases, more training, every edit.
        progress: Told how far each step is.
        tell: See `compare`.

    Raises:
        GroundtuneError: A model cannot be fetched, or a folder cannot be written.
    """
    world = make_world(seed)
    facts = [
        EditedFact(case=edit.case, old_answers=edit.old_answers)
        for edit in (world.edits if thorough else world.edits[:_EDITS])
    ]
    edited = {edit.case.id.split("/", 1)[1] for edit in world.edits}
    facts += [
        EditedFact(case=case, old_answers=case.answers)
        for case in world.test_seen
        if case.id.split("/", 1)[1] not in edited
    ][: _THOROUGH_UNTOUCHED if thorough else _UNTOUCHED]
    folder = out.with_name(f"{out.name}-world")
    write_world(world, folder)
    compare(
        "qa",
        train=folder / "train.jsonl",
        dev=folder / "dev.jsonl",
        test=folder / "test.jsonl",
        docs=[folder / "docs"],
        seed=seed,
        out=out,
        settings=THOROUGH_SETTINGS if thorough else DEMO_SETTINGS,
        progress=progress,
        tell=tell,
    )
    measure_freshness(
        out,
        facts,
        edited=folder / "edited",
        embedder=DEFAULT_EMBEDDER,
        progress=progress,
    )
    summary = report(out)
    write_html(out, summary)
    write_markdown(out, summary)
    return summary
