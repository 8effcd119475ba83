"""What more training cases would bring: a learning curve, carried on past its end.

The form is a power law with an asymptote, `score(n) = a - b * n ** -c`: the error of a
learner falls towards a floor that no amount of the same kind of data removes (Cortes et
al., 1994; Hestness et al., 2017). A good fit is not yet a good forecast, and mostly
promises too much (Mahmood et al., 2022); therefore every forecast is bootstrapped,
comes with an interval, ends at ten times the data, and is refused where the curve does
not carry it. Measures that fall with more data, such as losses, are not handled.

Pure functions of scores; training at several sizes is the work of whoever calls. Axis
suffixes: S sizes, N test cases, D draws, C exponents, T points of a curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure.resample import Groups, bootstrap_means

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

FEWEST_SIZES = 4
"""Three fix the curve; a fourth is the first that can contradict it."""

FARTHEST = 10
"""Times the largest size beyond which nothing is said."""

LEVEL = 0.8
"""Confidence of the intervals."""

RISE = 0.95
"""Share of the draws that must rise before more data is said to help at all."""

_EXPONENTS = np.geomspace(0.05, 1.5, 48)
"""From hardly any gain by doubling to nearly three times less error."""

_SMALLEST_ERROR = 1e-4
"""Standard error that a point is never believed beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One training, measured."""

    cases: int
    """Training cases; the sizes of a curve are nested."""
    score: float
    """Mean score in [0, 1] on the test cases."""
    error: float = 0.0
    """Its standard error; not needed where `scores` are given."""
    seed: int = 0
    scores: tuple[float, ...] = ()
    """By test case, the same cases in the same order at every point; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Where a curve goes, and how much data a target would take."""

    cases_to_reach: int | None
    """None where it is refused, or no target was set."""
    low: int | None
    high: int | None
    """None where the interval goes on beyond ten times the data."""
    refused: bool
    why: str
    """Why it is refused, or what was found, in one sentence."""
    asymptote: tuple[float, float, float] | None
    """Value and interval of the score that no amount of such data exceeds; None where
    no curve was fitted."""
    curve: tuple[tuple[int, float, float, float], ...]
    """Training cases, score of a training with so many, and its interval."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        ends = ("value", "low", "high")
        return {
            "cases_to_reach": self.cases_to_reach,
            "low": self.low,
            "high": self.high,
            "refused": self.refused,
            "why": self.why,
            "asymptote": dict(zip(ends, self.asymptote, strict=True))
            if self.asymptote
            else None,
            "curve": [list(point) for point in self.curve],
        }


def forecast(
    points: Sequence[CurvePoint],
    *,
    target: float | None = None,
    at: Sequence[int] = (),
    groups: Sequence[Hashable] = (),
    rng: np.random.Generator,
    draws: int = 2_000,
) -> Forecast:
    """Carry a learning curve on.

    Test cases are drawn again, the same ones at every size, where `points` have scores
    by case; otherwise each score is drawn from its standard error. How much trainings
    of one size differ is added where some size has several seeds, and whatever the
    points miss the curve by beyond that widens everything. The interval is of the score
    that one training would show on such test cases.

    Args:
        points: At least `FEWEST_SIZES` sizes; several seeds of a size are averaged.
        target: Score to reach, such as that of another arm.
        at: Training cases to forecast, beside the sizes given and a few in between.
        groups: Group of each test case, where cases have scores; each alone if empty.
        rng: The only source of chance.
        draws: How many times the curve is drawn and fitted again.

    Raises:
        ValueError: A point has no cases, or some have scores by case and some have
            not, or of another number.
    """
    sizes = sorted({point.cases for point in points})
    if not sizes or sizes[0] < 1:
        msg = "every point needs training cases"
        raise ValueError(msg)
    if len(sizes) < FEWEST_SIZES:
        return _refusal(
            f"A curve needs trainings of {FEWEST_SIZES} sizes at least, and there are "
            f"{len(sizes)}."
        )
    seen_S, drawn_D_S, run_error = _drawn(
        points, sizes, groups=groups, rng=rng, draws=draws
    )
    sizes_S = np.array(sizes, dtype=np.float64)
    most = sizes[-1]
    if not _rises(sizes_S, drawn_D_S):
        return _refusal(
            f"From {sizes[0]:,} to {most:,} training cases the score does not rise by "
            "more than chance: more data of this kind is not shown to help."
        )
    weights_S = 1 / np.maximum(drawn_D_S.var(axis=0), _SMALLEST_ERROR**2)
    best = _fit(sizes_S, seen_S[np.newaxis], weights_S)
    # Points that miss the curve by more than their noise say that there is more noise.
    misses_S = seen_S - best.at(sizes_S)[0]
    spare = len(sizes) - 3
    excess = float(np.sqrt((weights_S * misses_S**2).sum() / spare))
    if excess > 1:
        drawn_D_S = seen_S + excess * (drawn_D_S - seen_S)
    fits = _fit(sizes_S, drawn_D_S, weights_S)
    noise_D = rng.normal(0, run_error, len(drawn_D_S)) if run_error else 0.0

    wanted = sorted({*sizes, *_between(most), *at})
    values_D_T = fits.at(np.array(wanted, dtype=np.float64))
    values_D_T = (values_D_T.T + noise_D).T
    middle_T = best.at(np.array(wanted, dtype=np.float64))[0]
    curve = tuple(
        (n, float(middle), *_ends(values_D, middle=float(middle)))
        for n, middle, values_D in zip(wanted, middle_T, values_D_T.T, strict=True)
    )
    top = float(1 - best.floor_D[0])
    asymptote = (top, *_ends(1 - fits.floor_D, middle=top))
    if target is None:
        return Forecast(
            cases_to_reach=None,
            low=None,
            high=None,
            refused=False,
            why=f"The score still rises at {most:,} training cases.",
            asymptote=asymptote,
            curve=curve,
        )
    return _reaching(target, fits, most=most, asymptote=asymptote, curve=curve)


@dataclass(frozen=True, slots=True)
class _Fits:
    """Curves fitted to several draws: the error is `floor + scale * n ** -power`."""

    floor_D: Floats
    scale_D: Floats
    power_D: Floats

    def at(self, sizes_T: Floats) -> Floats:
        """Scores `(D, T)`."""
        falls_D_T = sizes_T[np.newaxis] ** -self.power_D[:, np.newaxis]
        return 1 - self.floor_D[:, None] - self.scale_D[:, None] * falls_D_T

    def cases_for(self, target: float) -> Floats:
        """Cases with which each curve reaches a score; infinite where it never does."""
        room_D = (1 - target) - self.floor_D
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            cases_D = (self.scale_D / room_D) ** (1 / self.power_D)
        return np.where(room_D > 0, cases_D, np.inf)


def _fit(sizes_S: Floats, scores_D_S: Floats, weights_S: Floats) -> _Fits:
    """Weighted least squares with floor and scale at least 0, a curve for each draw.

    For a given exponent the rest is linear, and its bounds leave few candidates; so all
    exponents of a grid are tried, and nothing can fail to converge.
    """
    errors_D_S = 1 - scores_D_S
    weights_S = weights_S / weights_S.sum()
    falls_C_S = sizes_S[np.newaxis] ** -_EXPONENTS[:, np.newaxis]
    fall_C = falls_C_S @ weights_S
    error_D = errors_D_S @ weights_S
    spread_C = (falls_C_S**2) @ weights_S - fall_C**2
    shared_D_C = (errors_D_S * weights_S) @ falls_C_S.T - np.outer(error_D, fall_C)
    scale_D_C = np.maximum(shared_D_C / spread_C, 0)
    floor_D_C = error_D[:, np.newaxis] - scale_D_C * fall_C
    # Without a floor: the scale alone, through the origin.
    alone_D_C = ((errors_D_S * weights_S) @ falls_C_S.T) / (falls_C_S**2 @ weights_S)
    scale_D_C = np.where(floor_D_C < 0, np.maximum(alone_D_C, 0), scale_D_C)
    floor_D_C = np.maximum(floor_D_C, 0)
    loss_D_C = np.zeros_like(scale_D_C)
    for place, weight in enumerate(weights_S):
        miss_D_C = errors_D_S[:, place, None] - floor_D_C
        loss_D_C += weight * (miss_D_C - scale_D_C * falls_C_S[:, place]) ** 2
    best_D = loss_D_C.argmin(axis=1)
    at = np.arange(len(best_D))
    return _Fits(floor_D_C[at, best_D], scale_D_C[at, best_D], _EXPONENTS[best_D])


def _drawn(
    points: Sequence[CurvePoint],
    sizes: Sequence[int],
    *,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    draws: int,
) -> tuple[Floats, Floats, float]:
    """Scores by size, draws of them, and the standard error of a single training."""
    by_size = [[p for p in points if p.cases == size] for size in sizes]
    counts_S = np.array([len(found) for found in by_size], dtype=np.float64)
    lengths = {len(point.scores) for point in points}
    if len(lengths) > 1:
        msg = "all points need scores of the same cases, or none"
        raise ValueError(msg)
    spare = float((counts_S - 1).sum())
    squares = sum(float(np.var([p.score for p in f])) * len(f) for f in by_size)
    between = squares / spare if spare else 0.0
    if lengths == {0}:
        seen_S = np.array([float(np.mean([p.score for p in f])) for f in by_size])
        errors_S = np.array(
            [float(np.sqrt(np.mean([p.error**2 for p in f]))) for f in by_size]
        )
        wide_S = np.maximum(errors_S, _SMALLEST_ERROR)
        if not spare:
            drawn_D_S = rng.normal(seen_S, wide_S, (draws, len(sizes)))
            return seen_S, drawn_D_S, float(wide_S[-1])
        # Seeds tell all that differs between trainings; test cases move all alike.
        drawn_D_S = seen_S + rng.standard_normal((draws, 1)) * wide_S
        drawn_D_S += rng.normal(0, np.sqrt(between / counts_S), drawn_D_S.shape)
        return seen_S, drawn_D_S, float(np.sqrt(between))

    by_run: list[Floats] = [
        np.array([p.scores for p in found], dtype=np.float64) for found in by_size
    ]
    scores_S_N = np.stack([scores.mean(axis=0) for scores in by_run])
    seen_S = np.array([float(scores.mean()) for scores in scores_S_N])
    cases = scores_S_N.shape[1]
    labels = list(groups) or list(range(cases))
    drawn_D_S = bootstrap_means(scores_S_N, Groups.of(labels), rng=rng, draws=draws)
    if not spare:
        # What changes from one size to the next is mostly one training's chance.
        changes = float((np.diff(scores_S_N, axis=0) ** 2).mean()) / 2
        return seen_S, drawn_D_S, float(np.sqrt(changes / cases))
    # Drawing cases already holds what trainings differ in case by case.
    own = sum(float(np.var(scores, axis=0).sum()) * len(scores) for scores in by_run)
    beyond = max(0.0, between - own / spare / cases**2)
    drawn_D_S += rng.normal(0, np.sqrt(beyond / counts_S), drawn_D_S.shape)
    return seen_S, drawn_D_S, float(np.sqrt(between))


def _rises(sizes_S: Floats, drawn_D_S: Floats) -> bool:
    """Whether nearly all draws rise with each doubling, taken over all sizes."""
    logs_S = np.log(sizes_S) - np.log(sizes_S).mean()
    return bool((drawn_D_S @ logs_S > 0).mean() >= RISE)


def _between(most: int) -> tuple[int, ...]:
    """Sizes that a picture of the curve needs, beyond those that were measured."""
    return tuple(most * factor for factor in (2, 3, 5, FARTHEST))


def _ends(values_D: Floats, *, middle: float) -> tuple[float, float]:
    low, high = np.quantile(values_D, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # The best fit lies inside; no score lies outside [0, 1].
    return float(max(0.0, min(low, middle))), float(min(1.0, max(high, middle)))


def _reaching(
    target: float,
    fits: _Fits,
    *,
    most: int,
    asymptote: tuple[float, float, float],
    curve: tuple[tuple[int, float, float, float], ...],
) -> Forecast:
    if asymptote[2] < target:
        return _refusal(
            f"The curve levels off below {target:.3f}: its ceiling is "
            f"{asymptote[0]:.3f} [{asymptote[1]:.3f}, {asymptote[2]:.3f}], and no "
            "amount of this kind of data is seen to lift it further.",
            asymptote=asymptote,
            curve=curve,
        )
    needed_D = fits.cases_for(target)
    low, middle, high = np.quantile(
        needed_D, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], method="inverted_cdf"
    )
    if not middle <= FARTHEST * most:
        return _refusal(
            f"Reaching {target:.3f} would take more than {FARTHEST} times the "
            f"{most:,} training cases there are, which is farther than a curve can be "
            "carried on honestly.",
            asymptote=asymptote,
            curve=curve,
        )
    cases = _whole(middle)
    fewest = _whole(low)
    highest = _whole(high) if high <= FARTHEST * most else None
    upto = (
        f"and {highest:,}"
        if highest is not None
        else f"and more than {FARTHEST} times the data there is"
    )
    return Forecast(
        cases_to_reach=cases,
        low=fewest,
        high=highest,
        refused=False,
        why=(
            f"About {cases:,} training cases would reach {target:.3f}; four times in "
            f"five it is between {fewest:,} {upto}."
        ),
        asymptote=asymptote,
        curve=curve,
    )


def _whole(cases: float) -> int:
    return max(1, int(np.ceil(cases)))


def _refusal(
    why: str,
    *,
    asymptote: tuple[float, float, float] | None = None,
    curve: tuple[tuple[int, float, float, float], ...] = (),
) -> Forecast:
    return Forecast(
        cases_to_reach=None,
        low=None,
        high=None,
        refused=True,
        why=why,
        asymptote=asymptote,
        curve=curve,
    )
