"""What a person is told before time is spent: data, odds, what retrieval finds."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from groundtune.config.protocol import ProtocolSettings
from groundtune.measure.corpus import with_corpus_scores
from groundtune.measure.power import power_table
from groundtune.measure.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundtune.recipes.comparison.prepare import Prepared
    from groundtune.store.run import RunFolder

_POOR_HIT_RATE = ProtocolSettings().low_hit_rate
_CEILING = ProtocolSettings().ceiling


def before_training(prepared: Prepared, *, arms: int) -> Iterator[str]:
    """Sizes, doubts about the data, and the smallest gap that can be seen."""
    splits = prepared.splits
    groups = len({case.group or case.source for case in splits.test})
    yield (
        f"{len(splits.train):,} cases to train, {len(splits.dev):,} to choose by, "
        f"{len(splits.test):,} to test from {groups:,} documents ({prepared.regime})"
    )
    for finding in prepared.findings:
        if finding.severity != "info":
            fix = f" (fix: {finding.fix})" if finding.fix else ""
            yield f"{finding.severity}: {finding.message}{fix}"
    # How much cases of one document repeat each other is known only afterwards.
    gaps = power_table(len(splits.test), groups=groups, arms=arms, graded=True)
    seen = ", ".join(
        f"{gap * 100:.1f} points where {float(share):.0%} differ"
        for share, gap in gaps.items()
        if gap is not None
    )
    if seen:
        yield f"smallest gap that will show (80 % power), at best: {seen}"
    unreviewed = sum(not case.reviewed for case in splits.test)
    if unreviewed:
        yield (
            f"{unreviewed:,} of {len(splits.test):,} test cases were drafted and not "
            "reviewed: groundtune questions --review"
        )
    if len(splits.test) < ProtocolSettings().screening_cases:
        yield "under 200 test cases: a screening, good for large gaps only"


def after_retrieval(figures: Mapping[str, float]) -> Iterator[str]:
    """Whether retrieval is what to mend, before anything is trained on top of it."""
    if (rate := figures.get("dev_hit_rate")) is None:
        return
    yield f"retrieval finds the right passage for {rate:.0%} of the dev cases"
    if rate < _POOR_HIT_RATE:
        yield "that is little: mend retrieval first, all arms that read suffer from it"
    if (learned := figures.get("sentence_rank_learned")) is not None:
        yield (
            "training cases teach which sentence is meant: mean reciprocal rank "
            f"{learned:.2f} on documents not learned from, "
            f"{figures['sentence_rank_plain']:.2f} before"
        )


def after_untrained(run: RunFolder, *, measure: str) -> Iterator[str]:
    """The phase gate: what is had without training, before anything is trained."""
    means: dict[str, float] = {}
    for arm in ("plain", "rag"):
        rows = [
            Row.from_json(raw, where=str(run.rows_path))
            for raw in run.rows()
            if raw["system"] == arm
        ]
        if rows:
            scored = with_corpus_scores(rows, [measure])
            means[arm] = fmean(row.scores.get(measure, 0.0) for row in scored)
    if means:
        told = ", ".join(f"{arm} {mean:.2f}" for arm, mean in means.items())
        yield f"without training, {measure.replace('_', ' ')}: {told}"
    if means.get("plain", 0.0) >= _CEILING:
        yield "plain leaves little to win: training can hardly pay"
