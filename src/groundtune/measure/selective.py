"""Answering only where one is sure: risk against coverage. Pure.

Risk is 1 minus the mean score of the cases that are answered, coverage is their share.
The curve and its area follow Geifman and El-Yaniv, "Selective Classification for Deep
Neural Networks" (2017) and "Bias-Reduced Uncertainty Estimation for Deep Neural
Classifiers" (2019). Axis suffix: N cases, K numbers of answered cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.measure.resample import Groups
from groundtune.measure.statistics import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Figure = Callable[[Floats, Floats], float]

DRAWS = 2_000
"""Resamples behind an interval; each sorts all cases again."""


class RiskCoverage(NamedTuple):
    """The curve: at each number of answered cases, the surest first."""

    coverage_K: Floats
    risk_K: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveFigure:
    """A figure between its limits."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int]:
        """As `--json` prints it."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


def risk_coverage(confidence_N: Floats, scores_N: Floats) -> RiskCoverage:
    """The curve over all cases.

    Equal confidences share their scores evenly: what would be seen on average if they
    were put in a random order.

    Raises:
        ValueError: There are no cases, or not one score for each.
    """
    if not len(confidence_N) or confidence_N.shape != scores_N.shape:
        msg = f"{confidence_N.shape} confidences for {scores_N.shape} scores"
        raise ValueError(msg)
    _, rank_N, size_R = np.unique(
        -confidence_N, return_inverse=True, return_counts=True
    )
    shared_R = np.bincount(rank_N, weights=scores_N) / size_R
    scores_K = np.repeat(shared_R, size_R)
    count_K = np.arange(1, len(scores_K) + 1, dtype=np.float64)
    return RiskCoverage(count_K / len(scores_K), 1.0 - np.cumsum(scores_K) / count_K)


def area_under_risk(confidence_N: Floats, scores_N: Floats) -> float:
    """AURC: mean risk over all coverages.

    A confidence that knows nothing has that of answering everything,
    `1 - mean(scores)`, on average.
    """
    return float(risk_coverage(confidence_N, scores_N).risk_K.mean())


def area_gain(confidence_N: Floats, scores_N: Floats) -> float:
    """By what share the area under the curve is below that of never abstaining."""
    always = 1.0 - float(scores_N.mean())
    return 1.0 - area_under_risk(confidence_N, scores_N) / always if always else 0.0


def score_at(confidence_N: Floats, scores_N: Floats, *, coverage: float) -> float:
    """Mean score of the surest cases, as many as `coverage` asks for, rounded up.

    Raises:
        ValueError: `coverage` is not in (0, 1].
    """
    if not 0 < coverage <= 1:
        msg = f"coverage is {coverage}"
        raise ValueError(msg)
    curve = risk_coverage(confidence_N, scores_N)
    answered = int(np.ceil(coverage * len(scores_N) - 1e-9))
    return 1.0 - float(curve.risk_K[answered - 1])


def gain_at(confidence_N: Floats, scores_N: Floats, *, coverage: float) -> float:
    """Mean score at a coverage over that of answering everything; NaN if that is 0."""
    mean = float(scores_N.mean())
    at = score_at(confidence_N, scores_N, coverage=coverage)
    return at / mean if mean else float("nan")


def auroc(confidence_N: Floats, positive_N: npt.NDArray[np.bool_]) -> float:
    """How often a positive case has a higher confidence than a negative one.

    Ties count half: the statistic of Mann and Whitney over its greatest value. NaN
    where one of the two kinds is missing.
    """
    from scipy import stats

    positive = int(positive_N.sum())
    negative = len(positive_N) - positive
    if not positive or not negative:
        return float("nan")
    ranks_N: Any = stats.rankdata(confidence_N)
    above = float(ranks_N[positive_N].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)


def with_interval(
    figure: Figure,
    confidence_N: Floats,
    scores_N: Floats,
    *,
    groups: Sequence[Hashable],
    seed: int,
    draws: int = DRAWS,
) -> SelectiveFigure:
    """A figure of confidences and scores, with its percentile bootstrap interval.

    Whole groups are drawn: what is asked about one document stands or falls together.
    Draws in which the figure is not defined are left out.
    """
    drawn = Groups.of(groups)
    members = [np.flatnonzero(drawn.codes == code) for code in range(drawn.count)]
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(draws):
        places = np.concatenate(
            [members[code] for code in rng.integers(drawn.count, size=drawn.count)]
        )
        found.append(figure(confidence_N[places], scores_N[places]))
    known = np.array([value for value in found if np.isfinite(value)])
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(known, [edge, 1 - edge]) if len(known) else (np.nan, np.nan)
    return SelectiveFigure(
        value=figure(confidence_N, scores_N),
        low=float(low),
        high=float(high),
        n=len(scores_N),
    )


def best_threshold(
    confidence_N: Floats, scores_N: Floats, answerable_N: npt.NDArray[np.bool_]
) -> float:
    """The confidence from which answering pays.

    An answer is worth its score, and saying "not in the documents" is worth 1 where
    that is right and 0 where it is not: the score of SQuAD 2.0 (Rajpurkar et al.,
    2018), greatest here. Of equally good thresholds the lowest, which answers most.

    Returns:
        Answer where the confidence is at least this; above every confidence seen if
        nothing should be answered.
    """
    order = np.argsort(-confidence_N, kind="stable")
    refused = float((~answerable_N).sum())
    gains = np.cumsum(scores_N[order] - ~answerable_N[order])
    sorted_N = confidence_N[order]
    # A threshold cannot stand between equal confidences.
    ends = np.append(sorted_N[1:] < sorted_N[:-1], True)
    totals = np.where(ends, refused + gains, -np.inf)
    best = float(totals.max(initial=-np.inf))
    if refused > best:
        return float(np.nextafter(sorted_N[0], np.inf))
    return float(sorted_N[np.flatnonzero(totals == best)[-1]])
