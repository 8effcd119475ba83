"""What a comparison does beyond its protocol: arms, sizes, seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.training import ContextSettings, TrainSettings
from groundtune.core.errors import ConfigError
from groundtune.core.values import ARMS

DIAGNOSTICS = (
    "naive_both",
    "right_passage_base",
    "right_passage_tuned",
    "context_without_documents",
    "nearest_answer",
)
"""Measured beside the arms by default; they explain a verdict and never win it."""

PLACEBO = "random_passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSettings:
    """Everything that decides the rows of a comparison, but for its data.

    JSON types all through, so that it stands in the run folder.
    """

    arms: tuple[str, ...] = ARMS
    diagnostics: tuple[str, ...] = DIAGNOSTICS
    seed: int = 0
    """Of splits, training and every draw."""
    training_seeds: int = 1
    """Adapters trained per kind; their rows are shown apart."""
    limit: int | None = None
    """Most test cases; None: all."""
    answer_tokens: int = 32
    """Most new tokens of an answer, in every arm."""
    style_cases: int = 24
    """Dev cases on which the untrained arms choose their instruction."""
    dev_cases: int = 120
    """Most dev cases whose loss decides when training stops."""
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    closed_book: TrainSettings = field(
        default_factory=lambda: TrainSettings(epochs=20.0, max_tokens=60_000)
    )
    context: TrainSettings = field(
        default_factory=lambda: TrainSettings(
            epochs=3.0, max_tokens=300_000, patience=3
        )
    )
    reading: ContextSettings = field(default_factory=ContextSettings)

    def __post_init__(self) -> None:
        unknown = [arm for arm in self.arms if arm not in ARMS]
        if unknown or not self.arms:
            raise ConfigError(
                f"unknown arm {unknown[0]!r}" if unknown else "no arms are named",
                fix=f"choose from {', '.join(ARMS)}",
                where="--arms",
            )
        known = (*DIAGNOSTICS, PLACEBO)
        if strange := [name for name in self.diagnostics if name not in known]:
            raise ConfigError(
                f"unknown diagnostic {strange[0]!r}",
                fix=f"choose from {', '.join(known)}",
                where="--diagnostics",
            )
        for name in ("training_seeds", "style_cases", "dev_cases", "answer_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}",
                    fix="use at least 1",
                    where=f"compare.{name}",
                )

    @property
    def needs_closed_book(self) -> bool:
        """Whether any system uses the adapter trained without documents."""
        return "tuned" in self.arms or "naive_both" in self.diagnostics

    @property
    def needs_context(self) -> bool:
        """Whether any system uses the adapter trained to read."""
        return "both" in self.arms or bool(
            {"right_passage_tuned", "context_without_documents"} & set(self.diagnostics)
        )
