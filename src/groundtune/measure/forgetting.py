"""What tuning has cost: facts that the model as published knew, asked again afterwards.

Pure functions of which questions were answered rightly before and after. A small probe
sees large losses only, so every figure has its interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure.resample import Groups
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import gap_interval, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """One tuned system against the model that it came from, on the same questions."""

    before: Figure
    """Share that the model as published answers rightly."""
    after: Figure
    difference: Figure
    """After minus before, paired."""
    kept: Figure
    """Of what was known before, the share that still is; `n` 0 where nothing was."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "difference": self.difference.to_json(),
            "kept": self.kept.to_json(),
        }

    @property
    def is_shown(self) -> bool:
        """Whether the whole interval says that something was lost."""
        return self.difference.high < 0


def forgetting(
    before: Mapping[str, bool], after: Mapping[str, bool], *, seed: int = 0
) -> Forgetting:
    """Compare what was known with what is, on the questions that both were asked.

    Args:
        before: Whether the model as published was right, by question.
        after: The same of the tuned one.
        seed: Of the bootstrap.

    Raises:
        ValueError: They share no question.
    """
    asked = sorted(before.keys() & after.keys())
    if not asked:
        msg = "no question was asked before and after"
        raise ValueError(msg)
    known = [name for name in asked if before[name]]
    gaps_N = np.array([float(after[n]) - float(before[n]) for n in asked])
    gap = gap_interval(
        gaps_N, Groups.of(range(len(asked))), rng=np.random.default_rng(seed)
    )
    return Forgetting(
        before=_rate(sum(before[name] for name in asked), len(asked)),
        after=_rate(sum(after[name] for name in asked), len(asked)),
        difference=Figure(value=gap.value, low=gap.low, high=gap.high, n=len(asked)),
        kept=_rate(sum(after[name] for name in known), len(known)),
    )


def _rate(count: int, n: int) -> Figure:
    if not n:
        return Figure(value=0.0, low=0.0, high=1.0, n=0)
    found = wilson(count, n)
    return Figure(value=found.value, low=found.low, high=found.high, n=n)
