"""Risk against coverage, against definitions that are counted out by hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.measure.selective import (
    area_gain,
    area_under_risk,
    auroc,
    best_threshold,
    gain_at,
    risk_coverage,
    score_at,
    with_interval,
)

if TYPE_CHECKING:
    import numpy.typing as npt


def floats(*values: float) -> npt.NDArray[np.float64]:
    return np.array(values, np.float64)


def test_the_surest_are_answered_first() -> None:
    curve = risk_coverage(floats(0.2, 0.9, 0.5), floats(0.0, 1.0, 0.5))
    assert curve.coverage_K == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk_K == pytest.approx([0, 0.25, 0.5])
    assert area_under_risk(floats(0.2, 0.9, 0.5), floats(0, 1, 0.5)) == pytest.approx(
        0.25
    )


def test_ties_give_what_all_their_orders_give_on_average() -> None:
    confidence, scores = [0.9, 0.5, 0.5, 0.5, 0.1], [0.0, 1.0, 0.0, 0.5, 1.0]
    areas: list[float] = []
    for order in itertools.permutations((1, 2, 3)):
        taken = [0, *order, 4]
        means = [np.mean([scores[i] for i in taken[: n + 1]]) for n in range(5)]
        areas.append(float(np.mean([1 - mean for mean in means])))
    found = area_under_risk(floats(*confidence), floats(*scores))
    assert found == pytest.approx(np.mean(areas))


def test_a_confidence_that_knows_nothing_gains_nothing() -> None:
    scores = floats(1, 0, 0.5, 0.25)
    assert area_gain(np.full(4, 0.3), scores) == pytest.approx(0)
    assert gain_at(np.full(4, 0.3), scores, coverage=0.5) == pytest.approx(1)


def test_score_at_a_coverage_rounds_up() -> None:
    confidence, scores = floats(4, 3, 2), floats(1, 0.4, 0)
    assert score_at(confidence, scores, coverage=0.5) == pytest.approx(0.7)
    assert score_at(confidence, scores, coverage=1) == pytest.approx(1.4 / 3)
    with pytest.raises(ValueError, match="coverage is 0"):
        score_at(confidence, scores, coverage=0)


def test_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    confidence, positive = rng.integers(0, 5, 40) / 4, rng.random(40) < 0.4
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a in confidence[positive]
        for b in confidence[~positive]
    ]
    assert auroc(confidence, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auroc(confidence, np.ones(40, bool)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()
        ),
        min_size=1,
        max_size=12,
    )
)
def test_the_threshold_is_best_of_all(rows: list[tuple[int, float, bool]]) -> None:
    confidence = floats(*(row[0] for row in rows))
    answerable = np.array([row[2] for row in rows])
    scores = floats(*(row[1] if row[2] else 0.0 for row in rows))

    def right(threshold: float) -> float:
        given_N = confidence >= threshold
        return float(np.where(given_N, scores, ~answerable).sum())

    found = best_threshold(confidence, scores, answerable)
    everywhere = [*confidence, confidence.max() + 1]
    assert right(found) == pytest.approx(max(map(right, everywhere)))
    # Of equally good ones the lowest: it answers most.
    assert all(right(t) < right(found) for t in everywhere if t < found)


def test_intervals_are_over_groups_and_repeat() -> None:
    rng = np.random.default_rng(1)
    scores, noise = rng.random(60), rng.normal(0, 0.2, 60)
    groups = [str(n // 6) for n in range(60)]

    def interval(of: list[str]) -> tuple[float, float, float]:
        made = with_interval(area_gain, scores + noise, scores, groups=of, seed=3)
        assert made.n == 60
        return made.value, made.low, made.high

    value, low, high = interval(groups)
    assert low < value < high
    assert (value, low, high) == interval(groups)
    # Ten copies of six cases know less than sixty cases.
    copied = np.tile(scores[:6], 10)
    alone = with_interval(
        area_gain, copied, copied, groups=[str(n % 6) for n in range(60)], seed=3
    )
    apart = with_interval(
        area_gain, copied, copied, groups=[str(n) for n in range(60)], seed=3
    )
    assert alone.high - alone.low > 1.5 * (apart.high - apart.low)
