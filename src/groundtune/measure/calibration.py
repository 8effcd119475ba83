"""Whether a model's probabilities can be taken at their word, and how to mend them.

Pure functions of logits or probabilities `(N, L)` and gold label numbers `(N,)`. The
calibration error and temperature scaling follow Guo et al., "On Calibration of Modern
Neural Networks" (2017); its bins of equal width are those of Naeini et al. (2015), bins
of equal mass those of Nguyen and O'Connor (2015). Axis suffixes: N cases, L labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]
    Doubles = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]

Binning = Literal["width", "mass"]
"""Bins of equal width in confidence, or of equal numbers of cases."""

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""Between these a temperature is sought; beyond them the dev cases cannot tell."""


class Bin(NamedTuple):
    """Cases of similar confidence: what was promised and what was kept."""

    low: float
    """Least confidence: of the bin by width, of its cases by mass."""
    high: float
    confidence: float
    """Mean probability of the label that was given."""
    accuracy: float
    size: int
    """How many cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFigures:
    """How far probabilities can be trusted, in one set of cases."""

    error: float
    """Expected calibration error, 15 bins of equal width."""
    error_mass: float
    """The same with 15 bins of equal mass."""
    brier: float
    nll: float

    def to_json(self) -> dict[str, float]:
        """As `--json` prints it."""
        return {
            "calibration_error": self.error,
            "calibration_error_mass": self.error_mass,
            "brier": self.brier,
            "nll": self.nll,
        }


def probabilities(logits_N_L: Floats, *, temperature: float = 1.0) -> Doubles:
    """Softmax of the logits divided by a temperature, in double precision.

    Raises:
        ValueError: The temperature is not above 0.
    """
    return np.exp(_log_probabilities(logits_N_L, temperature))


def fit_temperature(logits_N_L: Floats, gold_N: Ints) -> float:
    """The one temperature under which the gold labels are likeliest.

    Fit it on dev cases, then divide any logits by it. The order of labels within a
    case stays, so no prediction changes; only how sure the model says it is.

    Returns:
        Above 1 where the model is too sure, below 1 where it is not sure enough. With
        every dev case right by far, or with no cases, nothing can be fitted: the search
        ends at `MIN_TEMPERATURE`, or 1.0 is returned.

    Raises:
        ValueError: There is not one label for each row.
    """
    from scipy import optimize

    _check(logits_N_L, gold_N)
    if len(gold_N) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(
            logits_N_L, gold_N, temperature=float(np.exp(log_temperature))
        )

    # In 1 / temperature the loss is convex, so that one search finds the only minimum.
    bounds = (float(np.log(MIN_TEMPERATURE)), float(np.log(MAX_TEMPERATURE)))
    found: Any = optimize.minimize_scalar(
        loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities_N_L: Floats, gold_N: Ints, *, bins: int = 15, by: Binning = "width"
) -> float:
    """Mean distance between confidence and accuracy, over bins weighted by cases.

    0 is best. The value depends on the bins and is biased upwards in small samples:
    compare only values of the same bins and about as many cases.

    Raises:
        ValueError: There are no cases, or not one label for each row.
    """
    found = reliability_bins(probabilities_N_L, gold_N, bins=bins, by=by)
    apart = sum(abs(each.accuracy - each.confidence) * each.size for each in found)
    return apart / len(gold_N)


def reliability_bins(
    probabilities_N_L: Floats, gold_N: Ints, *, bins: int = 15, by: Binning = "width"
) -> list[Bin]:
    """Cases by the probability of the label that they are given, least sure first.

    Bins of equal width are `(low, high]`, as in Guo et al.; empty ones are left out.

    Raises:
        ValueError: There are no cases, or not one label for each row.
    """
    _check(probabilities_N_L, gold_N)
    if len(gold_N) == 0:
        msg = "no cases"
        raise ValueError(msg)
    confidence_N = probabilities_N_L.max(axis=1).astype(np.float64)
    right_N = (probabilities_N_L.argmax(axis=1) == gold_N).astype(np.float64)
    order_N = np.argsort(confidence_N, kind="stable")
    if by == "mass":
        parts = np.array_split(order_N, min(bins, len(order_N)))
        limits = [(confidence_N[part[0]], confidence_N[part[-1]]) for part in parts]
    else:
        edges = np.linspace(0, 1, bins + 1)
        cuts = np.searchsorted(confidence_N[order_N], edges[1:-1], side="right")
        parts = np.split(order_N, cuts)
        limits = list(pairwise(edges.tolist()))
    return [
        Bin(
            low=float(low),
            high=float(high),
            confidence=float(confidence_N[part].mean()),
            accuracy=float(right_N[part].mean()),
            size=len(part),
        )
        for part, (low, high) in zip(parts, limits, strict=True)
        if len(part)
    ]


def brier(probabilities_N_L: Floats, gold_N: Ints) -> float:
    """Squared distance from certainty in the right label, summed over labels.

    Between 0 and 2, as Brier defined it (1950); twice what is often given for two
    labels.

    Raises:
        ValueError: There is not one label for each row.
    """
    _check(probabilities_N_L, gold_N)
    apart_N_L = probabilities_N_L.astype(np.float64)
    apart_N_L[np.arange(len(gold_N)), gold_N] -= 1
    return float((apart_N_L**2).sum(axis=1).mean())


def negative_log_likelihood(
    logits_N_L: Floats, gold_N: Ints, *, temperature: float = 1.0
) -> float:
    """Mean of minus the natural logarithm of the right label's probability.

    Raises:
        ValueError: There is not one label for each row.
    """
    _check(logits_N_L, gold_N)
    log_N_L = _log_probabilities(logits_N_L, temperature)
    return float(-log_N_L[np.arange(len(gold_N)), gold_N].mean())


def calibration_figures(
    logits_N_L: Floats, gold_N: Ints, *, temperature: float = 1.0
) -> CalibrationFigures:
    """All of these at once, for logits divided by a temperature."""
    probabilities_N_L = probabilities(logits_N_L, temperature=temperature)
    return CalibrationFigures(
        error=expected_calibration_error(probabilities_N_L, gold_N),
        error_mass=expected_calibration_error(probabilities_N_L, gold_N, by="mass"),
        brier=brier(probabilities_N_L, gold_N),
        nll=negative_log_likelihood(logits_N_L, gold_N, temperature=temperature),
    )


def _log_probabilities(logits_N_L: Floats, temperature: float) -> Doubles:
    if not temperature > 0:
        msg = f"temperature is {temperature}"
        raise ValueError(msg)
    scaled_N_L = logits_N_L.astype(np.float64) / temperature
    scaled_N_L -= scaled_N_L.max(axis=1, keepdims=True)
    return scaled_N_L - np.log(np.exp(scaled_N_L).sum(axis=1, keepdims=True))


def _check(scores_N_L: Floats, gold_N: Ints) -> None:
    if scores_N_L.ndim != 2 or scores_N_L.shape[:1] != gold_N.shape:
        msg = f"scores of shape {scores_N_L.shape}, labels of shape {gold_N.shape}"
        raise ValueError(msg)
