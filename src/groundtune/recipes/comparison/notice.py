"""What a person is told before time is spent: data, odds, what retrieval finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.config.protocol import ProtocolSettings
from groundtune.measure.power import power_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundtune.recipes.comparison.prepare import Prepared

_POOR_HIT_RATE = ProtocolSettings().low_hit_rate


def before_training(prepared: Prepared) -> Iterator[str]:
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
    gaps = power_table(len(splits.test))
    seen = ", ".join(
        f"{gap * 100:.1f} points where {float(share):.0%} differ"
        for share, gap in gaps.items()
        if gap is not None
    )
    if seen:
        yield f"smallest gap that will show (80 % power): {seen}"
    if len(splits.test) < ProtocolSettings().screening_cases:
        yield "under 200 test cases: a screening, good for large gaps only"


def after_retrieval(figures: Mapping[str, float]) -> Iterator[str]:
    """Whether retrieval is what to mend, before anything is trained on top of it."""
    if (rate := figures.get("dev_hit_rate")) is None:
        return
    yield f"retrieval finds the right passage for {rate:.0%} of the dev cases"
    if rate < _POOR_HIT_RATE:
        yield "that is little: mend retrieval first, all arms that read suffer from it"
