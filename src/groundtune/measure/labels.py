"""Measures of one label a case: accuracy, F1, confusion.

Pure functions of gold and predicted label names, in the order of the cases. Shares get
Wilson's interval, means of F1 the bootstrap; cases of one group are counted together.
The values equal scikit-learn's, which a test checks. Axis suffixes: N cases, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.measure import f1 as counting
from groundtune.measure.resample import Groups
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import mean_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """How one label fares."""

    precision: Figure
    """Of the cases given this label, the share that has it."""
    recall: Figure
    """Of the cases that have this label, the share that is given it."""
    f1: Figure
    """Rests on the cases that have the label or are given it."""
    support: int
    """Cases that have the label."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "precision": self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
            "support": self.support,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """Every figure of one set of predictions."""

    labels: tuple[str, ...]
    """Order of `by_label` and of both axes of `confusion_L_L`."""
    accuracy: Figure
    """With one label a case this is the micro-averaged F1 as well."""
    macro_f1: Figure
    """Mean over the labels that occur, gold or predicted, each with one voice."""
    weighted_f1: Figure
    """Mean over labels, each with as many voices as it has cases."""
    by_label: dict[str, LabelFigures]
    confusion_L_L: Ints
    """Cases by gold label (row) and predicted label (column)."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "accuracy": self.accuracy.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "weighted_f1": self.weighted_f1.to_json(),
            "by_label": {name: each.to_json() for name, each in self.by_label.items()},
            "labels": list(self.labels),
            "confusion": self.confusion_L_L.tolist(),
        }


class Confusion(NamedTuple):
    """A way of being wrong, and how often it happened."""

    gold: str
    predicted: str
    times: int
    share: float
    """Of the cases that have the label `gold`."""


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Share of cases that get their own label.

    Raises:
        ValueError: There are no cases, or not one prediction for each.
    """
    _check(gold, predicted)
    return sum(g == p for g, p in zip(gold, predicted, strict=True)) / len(gold)


def label_report(
    gold: Sequence[str],
    predicted: Sequence[str],
    *,
    labels: Sequence[str] = (),
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> LabelReport:
    """Measure predicted labels against gold ones.

    Args:
        gold: The label of each case.
        predicted: What each case was given, in the same order.
        labels: Order in which labels are shown. Labels that occur and are not named
            come after them, sorted: no case is ever left out.
        groups: Group of each case, such as its document; each its own if None.
        seed: Where the bootstrap starts.
        draws: Bootstrap draws.

    Raises:
        ValueError: There are no cases, or not one prediction for each.
    """
    _check(gold, predicted)
    extra = (set(gold) | set(predicted)) - set(labels)
    names = (*dict.fromkeys(labels), *sorted(extra))
    place = {name: i for i, name in enumerate(names)}
    gold_N = np.array([place[name] for name in gold])
    predicted_N = np.array([place[name] for name in predicted])
    confusion_L_L = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion_L_L, (gold_N, predicted_N), 1)

    members = list(groups) if groups is not None else list(range(len(gold)))
    rng = np.random.default_rng(seed)
    macro, weighted = _means_of_f1(
        gold_N, predicted_N, len(names), Groups.of(members), rng=rng, draws=draws
    )
    right_N = gold_N == predicted_N
    return LabelReport(
        labels=names,
        accuracy=_share(right_N, np.ones_like(right_N), members, rng=rng),
        macro_f1=macro,
        weighted_f1=weighted,
        by_label={
            name: _one_label(gold_N == i, predicted_N == i, members, rng=rng)
            for i, name in enumerate(names)
        },
        confusion_L_L=confusion_L_L,
    )


def most_confused(report: LabelReport, *, count: int = 10) -> list[Confusion]:
    """The commonest pairs of gold and wrong label, most frequent first."""
    support_L = report.confusion_L_L.sum(axis=1)
    wrong = [
        Confusion(
            gold=report.labels[row],
            predicted=report.labels[column],
            times=int(report.confusion_L_L[row, column]),
            share=float(report.confusion_L_L[row, column] / support_L[row]),
        )
        for row, column in np.argwhere(report.confusion_L_L).tolist()
        if row != column
    ]
    return sorted(wrong, key=lambda found: (-found.times, -found.share))[:count]


def _check(gold: Sequence[str], predicted: Sequence[str]) -> None:
    if not gold or len(gold) != len(predicted):
        msg = f"{len(gold)} cases and {len(predicted)} predictions"
        raise ValueError(msg)


def _means_of_f1(
    gold_N: Ints,
    predicted_N: Ints,
    count: int,
    groups: Groups,
    *,
    rng: np.random.Generator,
    draws: int,
) -> tuple[Figure, Figure]:
    """Macro and weighted F1, from the same draws."""
    cases = len(gold_N)
    counts_3L_N = np.zeros((3 * count, cases))
    every_N = np.arange(cases)
    counts_3L_N[gold_N, every_N] = gold_N == predicted_N
    counts_3L_N[count + predicted_N, every_N] = 1
    counts_3L_N[2 * count + gold_N, every_N] = 1
    seen_1_3L = counts_3L_N.sum(axis=1)[np.newaxis]
    drawn_D_3L = counting.drawn_sums(counts_3L_N, groups, rng=rng, draws=draws)

    def macro(sums: Floats) -> Floats:
        return counting.mean_f1(*np.split(sums, 3, axis=1))

    def weighted(sums: Floats) -> Floats:
        right, found, wanted = np.split(sums, 3, axis=1)
        values = counting.f1(right, found, wanted)
        return counting.ratio((values * wanted).sum(axis=1), wanted.sum(axis=1))

    first, second = (
        counting.figure(
            float(mean(seen_1_3L)[0]), mean(drawn_D_3L), groups, units=cases
        )
        for mean in (macro, weighted)
    )
    return first, second


def _one_label(
    has_N: npt.NDArray[np.bool_],
    given_N: npt.NDArray[np.bool_],
    members: Sequence[Hashable],
    *,
    rng: np.random.Generator,
) -> LabelFigures:
    # Of the cases that have the label or are given it, both hold in a share J, and
    # F1 = 2 J / (1 + J) grows with J: the limits of J are the limits of F1.
    both = _share(has_N & given_N, has_N | given_N, members, rng=rng)
    value, low, high = (2 * j / (1 + j) for j in (both.value, both.low, both.high))
    return LabelFigures(
        precision=_share(has_N, given_N, members, rng=rng),
        recall=_share(given_N, has_N, members, rng=rng),
        f1=Figure(value=value, low=low, high=high, n=both.n),
        support=int(has_N.sum()),
    )


def _share(
    true_N: npt.NDArray[np.bool_],
    among_N: npt.NDArray[np.bool_],
    members: Sequence[Hashable],
    *,
    rng: np.random.Generator,
) -> Figure:
    """Share of `among_N` that is true; 0 with nothing known, [0, 1], among none."""
    chosen = np.flatnonzero(among_N).tolist()
    if not chosen:
        return Figure(value=0.0, low=0.0, high=1.0, n=0)
    share = mean_interval(
        true_N[chosen].astype(np.float64), [members[i] for i in chosen], rng=rng
    )
    return Figure(value=share.value, low=share.low, high=share.high, n=len(chosen))
