"""What signals are worth: fitted on labelled cases, judged on cases left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.generate.confidence import Confidence
from groundtune.measure.logistic import fit_logistic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
_LEAST_SCALE = 1e-6
_LEAST = 1e-4


class Judged(NamedTuple):
    """One answer to a labelled case, as calibration sees it."""

    case: str
    group: str
    signals: Mapping[str, float | None]
    score: float
    """Token F1; 0 for any answer to a question that has none."""
    answerable: bool
    abstained: bool
    """The system itself said that it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A confidence, and what it said of each case when it had not seen its group."""

    confidence: Confidence
    penalty: float
    left_out_N: Floats


def fit_confidence(judged: Sequence[Judged], *, seed: int) -> Fitted:
    """Fit the confidence; the penalty is the one that foretells left-out groups best.

    Args:
        judged: Cases of at least two groups; those on which the system abstained by
            itself teach nothing and are given 0.
        seed: Of the folds.
    """
    said = [one for one in judged if not one.abstained]
    folds_N = _folds([one.group for one in said], seed=seed)
    targets_N = np.array([one.score for one in said])
    best: tuple[float, float, Floats] | None = None
    for penalty in PENALTIES:
        left_out_N = np.zeros(len(said))
        for fold in np.unique(folds_N):
            rest = [one for one, at in zip(said, folds_N, strict=True) if at != fold]
            fitted = _fit(rest, penalty=penalty)
            for place in np.flatnonzero(folds_N == fold):
                left_out_N[place] = fitted.of(said[place].signals)
        loss = float(np.mean((left_out_N - targets_N) ** 2))
        if best is None or loss < best[0]:
            best = (loss, penalty, left_out_N)
    assert best is not None, "there is more than one penalty"
    _, penalty, left_out_N = best
    confidence = _fit(said, penalty=penalty)
    slope, shift = _stretch(left_out_N, targets_N)
    everything_N = np.zeros(len(judged))
    everything_N[[not one.abstained for one in judged]] = _sigmoid(
        slope * _logit(left_out_N) + shift
    )
    return Fitted(
        confidence=replace(
            confidence,
            weights={name: slope * w for name, w in confidence.weights.items()},
            bias=slope * confidence.bias + shift,
        ),
        penalty=penalty,
        left_out_N=everything_N,
    )


def _stretch(confidence_N: Floats, targets_N: Floats) -> tuple[float, float]:
    """Slope and shift, on the scale of logits, that make confidences keep their word.

    A penalty draws all confidences together. This draws them apart again, as far as
    cases bear out that were left out (Platt, 1999); no order changes.
    """
    fitted = fit_logistic(_logit(confidence_N)[:, None], targets_N, penalty=_LEAST)
    slope = float(fitted.weights_F[0])
    return (slope, fitted.bias) if slope > 0 else (1.0, 0.0)


def _logit(share_N: Floats) -> Floats:
    inside_N = np.clip(share_N, _LEAST, 1 - _LEAST)
    return np.log(inside_N / (1 - inside_N))


def _sigmoid(logit_N: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logit_N))


def confidences(judged: Sequence[Judged], confidence: Confidence) -> Floats:
    """How sure to be of each; 0 where the system abstained by itself."""
    return np.array(
        [0.0 if one.abstained else confidence.of(one.signals) for one in judged]
    )


def _fit(judged: Sequence[Judged], *, penalty: float) -> Confidence:
    names = sorted({name for one in judged for name in one.signals})
    means: dict[str, float] = {}
    scales: dict[str, float] = {}
    columns: list[Floats] = []
    for name in names:
        known = [v for one in judged if (v := one.signals.get(name)) is not None]
        scale = float(np.std(known)) if known else 0.0
        if scale < _LEAST_SCALE:
            continue  # it tells no answers apart
        means[name], scales[name] = float(np.mean(known)), scale
        columns.append(
            np.array(
                [
                    0.0
                    if (v := one.signals.get(name)) is None
                    else (v - means[name]) / scale
                    for one in judged
                ]
            )
        )
    signals_N_F = np.stack(columns, axis=1) if columns else np.zeros((len(judged), 0))
    targets_N = np.array([one.score for one in judged])
    fitted = fit_logistic(signals_N_F, targets_N, penalty=penalty)
    return Confidence(
        means=means,
        scales=scales,
        weights=dict(zip(means, map(float, fitted.weights_F), strict=True)),
        bias=fitted.bias,
    )


def _folds(groups: Sequence[str], *, seed: int) -> npt.NDArray[np.int64]:
    """A fold for each case; a group is never divided."""
    names = sorted(set(groups))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    fold = {names[place]: at % FOLDS for at, place in enumerate(order)}
    return np.array([fold[group] for group in groups], np.int64)
