"""The job `demo`: the whole comparison on a world that no model can know.

Documents, questions and edits are invented on the spot; the arms are built, measured
and reported as for anyone's own data, only smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.config.compare import CompareSettings
from groundtune.config.training import TrainSettings
from groundtune.core.protocols import silent
from groundtune.data.worlds import make_world, write_world
from groundtune.recipes.compare import compare, unheard
from groundtune.recipes.comparison.freshness import EditedFact, measure_freshness
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.recipes.report import report, write_html

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.measure.comparison import Summary

DEMO_SETTINGS = CompareSettings(
    diagnostics=("naive_both", "nearest_answer"),
    limit=60,
    style_cases=5,
    dev_cases=24,
    closed_book=TrainSettings(epochs=20.0, max_tokens=27_000, evaluations=3),
    context=TrainSettings(epochs=2.0, max_tokens=44_000, evaluations=3),
)
"""Sized for ten minutes on two CPU cores."""

_EDITS = 24


def demo(
    *,
    out: Path,
    seed: int = 0,
    settings: CompareSettings = DEMO_SETTINGS,
    progress: Progress = silent,
    tell: Callable[[str], None] = unheard,
) -> Summary:
    """Invent a world, compare the four arms on it, edit some facts and ask again.

    Args:
        out: Run folder; the world is written beside it, to `OUT-world`.
        seed: Of the world and of everything else.
        settings: Sizes.
        progress: Told how far each step is.
        tell: See `compare`.

    Raises:
        GroundtuneError: A model cannot be fetched, or a folder cannot be written.
    """
    world = make_world(seed)
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
        settings=settings,
        progress=progress,
        tell=tell,
    )
    measure_freshness(
        out,
        [
            EditedFact(case=edit.case, old_answers=edit.old_answers)
            for edit in world.edits[:_EDITS]
        ],
        edited=folder / "edited",
        embedder=DEFAULT_EMBEDDER,
        progress=progress,
    )
    summary = report(out)
    write_html(out, summary)
    return summary
