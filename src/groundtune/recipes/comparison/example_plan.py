"""The steps of a comparison whose evidence is examples: labelled or solved cases.

Tasks with labels and tasks that write take the same way; what their arms are made of,
and how they are trained, is their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from groundtune.recipes.comparison.answering import write_rows
from groundtune.recipes.comparison.curve import (
    curve_name,
    nested_parts,
    write_curve,
)
from groundtune.recipes.comparison.notice import after_untrained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.compare import CompareSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import Answer, EntityCase, LabelCase
    from groundtune.store.run import RunFolder
    from groundtune.systems.label_arm import LabelSpec
    from groundtune.systems.text_arm import TextSpec
    from groundtune.tune.text_examples import TextCase

_Case = TypeVar("_Case", bound="LabelCase | EntityCase | TextCase")
_Spec = TypeVar("_Spec", bound="LabelSpec | TextSpec")

TUNED_ARMS = ("tuned", "both")


@dataclass(slots=True, kw_only=True)
class ExamplePlan(ABC, Generic[_Case, _Spec]):
    """Makes each part of a run once; what stands in the run folder is taken up."""

    run: RunFolder
    train: tuple[_Case, ...]
    test: tuple[_Case, ...]
    settings: CompareSettings
    progress: Progress
    tell: Callable[[str], None]

    @abstractmethod
    def spec(self, name: str, *, seed: int = 0) -> _Spec:
        """An arm, with what it chose."""

    @abstractmethod
    def nearest(self) -> _Spec | None:
        """What the most similar case was given; None where that is nothing."""

    @abstractmethod
    def naive(self, seed: int) -> _Spec:
        """Both, put together without choosing or learning anything."""

    @abstractmethod
    def train_on(self, part: tuple[_Case, ...], out: Path, seed: int) -> dict[str, Any]:
        """Train, unless the model stands; what it took, as `RunFolder` keeps it."""

    @abstractmethod
    def tuned(self, name: str, folder: Path) -> _Spec:
        """A trained model alone."""

    @abstractmethod
    def row(
        self, spec: _Spec, case: _Case, answer: Answer, *, seed: int, error: str | None
    ) -> dict[str, Any]:
        """The row of one case."""

    def complete(self) -> None:
        """Bring the rows of all arms to completion."""
        # 1) What needs no training, each arm set on dev cases.
        for name in ("plain", "rag"):
            if name in self.settings.arms:
                self._answer(self.spec(name), self.settings.seed)
        if "nearest_answer" in self.settings.diagnostics and (near := self.nearest()):
            self._answer(near, self.settings.seed)
        for line in after_untrained(self.run, measure=self.run.made_of["measure"]):
            self.tell(line)
        # 2) Train, once a seed.
        wanted = [name for name in TUNED_ARMS if name in self.settings.arms]
        for number in range(self.settings.training_seeds if wanted else 0):
            self._tune_and_answer(wanted, self.settings.seed + number)
        # 3) What more cases would bring, from what fewer bring.
        if self.settings.learning_curve and "tuned" in wanted:
            self._follow_curve(self.settings.seed)

    def model(self, seed: int) -> Path:
        """Folder of the model that both tuned arms use."""
        return self.run.path / "models" / f"tuned-{seed}"

    @property
    def memory(self) -> str:
        """File of the cases that are searched."""
        return str(self.run.path / "cases" / "train.jsonl")

    def _follow_curve(self, seed: int) -> None:
        for part in nested_parts(self.train, seed=seed):
            name = curve_name(len(part))
            folder = self.run.path / "models" / name
            self.train_on(part, folder, seed)
            self._answer(self.tuned(name, folder), seed)
        measure = self.run.made_of["measure"]
        write_curve(self.run, measure=measure, cases=len(self.train), seed=seed)

    def _tune_and_answer(self, wanted: list[str], seed: int) -> None:
        spent = self.train_on(self.train, self.model(seed), seed)
        for name in TUNED_ARMS:
            self.run.add_resources(name, **spent)
        for name in wanted:
            self._answer(self.spec(name, seed=seed), seed)
        if "both" in wanted and "naive_both" in self.settings.diagnostics:
            self._answer(self.naive(seed), seed)

    def _answer(self, spec: _Spec, seed: int) -> None:
        def row(case: _Case, answer: Answer, error: str | None) -> dict[str, Any]:
            return self.row(spec, case, answer, seed=seed, error=error)

        write_rows(
            self.run, spec, self.test, make=row, seed=seed, progress=self.progress
        )
