"""How an embedder is tuned. Describes only; `tune.embedder` does the training."""

from __future__ import annotations

from dataclasses import dataclass

from groundtune.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderSettings:
    """Contrastive training of all layers but the word embeddings.

    Every field changes the weights that come out. Which were measured, and against
    what, is in `docs/decisions/`.
    """

    learning_rate: float = 3e-5
    warmup_share: float = 0.1
    """Share of the steps in which the learning rate rises."""
    batch_pairs: int = 24
    """Questions a step; each one's passages are wrong answers to all others."""
    negatives: int = 1
    """Hard negatives a question and epoch; others of those mined in each epoch."""
    epochs: int = 4
    max_pairs: int = 6000
    """Upper bound on pairs over all epochs; the epochs are cut short at it."""
    max_tokens: int = 256
    """Tokens of a text that are read, at most; no more than the model's own limit."""
    temperature: float = 0.05
    """Similarities are divided by it."""
    evaluations: int = 4
    """How often held-out questions are ranked along the way."""
    patience: int = 2
    """Evaluations without a better ranking after which training stops."""

    def __post_init__(self) -> None:
        self._require(
            field="learning_rate", ok=0 < self.learning_rate < 1, rule="in (0, 1)"
        )
        self._require(
            field="warmup_share", ok=0 <= self.warmup_share < 1, rule="in [0, 1)"
        )
        self._require(field="temperature", ok=self.temperature > 0, rule="above 0")
        self._require(field="batch_pairs", ok=self.batch_pairs >= 2, rule="at least 2")
        self._require(field="negatives", ok=self.negatives >= 0, rule="at least 0")
        for field in ("epochs", "max_pairs", "evaluations", "patience"):
            self._require(field=field, ok=getattr(self, field) >= 1, rule="at least 1")
        self._require(field="max_tokens", ok=self.max_tokens >= 8, rule="at least 8")

    def _require(self, *, field: str, ok: bool, rule: str) -> None:
        if not ok:
            raise ConfigError(
                f"{field} is {getattr(self, field)}",
                fix=f"use a value {rule}",
                where=f"embedder.{field}",
            )
