"""A verdict model on wording: how a claim and its evidence are worded, weighed by data.

What the rule compares (words shared, directions, negations, numbers, likeness) become
features of a claim, and softmax regression learns from labelled claims what they are
worth. Trained in seconds, without torch; its weights are a page of JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.data.opposites import cues
from groundtune.store.files import read_json, write_json
from groundtune.systems.fact_checker import Verdict
from groundtune.tasks.fact_check import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.core.values import FactLabel
    from groundtune.systems.fact_checker import Evidence

    Floats = npt.NDArray[np.float64]

WORDING = "wording.json"
"""The file of such a model, alone in its folder."""
VERSION = "wording-1"
"""Bump when the features change: a model remembers what it was trained with."""
PULL = 33.0
"""Strength of the pull of the weights towards 0, against the summed loss; chosen by
cross-validation over SciFact's training claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingWeights:
    """Softmax regression over standardised features. Axes: F features, L labels."""

    means: list[float]
    scales: list[float]
    weights: list[list[float]]
    """F rows of L."""
    bias: list[float]

    def shares(self, rows_N_F: Floats) -> Floats:
        """Shares of the labels, `(N, L)`."""
        scaled = (rows_N_F - np.array(self.means)) / np.array(self.scales)
        logits = scaled @ np.array(self.weights) + np.array(self.bias)
        found = np.exp(logits - logits.max(axis=1, keepdims=True))
        return found / found.sum(axis=1, keepdims=True)


def features(claim: str, evidence: Sequence[Evidence]) -> list[float]:
    """What is known of a claim beside its evidence, of at least one document."""
    rated = sorted(
        (one for each in evidence for one in each.sentences),
        key=lambda one: -one.likeness,
    )
    likeness = [one.likeness for one in rated]
    likeness += [0.0] * (3 - len(likeness))
    closest = max(evidence, key=lambda one: one.likeness)
    sentence = cues(claim, rated[0].text)
    document = cues(claim, " ".join(closest.texts))
    tops = [*sorted((one.likeness for one in evidence), reverse=True), 0.0]
    return [
        *sentence,
        *document,
        *likeness[:3],
        tops[0] - tops[1],
        tops[1],
        float(list(evidence).index(closest)),
        evidence[0].likeness,
        float(len(claim.split())),
        sentence.shared * rated[0].likeness,
        sentence.negated * rated[0].likeness,
    ]


def fit_wording(
    rows: Sequence[Sequence[float]], labels: Sequence[FactLabel], *, pull: float = PULL
) -> WordingWeights:
    """Fit the weights; every label counts alike, however rare it is.

    Args:
        rows: Features of each claim.
        labels: The label of each, in the same order.
        pull: Of the weights towards 0.
    """
    from scipy.optimize import minimize

    rows_N_F = np.array(rows, np.float64)
    means_F, scales_F = rows_N_F.mean(axis=0), rows_N_F.std(axis=0)
    scales_F[scales_F == 0] = 1.0
    scaled_N_F = (rows_N_F - means_F) / scales_F
    gold_N = np.array([LABELS.index(label) for label in labels])
    counts_L = np.bincount(gold_N, minlength=len(LABELS))
    voices_N = (len(gold_N) / (np.count_nonzero(counts_L) * counts_L[gold_N]))[:, None]
    target_N_L = np.eye(len(LABELS))[gold_N]
    width = scaled_N_F.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(width + 1, len(LABELS))
        logits = scaled_N_F @ table[:-1] + table[-1]
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -(voices_N * target_N_L * logs).sum()
        value += 0.5 * pull * (table[:-1] ** 2).sum()
        back = voices_N * (np.exp(logs) - target_N_L)
        slope = np.vstack([scaled_N_F.T @ back + pull * table[:-1], back.sum(axis=0)])
        return float(value), slope.ravel()

    start = np.zeros((width + 1) * len(LABELS))
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B")
    table = np.asarray(found.x, np.float64).reshape(width + 1, len(LABELS))
    return WordingWeights(
        means=means_F.tolist(),
        scales=scales_F.tolist(),
        weights=table[:-1].tolist(),
        bias=table[-1].tolist(),
    )


def write_wording(folder: Path, weights: WordingWeights) -> None:
    """Write a model to its folder."""
    write_json(folder / WORDING, {"version": VERSION, **asdict(weights)})


def read_wording(folder: Path) -> WordingWeights:
    """Read a model.

    Raises:
        ModelLoadError: It is damaged, or was trained with other features.
    """
    fields = read_json(folder / WORDING)
    try:
        if fields.pop("version") != VERSION:
            raise ModelLoadError(
                "trained with other features",
                fix="train it again with this version of groundtune",
                where=str(folder / WORDING),
            )
        return WordingWeights(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(
            f"not a verdict model: {error}",
            fix="train it again with groundtune tune fact_check",
            where=str(folder / WORDING),
        ) from error


class WordingJudge:
    """Decides by weighed wording; see `fact_checker.Judge`."""

    def __init__(self, weights: WordingWeights, *, name: str) -> None:
        self._weights = weights
        self.check = f"verdict model {name}, trained on wording"

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """The verdict on a claim; the sentence most like it is cited."""
        shares_L = self._weights.shares(np.array([features(claim, evidence)]))[0]
        label = LABELS[int(shares_L.argmax())]
        scores = dict(zip(LABELS, (float(one) for one in shares_L), strict=True))
        if label == "NOT_ENOUGH_INFO":
            return Verdict(label=label, scores=scores)
        rated = [one for each in evidence for one in each.sentences]
        best = max(rated, key=lambda one: one.likeness)
        return Verdict(label=label, scores=scores, deciding=(best,))
