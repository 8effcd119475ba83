"""Intervals of cross-validated figures hold what they promise, on small sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.measure.folds import widened, widening
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import wilson

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

FOLDS, CASES, WIDTH = 5, 60, 30
SETS = 400


def test_ends_move_out_and_stay_within_what_there_is() -> None:
    figure = Figure(value=0.9, low=0.8, high=0.94, n=50)

    found = widened(figure, folds=5)
    assert (found.low, found.high) == pytest.approx((0.75, 0.96))
    assert (found.value, found.n) == (0.9, 50)
    assert widened(figure, folds=2).low < found.low
    assert widened(Figure(value=0.2, low=-0.9, high=0.9, n=4), folds=2, least=-1) == (
        Figure(value=0.2, low=-1.0, high=1.0, n=4)
    )
    assert widening(2) == pytest.approx(3**0.5)


def drawn(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Two classes that overlap, as points."""
    signs_N = rng.permutation(np.resize([-1.0, 1.0], count))
    points_N_D = rng.normal(size=(count, WIDTH))
    points_N_D[:, :4] += 0.6 * signs_N[:, np.newaxis]
    return points_N_D, signs_N


def right(train: tuple[Floats, Floats], asked: tuple[Floats, Floats]) -> Floats:
    """Whether each point is nearer to the mean of its own class."""
    points_N_D, signs_N = train
    gap_D = (points_N_D * signs_N[:, np.newaxis]).mean(axis=0)
    return np.sign(asked[0] @ gap_D) == asked[1]


def test_the_wider_interval_holds_where_the_one_over_cases_does_not() -> None:
    rng = np.random.default_rng(0)
    unseen = drawn(rng, 4_000)
    plain = wide = 0
    for _ in range(SETS):
        points_N_D, signs_N = drawn(rng, CASES)
        fold_N = np.arange(CASES) % FOLDS
        hits = 0
        for fold in range(FOLDS):
            own_N = fold_N == fold
            hits += right(
                (points_N_D[~own_N], signs_N[~own_N]),
                (points_N_D[own_N], signs_N[own_N]),
            ).sum()
        limits = wilson(hits, CASES)
        figure = Figure(value=hits / CASES, low=limits.low, high=limits.high, n=CASES)
        truth = right((points_N_D, signs_N), unseen).mean()
        plain += figure.low <= truth <= figure.high
        held = widened(figure, folds=FOLDS)
        wide += held.low <= truth <= held.high

    assert plain / SETS < 0.93
    assert wide / SETS >= 0.95
