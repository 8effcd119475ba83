"""All arms at once: joint draws, and bounds that hold for every pair together.

What a verdict may say about several arms comes from here; single contrasts and their
p-values are in `statistics`. Axis suffixes: A arms, N cases, D draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from groundtune.measure import power, resample
from groundtune.measure.resample import EXACT_GROUPS, Groups
from groundtune.measure.statistics import (
    CAUTION,
    LEVEL,
    Interval,
    PairedDifference,
    compare_gaps,
    gap_interval,
    holm,
    standard_error,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

    from groundtune.config.protocol import ProtocolSettings

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Scores of several arms on the same cases, resampled together."""

    names: tuple[str, ...]
    scores: Floats
    """`(A, N)`."""
    grouping: Groups
    """Which group each case is in."""
    means: Floats
    """`(D, A)`: bootstrap means; the same groups were drawn for every arm."""

    flip_seed: int
    """State in which every sign-flip test of these arms starts, so that a contrast has
    one p-value wherever it is shown."""

    def mean(self, name: str) -> float:
        """Mean score of one arm."""
        return float(self.scores[self.names.index(name)].mean())

    def gaps(self, a: str, b: str) -> Floats:
        """Score of `a` minus score of `b`, case by case."""
        first, second = self.names.index(a), self.names.index(b)
        return self.scores[first] - self.scores[second]

    def without(self, dropped: Sequence[str]) -> Joint:
        """The same draws with some arms left out."""
        kept = [i for i, name in enumerate(self.names) if name not in dropped]
        return Joint(
            names=tuple(self.names[i] for i in kept),
            scores=self.scores[kept],
            grouping=self.grouping,
            flip_seed=self.flip_seed,
            means=self.means[:, kept],
        )


def join(
    scores: Mapping[str, Sequence[float] | Floats],
    groups: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    draws: int = 10_000,
) -> Joint:
    """Resample all arms with the same groups in every draw.

    Raises:
        ValueError: There are no cases or no arms.
    """
    scores_A_N = np.array([scores[name] for name in scores], dtype=np.float64)
    grouping = Groups.of(groups)
    flip_seed = int(rng.integers(2**32))
    return Joint(
        flip_seed=flip_seed,
        names=tuple(scores),
        scores=scores_A_N,
        grouping=grouping,
        means=resample.bootstrap_means(scores_A_N, grouping, rng=rng, draws=draws),
    )


def difference(joint: Joint, a: str, b: str) -> PairedDifference:
    """Compare two arms, with the interval taken from the joint draws.

    As `compare_paired`, but every difference of a report rests on one set of draws.
    """
    first, second = joint.names.index(a), joint.names.index(b)
    return compare_gaps(
        joint.gaps(a, b),
        joint.grouping,
        rng=np.random.default_rng(joint.flip_seed),
        draws=len(joint.means),
        drawn_D=joint.means[:, first] - joint.means[:, second],
    )


def simultaneous_lower(joint: Joint, *, alpha: float = 1 - LEVEL) -> Floats:
    """Lower bounds of every arm's lead over every other, all true together.

    `[i, j]` bounds arm i minus arm j from below, and `[i, j]` for all pairs hold at
    once with confidence `1 - alpha`: the studentised maximum over all ordered pairs
    of the joint bootstrap, a single step in the manner of Hsu's comparison with the
    best. With 12 groups or fewer: exact sign flips with Bonferroni's correction,
    which needs 8 groups for four arms and is minus infinity below that. A verdict on
    quality needs 9 of them, for `CAUTION`.
    """
    arms = len(joint.names)
    lower_A_A = np.zeros((arms, arms))
    pairs = [(i, j) for i in range(arms) for j in range(arms) if i != j]
    if not pairs:
        return lower_A_A
    if joint.grouping.count <= EXACT_GROUPS:
        level = 1 - 2 * alpha / len(pairs)
        for i, j in pairs:
            gaps_N = joint.scores[i] - joint.scores[j]
            low, _ = resample.sign_flip_interval(gaps_N, joint.grouping, level=level)
            error = standard_error(gaps_N, joint.grouping, doubt=1.0)
            # Gaps that are all alike must not look like proof.
            lower_A_A[i, j] = min(low, float(gaps_N.mean()) - _reach(error, joint))
        return lower_A_A

    means_A = joint.scores.mean(axis=1)
    errors: dict[tuple[int, int], float] = {}
    most_D = np.full(len(joint.means), -np.inf)
    for i, j in pairs:
        gaps_N = joint.scores[i] - joint.scores[j]
        errors[i, j] = standard_error(gaps_N, joint.grouping, doubt=1.0)
        shift_D = joint.means[:, i] - joint.means[:, j] - gaps_N.mean()
        np.maximum(most_D, shift_D / errors[i, j], out=most_D)
    # At least the bound for one pair alone: identical arms must not shrink it.
    normal = max(float(np.quantile(most_D, 1 - alpha)), float(special.ndtri(1 - alpha)))
    freedom = joint.grouping.count - 1
    reach = float(special.stdtrit(freedom, special.ndtr(normal)))
    for i, j in pairs:
        lower_A_A[i, j] = means_A[i] - means_A[j] - reach * errors[i, j]
    return lower_A_A


def _reach(error: float, joint: Joint) -> float:
    freedom = max(1, joint.grouping.count - 1)
    return float(special.stdtrit(freedom, LEVEL)) * error


def shown_better(
    joint: Joint,
    *,
    alpha: float = 1 - LEVEL,
    p_values: Mapping[tuple[str, str], float] | None = None,
) -> set[tuple[str, str]]:
    """Pairs `(better, worse)` that both ways of testing agree on.

    A simultaneous lower bound above 0, and a sign-flip or McNemar p-value that Holm's
    correction over all pairs leaves at `CAUTION * alpha` or below. The second guards
    the first where scores are skewed, tied or few.

    Args:
        joint: The arms.
        alpha: Error rate over all pairs together.
        p_values: Of each pair in the order of the arms, where they are known already.
    """
    pairs = list(combinations(joint.names, 2))
    if not pairs:
        return set()
    known = p_values or {pair: difference(joint, *pair).p for pair in pairs}
    adjusted = holm({f"{a}-{b}": known[a, b] for a, b in pairs})
    lower_A_A = simultaneous_lower(joint, alpha=alpha)
    at = joint.names.index
    better: set[tuple[str, str]] = set()
    for a, b in pairs:
        if adjusted[f"{a}-{b}"] > CAUTION * alpha:
            continue
        if lower_A_A[at(a), at(b)] > 0:
            better.add((a, b))
        elif lower_A_A[at(b), at(a)] > 0:
            better.add((b, a))
    return better


def chance_of_best(joint: Joint) -> dict[str, float]:
    """Share of the joint draws in which each arm is the best; ties are split."""
    best_D = joint.means.max(axis=1, keepdims=True)
    top_D_A = (joint.means >= best_D - 1e-12).astype(np.float64)
    shares_A = (top_D_A / top_D_A.sum(axis=1, keepdims=True)).mean(axis=0)
    return {name: float(shares_A[i]) for i, name in enumerate(joint.names)}


def interaction(joint: Joint) -> Interval | None:
    """How much more tuning gives with retrieval: (both - rag) - (tuned - plain).

    Above 0 they help each other, below 0 they get in each other's way. None where
    one of the four arms is missing.
    """
    if not {"plain", "rag", "tuned", "both"} <= set(joint.names):
        return None
    plain, rag, tuned, both = map(joint.names.index, ("plain", "rag", "tuned", "both"))
    weights_A = np.zeros(len(joint.names))
    weights_A[[both, rag, tuned, plain]] = [1, -1, -1, 1]
    return gap_interval(
        weights_A @ joint.scores,
        joint.grouping,
        rng=np.random.default_rng(joint.flip_seed),
        bound=2.0,
        drawn_D=joint.means @ weights_A,
    )


def detectable(
    joint: Joint, planned: Sequence[tuple[str, str]], settings: ProtocolSettings
) -> dict[str, float | None]:
    """Smallest gap that such cases show, groups counted as they turned out to weigh."""
    effects = [
        power.design_effect(joint.gaps(a, b), joint.grouping) for a, b in planned
    ]
    return power.power_table(
        joint.grouping.cases,
        alpha=settings.alpha,
        power=settings.power,
        groups=joint.grouping.count,
        design_effect=max(effects, default=1.0),
        arms=len(joint.names),
        graded=not np.isin(joint.scores, (0.0, 1.0)).all(),
    )
