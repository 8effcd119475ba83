"""Intervals of cross-validated figures.

An interval over cases takes the model as given. The models of the folds share most of
their training cases, so that they are lucky or unlucky together, and the model that is
kept is one more: an interval as over independent cases is too narrow. No unbiased
estimate of what is missing can be had from one cross-validation (Bengio and Grandvalet,
2004); here stands the correction of Nadeau and Bengio (2003), which errs on the wide
side.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundtune.measure.rows import Figure


def widening(folds: int) -> float:
    """How much wider the interval of a figure over folds is than one over cases.

    The variance of a mean over `K` folds would be `1/K` of that of one fold; where
    their training sets overlap it is `1/K + r` of it, with `r = 1/(K - 1)` the cases of
    a fold over those that its model was trained on.

    Examples:
        >>> widening(5)
        1.5
    """
    return sqrt(1 + folds / (folds - 1))


def widened(figure: Figure, *, folds: int, least: float = 0.0) -> Figure:
    """A figure in `[least, 1]` with both ends as far out as folds ask for."""
    factor = widening(folds)
    return replace(
        figure,
        low=max(least, figure.value - factor * (figure.value - figure.low)),
        high=min(1.0, figure.value + factor * (figure.high - figure.value)),
    )
