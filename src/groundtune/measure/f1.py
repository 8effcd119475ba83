"""Precision, recall and F1 from counts, and the intervals of figures made of counts.

What `labels` and `entities` share. A figure such as F1 is no mean over cases but a
ratio of sums, so cases (or their groups) are drawn again and the ratio is worked out in
each draw. Axis suffixes: K labels or types, N cases, D draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure import resample
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import percentile_limits, wilson

if TYPE_CHECKING:
    import numpy.typing as npt

    from groundtune.measure.resample import Groups

    Floats = npt.NDArray[np.float64]

DRAWS = 2_000
"""Bootstrap draws of a figure made of counts."""


def ratio(above: Floats, below: Floats) -> Floats:
    """`above / below`, and 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def f1(right: Floats, found: Floats, wanted: Floats) -> Floats:
    """Harmonic mean of precision and recall; 0 where nothing is found or wanted.

    Args:
        right: How many were found rightly.
        found: How many were found.
        wanted: How many there are.
    """
    return ratio(2 * right, found + wanted)


def mean_f1(right_D_K: Floats, found_D_K: Floats, wanted_D_K: Floats) -> Floats:
    """Mean F1 over the labels that are found or wanted at all, `(D,)`.

    A label that does not occur can be neither right nor wrong, so it does not count.
    """
    occurs_D_K = (found_D_K + wanted_D_K) > 0
    values_D_K = f1(right_D_K, found_D_K, wanted_D_K)
    return ratio(values_D_K.sum(axis=1), occurs_D_K.sum(axis=1).astype(np.float64))


def drawn_sums(
    counts_K_N: Floats, groups: Groups, *, rng: np.random.Generator, draws: int
) -> Floats:
    """Sums over as many cases as there are, of cases drawn again by group, `(D, K)`."""
    means_D_K = resample.bootstrap_means(counts_K_N, groups, rng=rng, draws=draws)
    return means_D_K * groups.cases


def figure(value: float, drawn_D: Floats, groups: Groups, *, units: float) -> Figure:
    """A value in [0, 1] with the limits that its draws give.

    Args:
        value: The figure itself.
        drawn_D: The same figure in each bootstrap draw.
        groups: What was drawn.
        units: Things that the figure counts. Where all draws agree (everything right,
            or nothing) they say only that few errors are to be expected, and Wilson's
            limits for a rate over so many units stand in.
    """
    if groups.count == 1 or units == 0:
        return Figure(value=value, low=0.0, high=1.0, n=groups.cases)
    if float(np.ptp(drawn_D)) < 1e-12:
        limits = wilson(value * units, units)
        low, high = limits.low, limits.high
    else:
        low, high = percentile_limits(drawn_D, groups.count)
    return Figure(
        value=value,
        low=float(max(0.0, min(low, value))),
        high=float(min(1.0, max(high, value))),
        n=groups.cases,
    )


def difference(
    value: float, drawn_D: Floats, groups: Groups, *, bound: float = 1.0
) -> Figure:
    """A difference of two figures in `[0, bound]`, with the limits of its draws.

    Draws that all agree cannot show a difference: then everything is possible.
    """
    if groups.count == 1 or float(np.ptp(drawn_D)) < 1e-12:
        low, high = -bound, bound
    else:
        low, high = percentile_limits(drawn_D, groups.count)
    return Figure(
        value=value,
        low=float(max(-bound, min(low, value))),
        high=float(min(bound, max(high, value))),
        n=groups.cases,
    )
