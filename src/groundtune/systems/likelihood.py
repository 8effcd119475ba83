"""A verdict model on likelihood: is the claim or its opposite likelier after evidence?

The claim is turned round by rule (`reduces` to `increases`), and a generator that was
never trained for it says how likely either is, right after the evidence and alone. What
that is worth is learned from claims that are decided; whether the evidence decides at
all is learned from the wording, see `wording`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from groundtune.augment.untrusted import as_data
from groundtune.core.errors import ModelLoadError
from groundtune.data.opposites import turned
from groundtune.measure.logistic import fit_logistic
from groundtune.store.files import read_json, write_json
from groundtune.store.models import open_model
from groundtune.systems.fact_checker import Verdict
from groundtune.systems.wording import features, read_wording
from groundtune.tasks.fact_check import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.store.models import ModelFolder
    from groundtune.systems.fact_checker import Evidence
    from groundtune.systems.wording import WordingWeights

    Floats = npt.NDArray[np.float64]

LIKELIHOOD = "likelihood.json"
"""The file of such a model, beside that of its wording."""
VERSION = "likelihood-1"
"""Bump when the features change: a model remembers what it was trained with."""
PENALTY = 10.0
"""Of the weights, against the summed loss; chosen by cross-validation over SciFact's
training claims, see decision 0033."""

_LEAD = "In other words:"
_CHARACTERS = 1_500
"""Of evidence that is read before a claim."""
_SOFT = 4.0
"""Difference of log-likelihoods from which a greater one says little more."""


class Scorer(Protocol):
    """Says how likely texts are after another; see `generate.likelihood`."""

    def log_likelihoods(self, texts: Sequence[str], *, after: str) -> list[float]:
        """Natural logarithm of the probability of each text, right after `after`."""
        ...


class Generator(NamedTuple):
    """Whose likelihoods a model was trained on."""

    spec: str
    sha256: str


def contrast(scorer: Scorer, claim: str, sentences: Sequence[str]) -> list[float]:
    """How much likelier a claim is than its opposite, after sentences and alone.

    Six features, all 0 where no rule turns the claim round.

    Raises:
        GenerationError: The generator failed.
    """
    others = turned(claim)[:1]
    if not others:
        return [0.0] * 6
    texts = [f" {as_data(claim)}", f" {as_data(others[0].text)}"]
    evidence = as_data(" ".join(sentences))[:_CHARACTERS]
    told, opposite = scorer.log_likelihoods(texts, after=f"{evidence}\n\n{_LEAD}")
    alone, opposite_alone = scorer.log_likelihoods(texts, after=_LEAD)
    after, before = told - opposite, alone - opposite_alone
    return [
        *np.tanh(np.array([after, before, after - before]) / _SOFT).tolist(),
        1.0,
        float(others[0].how == "direction"),
        float(others[0].how == "negation"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideWeights:
    """Logistic regression: whether what decides a claim refutes it. F features."""

    means: list[float]
    scales: list[float]
    weights: list[float]
    bias: float
    refuted: float
    """Share of refuted claims among those it learned from."""

    def odds(self, row_F: Sequence[float]) -> float:
        """Logarithm of the odds that the claim is refuted."""
        scaled_F = (np.array(row_F) - np.array(self.means)) / np.array(self.scales)
        return float(scaled_F @ np.array(self.weights)) + self.bias


def fit_sides(
    rows: Sequence[Sequence[float]], are_refuted: Sequence[bool]
) -> SideWeights:
    """Fit the weights to decided claims, from `contrast` with what decides each."""
    rows_N_F = np.array(rows, np.float64)
    means_F, scales_F = rows_N_F.mean(axis=0), rows_N_F.std(axis=0)
    scales_F[scales_F == 0] = 1.0
    targets_N = np.array(are_refuted, np.float64)
    found = fit_logistic((rows_N_F - means_F) / scales_F, targets_N, penalty=PENALTY)
    return SideWeights(
        means=means_F.tolist(),
        scales=scales_F.tolist(),
        weights=found.weights_F.tolist(),
        bias=found.bias,
        refuted=float(targets_N.mean()),
    )


class LikelihoodJudge:
    """Decides by wording whether, and by likelihood which; see `fact_checker.Judge`."""

    def __init__(
        self, wording: WordingWeights, sides: SideWeights, scorer: Scorer, *, name: str
    ) -> None:
        self._wording, self._sides, self._scorer = wording, sides, scorer
        self.check = f"verdict model {name}, trained on likelihood and wording"

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """The verdict on a claim; the sentence most like it is cited.

        Both sides have equal voice, as the labels of the wording have: how often
        claims were refuted in training does not count.
        """
        shares_L = self._wording.shares(np.array([features(claim, evidence)]))[0]
        undecided = float(shares_L[LABELS.index("NOT_ENOUGH_INFO")])
        closest = max(evidence, key=lambda one: one.likeness)
        odds = self._sides.odds(contrast(self._scorer, claim, closest.texts))
        usual = np.log(self._sides.refuted / (1 - self._sides.refuted))
        refuted = (1 - undecided) / (1 + np.exp(usual - odds))
        scores = {
            "SUPPORTED": 1 - undecided - refuted,
            "REFUTED": refuted,
            "NOT_ENOUGH_INFO": undecided,
        }
        label = max(LABELS, key=lambda one: scores[one])
        rated = [one for each in evidence for one in each.sentences]
        best = max(rated, key=lambda one: one.likeness)
        return Verdict(
            label=label,
            scores={one: float(scores[one]) for one in LABELS},
            deciding=() if label == "NOT_ENOUGH_INFO" else (best,),
        )

    def refutes(self, claim: str, sentences: Sequence[str]) -> bool:
        """See `SideJudge.refutes`; how often claims are refuted counts here."""
        return self._sides.odds(contrast(self._scorer, claim, sentences)) > 0


def write_sides(folder: Path, sides: SideWeights, generator: Generator) -> None:
    """Write what is learned of likelihoods into a model's folder."""
    write_json(
        folder / LIKELIHOOD,
        {
            "version": VERSION,
            "generator": generator.spec,
            "generator_sha256": generator.sha256,
            **asdict(sides),
        },
    )


def open_likelihood_judge(folder: Path) -> LikelihoodJudge:
    """Open a model, with the generator that it was trained with.

    Raises:
        ModelLoadError: It is damaged, was trained with other features, or its generator
            is not here or has other weights.
    """
    fields = read_json(folder / LIKELIHOOD)
    try:
        if fields.pop("version") != VERSION:
            raise ModelLoadError(
                "trained with other features",
                fix="train it again with this version of groundtune",
                where=str(folder / LIKELIHOOD),
            )
        generator = Generator(fields.pop("generator"), fields.pop("generator_sha256"))
        sides = SideWeights(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(
            f"not a verdict model: {error}",
            fix="train it again with groundtune tune fact_check --strategy likelihood",
            where=str(folder / LIKELIHOOD),
        ) from error
    model = open_model(generator.spec, kind="generator", offline=True)
    if model.weights_sha256 != generator.sha256:
        raise ModelLoadError(
            f"{generator.spec} has other weights than the one it was trained with",
            fix="train it again with groundtune tune fact_check --strategy likelihood",
            where=str(folder / LIKELIHOOD),
        )
    return LikelihoodJudge(
        read_wording(folder), sides, open_scorer(model), name=folder.name
    )


def open_scorer(model: ModelFolder) -> Scorer:
    """What scores texts with a generator.

    Raises:
        ModelLoadError: It cannot be opened.
    """
    from groundtune.generate.likelihood import TextScorer

    return TextScorer(model)
