"""Logistic regression with few signals, for targets between 0 and 1. Pure.

Targets may be fractions, such as token F1: the loss is the cross-entropy with the
target as the share of successes (Papke and Wooldridge, 1996). Axis suffixes: N cases,
F signals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class Logistic(NamedTuple):
    """A fitted model: `sigmoid(bias + x @ weights_F)` for standardised signals."""

    weights_F: Floats
    bias: float

    def predict(self, signals_N_F: Floats) -> Floats:
        """What to expect of each case, in (0, 1)."""
        from scipy.special import expit

        expected: Any = expit(self.bias + signals_N_F @ self.weights_F)
        return expected


def fit_logistic(signals_N_F: Floats, targets_N: Floats, *, penalty: float) -> Logistic:
    """Weights of the least penalised loss.

    Args:
        signals_N_F: Standardised, so that one penalty fits all.
        targets_N: In [0, 1].
        penalty: Half the sum of squared weights times this is added to the summed
            loss; the bias is free.

    Raises:
        ValueError: A target is not in [0, 1], or `penalty` is not above 0.
    """
    from scipy import optimize

    if penalty <= 0 or targets_N.min(initial=0) < 0 or targets_N.max(initial=1) > 1:
        msg = f"penalty {penalty}, targets from {targets_N.min()} to {targets_N.max()}"
        raise ValueError(msg)

    def loss(packed: Floats) -> tuple[float, Floats]:
        bias, weights_F = packed[0], packed[1:]
        logits_N = bias + signals_N_F @ weights_F
        summed = np.logaddexp(0.0, logits_N).sum() - targets_N @ logits_N
        slope_N = Logistic(weights_F, bias).predict(signals_N_F) - targets_N
        slope = np.concatenate(
            ([slope_N.sum()], signals_N_F.T @ slope_N + penalty * weights_F)
        )
        return float(summed + penalty / 2 * weights_F @ weights_F), slope

    start = np.zeros(signals_N_F.shape[1] + 1)
    found: Any = optimize.minimize(loss, start, jac=True, method="L-BFGS-B")
    return Logistic(found.x[1:], float(found.x[0]))
