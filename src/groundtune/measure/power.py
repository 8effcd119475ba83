"""How small a gap so many cases can show, and how many cases a gap would need.

`discordance` is the share of cases on which two systems differ; for graded scores, the
mean squared difference. What is printed (`power_table`, `min_detectable`) is worked out
for the tests that a verdict rests on: McNemar's exact test where every case stands for
itself, Student's approximation of sign flips where groups do, both at the error rate
that is left to one pair among several arms. How many cases a gap would need is the
paired form of Connor (1987) and Miettinen (1968), which is close enough for an advice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from groundtune.measure.resample import EXACT_GROUPS, Groups
from groundtune.measure.statistics import CAUTION, standard_error

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

SHOWN_DISCORDANCE = (0.2, 0.3, 0.5)
"""What is printed before a run, when the true discordance is not yet known."""

_STEPS = 30
"""Halvings of a search: to a billionth."""


def cases_to_show(
    gap: float, *, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Cases with which a gap of this size is shown with the given power.

    Not rounded. Infinite for no gap.

    Raises:
        ValueError: The gap is larger than the discordance allows.
    """
    if gap * gap > discordance:
        msg = f"a gap of {gap} needs a discordance of at least {gap * gap:.3f}"
        raise ValueError(msg)
    if gap == 0:
        return math.inf
    z_alpha, z_power = _z(1 - alpha / 2), _z(power)
    root = z_alpha * math.sqrt(discordance) + z_power * math.sqrt(
        discordance - gap * gap
    )
    return (root / gap) ** 2


def cases_to_equate(
    gap: float,
    *,
    margin: float,
    discordance: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Cases with which two systems are shown to differ by less than `margin`.

    Not rounded. Infinite where the gap itself is as large as the margin.
    """
    room = margin - abs(gap)
    if room <= 0:
        return math.inf
    z = _z(1 - alpha) + _z((1 + power) / 2)
    return z * z * discordance / (room * room)


def min_detectable(
    cases: int,
    *,
    discordance: float,
    alpha: float = 0.05,
    power: float = 0.8,
    groups: int | None = None,
    design_effect: float = 1.0,
    arms: int = 2,
    graded: bool = False,
) -> float | None:
    """Smallest gap that this many cases show with the given power.

    None where not even the largest gap possible, all discordant cases going one way,
    would be shown.

    Args:
        cases: Test cases that every arm answers.
        discordance: See the module.
        alpha: Error rate of the verdict, over all pairs of arms together.
        power: Share of runs in which such a gap is to be shown.
        groups: Groups that the cases come from; as many as cases where None.
        design_effect: How many grouped cases say as much as one case alone. It grows
            with the size of the groups and is 1 where they do not lean to one system.
        arms: How many arms the verdict is about.
        graded: Whether scores lie between 0 and 1, so that signs are flipped even
            where every case stands for itself.
    """
    level = pair_alpha(alpha, arms=arms)
    groups = cases if groups is None else groups

    def shown(gap: float) -> float:
        if groups == cases and not graded:
            return chance_mcnemar(gap, cases, discordance=discordance, alpha=level)
        return chance_sign_flips(
            gap,
            cases,
            discordance=discordance,
            alpha=level,
            groups=groups,
            design_effect=design_effect,
            graded=graded,
        )

    low, high = 0.0, math.sqrt(discordance) if graded else discordance
    if shown(high) < power:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) >= power else (middle, high)
    return high


def power_table(
    cases: int,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    groups: int | None = None,
    design_effect: float = 1.0,
    arms: int = 2,
    graded: bool = False,
) -> dict[str, float | None]:
    """Smallest gap shown, by discordance, such as `{"0.2": 0.092, ..}`.

    The arguments are those of `min_detectable`.
    """
    return {
        str(share): min_detectable(
            cases,
            discordance=share,
            alpha=alpha,
            power=power,
            groups=groups,
            design_effect=design_effect,
            arms=arms,
            graded=graded,
        )
        for share in SHOWN_DISCORDANCE
    }


def pair_alpha(alpha: float, *, arms: int) -> float:
    """Error rate left to one pair when all pairs of arms share `alpha` (Tukey, 1953).

    The bounds of a verdict hold for every pair at once, so each pair is judged by the
    largest of all deviations: with equal arms, the range of as many normal variables.
    Two arms have one pair, and the p-value's `CAUTION` is all that is taken off.
    """
    if arms <= 2:
        return CAUTION * alpha
    # P(range <= w) = arms * integral of density(x) * (cdf(x) - cdf(x - w))^(arms - 1).
    at_X = np.linspace(-9.0, 9.0, 3601)
    density_X = np.exp(-at_X * at_X / 2) / math.sqrt(2 * math.pi)
    step = float(at_X[1] - at_X[0])
    low, high = 0.0, 20.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        inside_X = (special.ndtr(at_X) - special.ndtr(at_X - middle)) ** (arms - 1)
        covered = arms * float((density_X * inside_X).sum()) * step
        low, high = (low, middle) if covered >= 1 - alpha else (middle, high)
    return 2 * float(special.ndtr(-high / math.sqrt(2)))


def chance_mcnemar(
    gap: float, cases: int, *, discordance: float, alpha: float = 0.05
) -> float:
    """Chance that McNemar's exact test shows a gap on single cases.

    Summed over how many cases may turn out discordant, and how many of those speak for
    the better system. The chance of showing the wrong one is left out.

    Raises:
        ValueError: The gap is larger than the discordance.
    """
    if gap > discordance:
        msg = f"a gap of {gap} needs a discordance of at least {gap}"
        raise ValueError(msg)
    counts_M = np.arange(cases + 1)
    if discordance < 1:
        # Beyond this lies less than a part in a billion.
        reach = 7 * math.sqrt(cases * discordance) + 7
        middle = cases * discordance
        counts_M = counts_M[abs(counts_M - middle) <= reach]
        chance_M = np.exp(_log_binomial(counts_M, cases, discordance))
    else:
        chance_M = (counts_M == cases).astype(np.float64)
    limits_M = _largest_minority(counts_M, alpha)
    worse = (discordance - gap) / (2 * discordance)
    shown_M = np.where(
        limits_M >= 0, special.bdtr(np.maximum(limits_M, 0), counts_M, worse), 0.0
    )
    return float((chance_M * shown_M).sum())


def chance_sign_flips(
    gap: float,
    cases: int,
    *,
    discordance: float,
    groups: int,
    alpha: float = 0.05,
    design_effect: float = 1.0,
    graded: bool = False,
) -> float:
    """Chance that sign flips of whole groups show a gap, as Student's test would.

    With few groups only some error rates exist; the largest not above `alpha` counts.
    A flip moves a sum of binary scores by twos, and ties count against the better
    system: on average one case is lost.
    """
    if groups < 2:
        return 0.0
    if groups <= EXACT_GROUPS:
        patterns = 2 ** (groups - 1)
        alpha = math.floor(alpha * patterns + 1e-9) / patterns
    if alpha == 0:
        return 0.0
    spread = discordance - gap * gap
    if spread <= 0:
        return 1.0
    error = math.sqrt(design_effect * spread / cases)
    gap = gap if graded else max(0.0, gap - 1 / cases)
    freedom = groups - 1
    limit = float(special.stdtrit(freedom, 1 - alpha / 2))
    return 1 - float(special.nctdtr(freedom, gap / error, limit))


def design_effect(gaps_N: Floats, grouping: Groups) -> float:
    """How many grouped cases say as much as one case alone, as seen; at least 1."""
    alone = standard_error(gaps_N, Groups.of(range(grouping.cases)), doubt=1.0)
    together = standard_error(gaps_N, grouping, doubt=1.0)
    return max(1.0, (together / alone) ** 2)


def rounded_up(cases: float) -> int | None:
    """A number of cases as it is told to a person: two digits; None if infinite."""
    if not math.isfinite(cases):
        return None
    step = 10 ** max(0, math.floor(math.log10(max(1.0, cases))) - 1)
    return math.ceil(cases / step) * step


def _z(probability: float) -> float:
    return float(special.ndtri(probability))


def _log_binomial(counts_M: Ints, trials: int, share: float) -> Floats:
    ways_M = (
        special.gammaln(trials + 1)
        - special.gammaln(counts_M + 1)
        - special.gammaln(trials - counts_M + 1)
    )
    return (
        ways_M + counts_M * math.log(share) + (trials - counts_M) * math.log1p(-share)
    )


def _largest_minority(counts_M: Ints, alpha: float) -> Floats:
    """Most cases for the worse system with which the exact test still rejects.

    -1 where it cannot reject at all.
    """
    # From just above the normal limit down, by the exact tail.
    normal_M = counts_M / 2 + _z(alpha / 2) * np.sqrt(counts_M) / 2
    limits_M = np.minimum(np.floor(np.maximum(normal_M + 1, 0)), counts_M)
    for _ in range(4):
        too_many_M = (limits_M >= 0) & (
            2 * special.bdtr(np.maximum(limits_M, 0), counts_M, 0.5) > alpha
        )
        limits_M = np.where(too_many_M, limits_M - 1, limits_M)
    return limits_M
