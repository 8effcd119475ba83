"""Calibration: against scikit-learn, worked examples, and what scaling must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from groundtune.measure.calibration import (
    brier,
    calibration_figures,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    probabilities,
    reliability_bins,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from groundtune.measure.calibration import Binning

metrics: Any = sklearn_metrics
BY: tuple[Binning, ...] = ("width", "mass")


def drawn(
    cases: int, labels: int, *, seed: int, sharpness: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits, and gold labels that follow the probabilities of other logits."""
    rng = np.random.default_rng(seed)
    true_N_L = rng.normal(size=(cases, labels)) * 2
    chances_N_L = probabilities(true_N_L)
    gold_N = np.array([rng.choice(labels, p=row) for row in chances_N_L])
    return (sharpness * true_N_L).astype(np.float32), gold_N


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_the_temperature_that_was_planted_is_found(sharpness: float) -> None:
    logits_N_L, gold_N = drawn(4000, 5, seed=1, sharpness=sharpness)

    assert fit_temperature(logits_N_L, gold_N) == pytest.approx(sharpness, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), labels=st.integers(2, 7))
def test_scaling_changes_no_prediction_and_never_costs_likelihood(
    seed: int, labels: int
) -> None:
    logits_N_L, gold_N = drawn(60, labels, seed=seed, sharpness=3.0)
    fitted = fit_temperature(logits_N_L, gold_N)

    before, after = (probabilities(logits_N_L, temperature=t) for t in (1.0, fitted))
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert after.sum(axis=1) == pytest.approx(np.ones(60))
    assert (
        negative_log_likelihood(logits_N_L, gold_N, temperature=fitted)
        <= negative_log_likelihood(logits_N_L, gold_N) + 1e-9
    )


def test_the_fitted_temperature_beats_a_grid() -> None:
    logits_N_L, gold_N = drawn(300, 4, seed=2, sharpness=2.0)
    fitted = fit_temperature(logits_N_L, gold_N)
    best = min(
        negative_log_likelihood(logits_N_L, gold_N, temperature=t)
        for t in np.geomspace(0.1, 15, 200)
    )

    assert (
        negative_log_likelihood(logits_N_L, gold_N, temperature=fitted) <= best + 1e-9
    )


def test_likelihood_and_brier_equal_scikit_learns() -> None:
    logits_N_L, gold_N = drawn(200, 3, seed=5, sharpness=1.5)
    probabilities_N_L = probabilities(logits_N_L)

    assert negative_log_likelihood(logits_N_L, gold_N) == pytest.approx(
        metrics.log_loss(gold_N, probabilities_N_L, labels=[0, 1, 2])
    )
    two_N_L = probabilities(logits_N_L[:, :2])
    two_N = np.minimum(gold_N, 1)
    assert brier(two_N_L, two_N) == pytest.approx(
        2 * metrics.brier_score_loss(two_N, two_N_L[:, 1])
    )


def test_a_worked_calibration_error() -> None:
    # Confidence 0.9 twice with one right, 0.6 twice with both right.
    chances_N_L = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    gold_N = np.array([0, 1, 1, 1])

    error = expected_calibration_error(chances_N_L, gold_N, bins=10)
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    found = reliability_bins(chances_N_L, gold_N, bins=10)
    assert [(each.size, each.accuracy) for each in found] == [(2, 1.0), (2, 0.5)]
    assert [each.confidence for each in found] == pytest.approx([0.6, 0.9])


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    chances_N_L = np.array([[0.75, 0.25], [0.76, 0.24], [1.0, 0.0]])
    found = reliability_bins(chances_N_L, np.array([0, 0, 0]), bins=4)

    assert [(each.low, each.high, each.size) for each in found] == [
        (0.5, 0.75, 1),
        (0.75, 1.0, 2),
    ]


@settings(max_examples=25, deadline=None)
@given(cases=st.integers(1, 80), bins=st.integers(1, 20), seed=st.integers(0, 99))
def test_bins_hold_every_case_once(cases: int, bins: int, seed: int) -> None:
    logits_N_L, gold_N = drawn(cases, 3, seed=seed, sharpness=1.0)
    chances_N_L = probabilities(logits_N_L)
    right = float((chances_N_L.argmax(axis=1) == gold_N).sum())
    for by in BY:
        found = reliability_bins(chances_N_L, gold_N, bins=bins, by=by)
        assert sum(each.size for each in found) == cases
        assert sum(each.size * each.accuracy for each in found) == pytest.approx(right)
        assert 0 <= expected_calibration_error(chances_N_L, gold_N, by=by) <= 1
    sizes = [each.size for each in reliability_bins(chances_N_L, gold_N, by="mass")]
    assert max(sizes) - min(sizes) <= 1


def test_scaling_mends_what_training_made_too_sure() -> None:
    logits_N_L, gold_N = drawn(3000, 6, seed=8, sharpness=3.0)
    dev, test = slice(0, 1500), slice(1500, None)
    fitted = fit_temperature(logits_N_L[dev], gold_N[dev])
    before = calibration_figures(logits_N_L[test], gold_N[test])
    after = calibration_figures(logits_N_L[test], gold_N[test], temperature=fitted)

    assert after.error < 0.3 * before.error
    assert after.brier < before.brier
    assert after.nll < before.nll


def test_extreme_logits_stay_finite() -> None:
    logits_N_L = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype=np.float32)

    assert np.isfinite(probabilities(logits_N_L)).all()
    assert negative_log_likelihood(logits_N_L, np.array([0, 1])) == pytest.approx(0)
    assert fit_temperature(np.zeros((0, 2), np.float32), np.array([], int)) == 1.0


@pytest.mark.parametrize("gold", [[0], [0, 1, 0]])
def test_labels_that_do_not_fit_the_rows_are_a_bug(gold: list[int]) -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        brier(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array(gold))
