"""Intervals and tests for means and paired differences of scores in [0, 1].

Pure functions of arrays; chance comes in as an `rng`. The formulas, their sources and
the choices made where few groups or ties leave a textbook method too bold are written
out in `docs/protocol.md` and `docs/decisions/0006-statistics.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from groundtune.measure import resample
from groundtune.measure.resample import EXACT_GROUPS, Groups

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LEVEL = 0.95
"""Confidence of every interval that is shown."""

CAUTION = 0.8
"""Share of alpha that a p-value must stay below before a verdict calls an arm better.

Sign flips reject equal systems in exactly alpha of all runs where gaps are symmetric,
and in somewhat more where one system wins seldom and much and the other often and
little. A fifth is kept for that; `docs/protocol.md` shows what it gives."""

_NO_WIDTH = 1e-8
"""Narrower intervals are of gaps that are all alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate between its limits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Mean of `a` minus `b` over the same cases, and how surprising it is."""

    difference: float
    low: float
    high: float
    p: float
    """Two-sided, never 0; exact McNemar or sign flips of whole groups."""
    n: int
    groups: int
    test: str
    """Which test made `p`: `mcnemar`, `sign-flip exact` or `sign-flip`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided tests that a difference lies inside plus or minus a margin."""

    p: float
    low: float
    high: float
    """Limits of the 90 % interval: equivalent where both lie inside the margin."""
    equivalent: bool


def wilson(successes: float, n: float, *, z: float | None = None) -> Interval:
    """Wilson's score interval for a rate (Wilson, 1927).

    Args:
        successes: Between 0 and `n`; a fraction where `n` is an effective size.
        n: Trials.
        z: Quantile to use; of the normal distribution at 95 % if not given.

    Raises:
        ValueError: There are no trials, or more successes than trials.
    """
    if not 0 <= successes <= n or n == 0:
        msg = f"{successes} successes of {n}"
        raise ValueError(msg)
    if z is None:
        z = float(special.ndtri((1 + LEVEL) / 2))
    rate = successes / n
    shrink = 1 + z * z / n
    middle = (rate + z * z / (2 * n)) / shrink
    half = z * np.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2) / shrink
    # At the ends the limit is the rate itself, which rounding would miss.
    low = 0.0 if successes == 0 else float(middle - half)
    high = 1.0 if successes == n else float(middle + half)
    return Interval(value=rate, low=min(low, rate), high=max(high, rate))


def mean_interval(
    scores: Sequence[float] | Floats,
    groups: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
) -> Interval:
    """Mean of scores, itself in [0, 1], with its interval over groups.

    Rates get Wilson's interval on the effective number of cases; graded scores the
    bootstrap over groups, or Student's interval over groups where they are few.

    Raises:
        ValueError: There are no cases.
    """
    values_N = np.asarray(scores, dtype=np.float64)
    grouping = Groups.of(groups)
    assert grouping.cases == len(values_N), "one group per case"
    mean = float(values_N.mean())
    spread = float(values_N.var())
    if spread < 1e-18 or np.isin(values_N, (0.0, 1.0)).all():
        return _rate_interval(mean, spread, values_N, grouping)
    if grouping.count == 1:
        return Interval(value=mean, low=0.0, high=1.0)
    if grouping.count <= EXACT_GROUPS:
        half = _student(LEVEL, grouping.count - 1) * standard_error(values_N, grouping)
        low, high = mean - half, mean + half
    else:
        drawn_D = resample.bootstrap_means(
            values_N[np.newaxis], grouping, rng=rng, draws=draws
        )[:, 0]
        low, high = percentile_limits(drawn_D, grouping.count)
    return Interval(
        value=mean,
        low=float(max(0, min(low, mean))),
        high=float(min(1, max(high, mean))),
    )


def _rate_interval(
    mean: float, spread: float, values_N: Floats, grouping: Groups
) -> Interval:
    cases, count = grouping.cases, grouping.count
    rate = min(1.0, max(0.0, mean))
    if count in (1, cases) or spread < 1e-18:
        return wilson(rate * cases, cases)
    # Cases of one group repeat each other: count them as fewer (design effect).
    errors_G = grouping.totals((values_N - mean)[np.newaxis])[0]
    clustered = count / (count - 1) * float((errors_G**2).sum()) / cases**2
    effective = cases / max(1.0, clustered / (spread / cases))
    return wilson(rate * effective, effective, z=_student(LEVEL, count - 1))


def standard_error(gaps_N: Floats, grouping: Groups, *, doubt: float = 0.0) -> float:
    """Standard error of a mean over groups, by linearisation.

    Args:
        gaps_N: One value per case.
        grouping: Which group each case is in.
        doubt: Discordant cases, half of them each way, added to what was seen. With
            none seen at all an error of 0 would prove equality from three cases.
    """
    count, cases = grouping.count, grouping.cases
    errors_G = grouping.totals((gaps_N - gaps_N.mean())[np.newaxis])[0]
    scale = count / (count - 1) if count > 1 else 1.0
    total = scale * float((errors_G**2).sum()) + doubt
    return float(np.sqrt(total)) / (cases + 2 * doubt)


def percentile_limits(drawn_D: Floats, count: int) -> tuple[float, float]:
    """Expanded percentile limits of bootstrap draws (Hesterberg, 2015).

    The plain percentile interval is too narrow by the factor
    `sqrt((count - 1) / count)` and by the normal standing in for Student's t; taking
    the percentiles further out makes good for both.
    """
    wide = np.sqrt(count / (count - 1)) * _student(LEVEL, count - 1)
    tail = float(special.ndtr(-wide))
    low, high = np.quantile(drawn_D, [tail, 1 - tail])
    return float(low), float(high)


def _student(level: float, freedom: float) -> float:
    return float(special.stdtrit(freedom, (1 + level) / 2))


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value from the cases that only one of two got right."""
    fewer, discordant = min(only_a, only_b), only_a + only_b
    if discordant == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(fewer, discordant, 0.5)))


def compare_paired(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    groups: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
) -> PairedDifference:
    """Compare two systems on the same cases, in the same order.

    Binary scores that are not grouped are tested by McNemar's exact test, all else
    by flipping the signs of whole groups. The interval is the bootstrap over groups;
    for 12 groups or fewer it is the exact sign-flip test turned inside out, since a
    bootstrap of few groups is too narrow. Five groups or fewer can show nothing at
    the 5 % level, and then the interval is all that scores allow, [-1, 1].

    Raises:
        ValueError: There are no cases.
    """
    gaps_N = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    grouping = Groups.of(groups)
    return compare_gaps(gaps_N, grouping, rng=rng, draws=draws)


def compare_gaps(
    gaps_N: Floats,
    grouping: Groups,
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
    drawn_D: Floats | None = None,
) -> PairedDifference:
    """As `compare_paired`, from the differences; see `gap_interval` for `drawn_D`."""
    p, test = _test(gaps_N, grouping, rng=rng, draws=draws)
    interval = gap_interval(gaps_N, grouping, rng=rng, draws=draws, drawn_D=drawn_D)
    return PairedDifference(
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=p,
        n=grouping.cases,
        groups=grouping.count,
        test=test,
    )


def _test(
    gaps_N: Floats, grouping: Groups, *, rng: np.random.Generator, draws: int
) -> tuple[float, str]:
    ungrouped = grouping.count == grouping.cases
    if ungrouped and np.isin(gaps_N, (-1.0, 0.0, 1.0)).all():
        return mcnemar(int((gaps_N > 0).sum()), int((gaps_N < 0).sum())), "mcnemar"
    p = resample.sign_flip_p(gaps_N[np.newaxis], grouping, rng=rng, draws=draws)
    exact = " exact" if grouping.count <= EXACT_GROUPS else ""
    return float(p[0]), f"sign-flip{exact}"


def gap_interval(
    gaps_N: Floats,
    grouping: Groups,
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
    bound: float = 1.0,
    drawn_D: Floats | None = None,
) -> Interval:
    """Mean of paired gaps in `[-bound, bound]` with its 95 % interval over groups.

    Args:
        gaps_N: One difference per case.
        grouping: Which group each case is in.
        rng: The only source of chance.
        draws: Bootstrap draws.
        bound: Largest difference that the scores allow.
        drawn_D: Bootstrap means already drawn, so that several intervals share them.
    """
    mean = float(gaps_N.mean())
    if grouping.count <= EXACT_GROUPS:
        low, high = resample.sign_flip_interval(gaps_N, grouping, level=LEVEL)
    else:
        if drawn_D is None:
            drawn_D = resample.bootstrap_means(
                gaps_N[np.newaxis], grouping, rng=rng, draws=draws
            )[:, 0]
        low, high = percentile_limits(drawn_D, grouping.count)
    if high - low < _NO_WIDTH:
        # Gaps that are all alike resample to one value: leave room for what one
        # discordant case, not seen so far, would change.
        half = _student(LEVEL, max(1, grouping.count - 1)) * standard_error(
            gaps_N, grouping, doubt=1.0
        )
        low, high = mean - half, mean + half
    return Interval(
        value=mean,
        low=float(max(-bound, min(low, mean))),
        high=float(min(bound, max(high, mean))),
    )


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p-values (Holm, 1979), keyed and ordered as given.

    An adjusted value at most alpha is a rejection with the family's error at alpha.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for done, name in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        scaled = min(1.0, (len(p_values) - done) * p_values[name])
        largest = max(largest, scaled)
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def tost(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    groups: Sequence[Hashable],
    *,
    margin: float,
    alpha: float = 0.05,
) -> Equivalence:
    """Test that two systems differ by less than `margin` (Schuirmann, 1987).

    Two one-sided t-tests over groups. A single group shows nothing.

    Raises:
        ValueError: There are no cases.
    """
    gaps_N = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    grouping = Groups.of(groups)
    if grouping.count == 1:
        return Equivalence(p=1.0, low=-1.0, high=1.0, equivalent=False)
    freedom = grouping.count - 1
    mean = float(gaps_N.mean())
    error = standard_error(gaps_N, grouping, doubt=1.0)
    half = _student(1 - 2 * alpha, freedom) * error
    p = float(special.stdtr(freedom, (abs(mean) - margin) / error))
    return Equivalence(p=p, low=mean - half, high=mean + half, equivalent=p <= alpha)
