"""What a comparison does beyond its protocol: arms, sizes, seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.training import ContextSettings, TrainSettings
from groundtune.core.errors import ConfigError
from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from groundtune.config.protocol import ProtocolSettings

DIAGNOSTICS = (
    "naive_both",
    "right_passage_base",
    "right_passage_tuned",
    "context_without_documents",
    "nearest_answer",
)
"""Measured beside the arms by default; they explain a verdict and never win it."""

PLACEBO = "random_passages"
CLOSED_BOOK_READING = "right_passage_closed_book"
"""Whether the adapter that learned without documents can still read one."""


_ADAPTER_OF = {
    "naive_both": "tuned",
    CLOSED_BOOK_READING: "tuned",
    "right_passage_tuned": "both",
    "context_without_documents": "both",
}
"""Diagnostics that run on the adapter of an arm: without the arm there is none."""


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
    learning_curve: bool = False
    """Whether tuned is trained on parts of its cases too."""
    answer_tokens: int = 32
    """Most new tokens of an answer, in every arm."""
    probe_cases: int = 60
    """Most questions of common knowledge that tuned models are asked; 0: none."""
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
    protocol: ProtocolSettings | None = None
    """By what the rows are judged, where the person says so; None: by the defaults."""

    def __post_init__(self) -> None:
        unknown = [arm for arm in self.arms if arm not in ARMS]
        if unknown or not self.arms:
            raise ConfigError(
                f"unknown arm {unknown[0]!r}" if unknown else "no arms are named",
                fix=f"choose from {', '.join(ARMS)}",
                where="--arms",
            )
        known = (*DIAGNOSTICS, PLACEBO, CLOSED_BOOK_READING)
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

    def of_arms(self) -> CompareSettings:
        """The same without diagnostics that would train what no arm needs."""
        kept = tuple(
            name
            for name in self.diagnostics
            if _ADAPTER_OF.get(name) in (None, *self.arms)
        )
        return replace(self, diagnostics=kept)

    @property
    def registered(self) -> dict[str, Any]:
        """The protocol as a run keeps it from before its first row; maybe nothing."""
        return {"protocol": asdict(self.protocol)} if self.protocol else {}

    @property
    def needs_closed_book(self) -> bool:
        """Whether any system uses the adapter trained without documents."""
        return "tuned" in self.arms or bool(
            {"naive_both", CLOSED_BOOK_READING} & set(self.diagnostics)
        )

    @property
    def needs_context(self) -> bool:
        """Whether any system uses the adapter trained to read."""
        return "both" in self.arms or bool(
            {"right_passage_tuned", "context_without_documents"} & set(self.diagnostics)
        )
