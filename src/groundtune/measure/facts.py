"""Measures of fact-checking: verdicts, evidence found, verdicts on right evidence.

Pure functions. How labels are counted is in `labels`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure.labels import label_report
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.measure.labels import LabelReport


@dataclass(frozen=True, slots=True, kw_only=True)
class FactFigures:
    """How the verdicts of one system fare."""

    macro_f1: Figure
    accuracy: Figure
    by_label: dict[str, Figure]
    """F1 of each label."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "macro_f1": self.macro_f1.to_json(),
            "accuracy": self.accuracy.to_json(),
            **{f"f1 {name}": each.to_json() for name, each in self.by_label.items()},
        }


def fact_figures(
    gold: Sequence[str],
    predicted: Sequence[str],
    *,
    labels: Sequence[str],
    groups: Sequence[str],
    seed: int = 0,
) -> FactFigures:
    """Measure verdicts; cases of one group, such as a document, count together.

    Raises:
        ValueError: There are no cases, or not one verdict for each.
    """
    report: LabelReport = label_report(
        gold, predicted, labels=labels, groups=groups, seed=seed
    )
    return FactFigures(
        macro_f1=report.macro_f1,
        accuracy=report.accuracy,
        by_label={name: each.f1 for name, each in report.by_label.items()},
    )


def evidence_recall(
    found: Sequence[Sequence[str]], gold: Sequence[Sequence[str]], *, k: int
) -> list[float]:
    """Of each claim's deciding documents, the share among the first `k` found.

    Args:
        found: Documents by claim, best first.
        gold: The documents that decide each claim; at least one.
        k: How many are looked at.
    """
    return [
        len(set(wanted) & set(documents[:k])) / len(set(wanted))
        for documents, wanted in zip(found, gold, strict=True)
    ]


def majority_share(gold: Sequence[str]) -> float:
    """Accuracy of the most frequent label.

    Raises:
        ValueError: There are no labels.
    """
    if not gold:
        msg = "no labels"
        raise ValueError(msg)
    return max(Counter(gold).values()) / len(gold)


def share_figure(
    values: Sequence[float], groups: Sequence[str], *, seed: int = 0
) -> Figure:
    """A mean of shares with its interval over groups."""
    rng = np.random.default_rng(seed)
    found = mean_interval(values, groups, rng=rng)
    return Figure(value=found.value, low=found.low, high=found.high, n=len(values))
