"""Logistic regression against its own conditions for a minimum."""

from __future__ import annotations

import numpy as np
import pytest

from groundtune.measure.logistic import fit_logistic


def test_what_made_the_targets_is_found() -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(4000, 2))
    share = 1 / (1 + np.exp(-(0.5 + signals @ [1.5, -0.8])))
    found = fit_logistic(signals, share, penalty=1e-3)
    assert found.weights_F == pytest.approx([1.5, -0.8], abs=0.01)
    assert found.bias == pytest.approx(0.5, abs=0.01)
    assert found.predict(signals) == pytest.approx(share, abs=0.01)


def test_the_penalised_gradient_is_nothing_at_the_fit() -> None:
    rng = np.random.default_rng(1)
    signals, targets = rng.normal(size=(50, 3)), rng.random(50)
    found = fit_logistic(signals, targets, penalty=7.0)
    gap = found.predict(signals) - targets
    assert gap.sum() == pytest.approx(0, abs=1e-3)
    assert signals.T @ gap + 7.0 * found.weights_F == pytest.approx(0, abs=1e-3)


def test_separable_targets_stay_finite() -> None:
    signals = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    found = fit_logistic(signals, np.array([0.0, 0, 1, 1]), penalty=1.0)
    assert 0.5 < found.weights_F[0] < 5


@pytest.mark.parametrize(("penalty", "target"), [(0.0, 1.0), (1.0, 1.2), (1.0, -0.1)])
def test_what_cannot_be_fitted_is_refused(penalty: float, target: float) -> None:
    with pytest.raises(ValueError, match="penalty"):
        fit_logistic(np.ones((1, 1)), np.array([target]), penalty=penalty)
