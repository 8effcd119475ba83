"""The values that a page and a model card are written from.

Filled by `content`, read by `page` and `recipes.model_card`. Nothing is worked out here
but words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.measure.calibration import Bin, CalibrationFigures
    from groundtune.measure.entities import EntityFigures, EntityReport
    from groundtune.measure.labels import LabelFigures, LabelReport
    from groundtune.measure.rows import Figure


Basis = Literal["test", "dev", "cross-validated"]
"""Which cases a model is measured on."""

_NAMES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge": "ROUGE",
    "rouge_l": "ROUGE-L",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
}


def measure_name(name: str) -> str:
    """A measure as people write it.

    Examples:
        >>> measure_name("entity_f1")
        'entity F1'
    """
    return _NAMES.get(name, name.replace("_", " ").replace("f1", "F1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far the model's confidence can be trusted, before and after scaling."""

    temperature: float
    before: CalibrationFigures
    after: CalibrationFigures
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]
    unit: str
    """What is counted: cases or words."""
    fitted_on: str = "dev cases"
    """What the temperature comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """A cross-validation: each training case judged by a model that never saw it."""

    count: int
    figure: Figure
    """The primary measure over all cases, the mean of the draws."""
    scores: tuple[float, ...]
    """Of each fold of the first draw."""
    draws: tuple[float, ...]
    """Of each time that the folds were cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A case that the model got wrong, with what it should have said."""

    case: str
    text: str
    gold: str
    predicted: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedModel:
    """A tuned model and how it did on cases that it was not trained on."""

    name: str
    task: str
    measure: str
    """Name of the primary measure."""
    score: Figure
    measures: Mapping[str, Figure]
    """Other measures, by name."""
    baselines: Mapping[str, Figure]
    """The primary measure of what needs no training, by name."""
    gain: Figure | None = None
    """The score above that of the best baseline, on the same cases; None without."""
    basis: Basis = "test"
    """Which cases it was measured on. Dev cases chose its weights: expect less.
    Cross-validated are the training cases, each judged by the model of its fold."""
    folds: Folds | None = None
    """Its cross-validation, where there was one."""
    limit: float = 1.0
    """The highest score that there can be."""
    labels: LabelReport | None = None
    """For named entities the types of words, `O` among them."""
    entities: EntityReport | None = None
    calibration: Calibration | None = None
    mistakes: tuple[Mistake, ...] = ()
    """The worst first."""
    mistaken: int = 0
    """How many cases are wrong in all."""
    history: Sequence[Mapping[str, float]] = ()
    """What was measured through training, in order; see `tuning_page.plots`."""
    search: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings tried, under `trials`; see `tuning_page.trials`. Empty without any."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Base model, method and hyper-parameters."""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Counts and hashes of the cases."""
    warnings: tuple[str, ...] = ()

    @property
    def best_baseline(self) -> str | None:
        """Name of the best of the baselines."""
        if not self.baselines:
            return None
        return max(self.baselines, key=lambda name: self.baselines[name].value)

    @property
    def per_label(self) -> Mapping[str, LabelFigures | EntityFigures]:
        """Figures of each label, or of each type of entity."""
        if self.entities is not None:
            return self.entities.by_type
        return self.labels.by_label if self.labels else {}

    def shown(self, value: float, *, sign: str = "") -> str:
        """A score with the digits that its scale deserves."""
        return f"{value:{sign}.3f}" if self.limit == 1 else f"{value:{sign}.1f}"

    @property
    def folds_told(self) -> str:
        """The cross-validation in words; empty without one."""
        if (folds := self.folds) is None:
            return ""
        figure = folds.figure
        low, high = self.shown(figure.low), self.shown(figure.high)
        parts = ", ".join(map(self.shown, folds.scores))
        found = (
            f"Cross-validation with {folds.count} folds of the training cases: "
            f"{measure_name(self.measure)} {self.shown(figure.value)} [{low}, {high}] "
            f"over {figure.n:,} cases, each judged by a model that was trained on the "
            "other folds. "
        )
        if len(folds.draws) == 1:
            return f"{found}By fold: {parts}."
        draws = ", ".join(map(self.shown, folds.draws))
        found += f"Mean of {len(folds.draws)} draws of the folds: {draws}. "
        if self.basis == "cross-validated":
            found += "What else is shown here is of the first draw. "
        return f"{found}By fold of the first draw: {parts}."

    @property
    def told(self) -> str:
        """Whether tuning paid, in one sentence that claims no more than is shown."""
        measure = measure_name(self.measure)
        basis = f"{self.score.n:,} {self.basis} cases"
        if self.gain is None or self.best_baseline is None:
            first = f"{measure[:1].upper()}{measure[1:]}"
            return f"{first} {self.shown(self.score.value)} on {basis}."
        best = self.baselines[self.best_baseline]
        value, low, high = (
            self.shown(each, sign="+")
            for each in (self.gain.value, self.gain.low, self.gain.high)
        )
        gap = f"{value} [{low}, {high}]"
        pair = (
            f"{measure} {self.shown(self.score.value)} against "
            f"{self.shown(best.value)} for {self.best_baseline}, the best that needs "
            "no training"
        )
        if self.gain.low > 0:
            return f"Tuning pays: {pair}, a gain of {gap} on {basis}."
        if self.gain.high < 0:
            return f"Tuning does not pay: {pair}, a loss of {gap} on {basis}."
        return f"Not shown that tuning pays: {pair}, a difference of {gap} on {basis}."
