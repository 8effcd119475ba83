"""Resampling whole groups of cases: bootstrap draws and sign flips.

Questions about one document stand or fall together, so the document (`group`) is what
is drawn and what is flipped, never the single case. Axis suffixes: K quantities, N
cases, G groups, D draws. A name ends in the axes it has, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

EXACT_GROUPS = 12
"""Up to here all sign patterns are tried: 2,048 of them at most."""

_BLOCK_CELLS = 1_000_000
"""Draws times groups held at once: bounds memory at about 20 MB."""

_ROUNDING = 1e-9
"""Sums of flipped values that differ by less are one value."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group each case is in."""

    codes: Ints
    """`(N,)`: number of the group of each case, from 0."""
    sizes: Floats
    """`(G,)`: cases in each group."""

    @classmethod
    def of(cls, labels: Sequence[Hashable]) -> Groups:
        """Number the labels in order of first appearance.

        Raises:
            ValueError: There are no cases.
        """
        if len(labels) == 0:
            msg = "no cases to compare"
            raise ValueError(msg)
        seen: dict[Hashable, int] = {}
        numbers = [seen.setdefault(label, len(seen)) for label in labels]
        numbers_N = np.array(numbers, dtype=np.int64)
        return cls(numbers_N, np.bincount(numbers_N).astype(np.float64))

    @property
    def count(self) -> int:
        """How many groups."""
        return len(self.sizes)

    @property
    def cases(self) -> int:
        """How many cases."""
        return len(self.codes)

    def totals(self, values_K_N: Floats) -> Floats:
        """Sum each quantity within each group, `(K, G)`."""
        totals_K_G = np.zeros((len(values_K_N), self.count))
        for row, values_N in enumerate(values_K_N):
            totals_K_G[row] = np.bincount(self.codes, weights=values_N)
        return totals_K_G


def bootstrap_means(
    values_K_N: Floats, groups: Groups, *, rng: np.random.Generator, draws: int
) -> Floats:
    """Means over cases when whole groups are drawn with replacement.

    Every quantity sees the same draws, so differences between columns are paired.

    Returns:
        Array of shape `(draws, K)`.
    """
    totals_K_G = groups.totals(values_K_N)
    count = groups.count
    means = np.empty((draws, len(values_K_N)))
    for start, size in _blocks(draws, count):
        drawn = rng.integers(count, size=(size, count))
        drawn += (np.arange(size) * count)[:, np.newaxis]
        counts_D_G = (
            np.bincount(drawn.ravel(), minlength=size * count)
            .reshape(size, count)
            .astype(np.float64)
        )
        cases_D = counts_D_G @ groups.sizes
        means[start : start + size] = (counts_D_G @ totals_K_G.T) / cases_D[:, None]
    return means


def sign_flip_p(
    gaps_K_N: Floats, groups: Groups, *, rng: np.random.Generator, draws: int
) -> Floats:
    """Two-sided p-value of each quantity under flipping the sign of whole groups.

    Exact for up to `EXACT_GROUPS` groups, where the smallest value possible is
    2 ** (1 - groups); beyond that `(1 + as extreme) / (1 + draws)`. Never 0.
    """
    totals_K_G = groups.totals(gaps_K_N)
    seen_K = np.abs(totals_K_G.sum(axis=1)) - _ROUNDING
    if groups.count <= EXACT_GROUPS:
        flipped_D_K = np.abs(_all_signs(groups.count) @ totals_K_G.T)
        return (flipped_D_K >= seen_K).mean(axis=0)
    extreme_K = np.zeros(len(gaps_K_N))
    for _, size in _blocks(draws, groups.count):
        bits = rng.integers(2, size=(size, groups.count), dtype=np.int8)
        # Flipping is subtracting twice what is flipped: no second array of signs.
        kept = totals_K_G.sum(axis=1) - 2 * (bits.astype(np.float64) @ totals_K_G.T)
        extreme_K += (np.abs(kept) >= seen_K).sum(axis=0)
    return (1 + extreme_K) / (1 + draws)


def sign_flip_interval(
    gaps_N: Floats, groups: Groups, *, level: float
) -> tuple[float, float]:
    """All shifts that the exact sign-flip test at `1 - level` does not reject.

    A sign pattern splits the groups in two, and is as extreme as what was seen
    exactly for shifts between the two halves' means. So the limits are order
    statistics of those means (Hartigan's typical values, 1969). Scores of a few values
    put many patterns at a limit; held in every such run it would hold the truth too
    often, so it is left out, by a billionth, where the test rejects it with ties
    counted half (mid-p; Lancaster, 1961). Infinite where there are too few groups for
    any p-value to be that small.
    """
    totals_G = groups.totals(gaps_N[np.newaxis])[0]
    signs_D_G = _all_signs(groups.count)[1:]
    outer_D, inner_D = (
        ((1 + side * signs_D_G) @ totals_G) / ((1 + side * signs_D_G) @ groups.sizes)
        for side in (1, -1)
    )
    most = (1 - level) * (len(signs_D_G) + 1) + _ROUNDING
    if most < 1:
        return -np.inf, np.inf
    low = _limit(np.minimum(outer_D, inner_D), most)
    return low, -_limit(-np.maximum(outer_D, inner_D), most)


def _limit(ends_D: Floats, most: float) -> float:
    """The least shift that is not rejected, from where each pattern becomes extreme.

    Args:
        ends_D: Shift above which a pattern is as extreme as what was seen.
        most: Patterns, what was seen among them, up to which a shift is rejected.
    """
    limit = np.sort(ends_D)[int(most) - 1]
    below = (ends_D < limit - _ROUNDING).sum()
    there = (ends_D <= limit + _ROUNDING).sum() - below
    is_rejected = 1 + below + there / 2 <= most
    return float(limit) + (_ROUNDING if is_rejected else -_ROUNDING)


def _all_signs(count: int) -> Floats:
    """Every sign pattern, `(2 ** (count - 1), count)`; the first is all ones.

    The first group keeps its sign: a pattern and its mirror are equally extreme.
    """
    patterns = np.arange(2 ** (count - 1))[:, np.newaxis]
    bits = (patterns >> np.arange(count - 1)) & 1
    return np.hstack([np.ones((len(bits), 1)), 1.0 - 2.0 * bits])


def _blocks(draws: int, count: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK_CELLS // count)
    for start in range(0, draws, step):
        yield start, min(step, draws - start)
