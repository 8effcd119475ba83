"""How an adapter is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from groundtune.core.errors import ConfigError

TOKENS_PER_SECOND = 300
"""Training speed that a budget of time is turned into tokens by: two CPU cores with
bf16. The count of tokens, unlike a stop-watch, gives the same weights twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Fine-tuning by LoRA with frozen early layers.

    Every field changes the weights that come out, so all of them stand in the run
    folder. Which were measured, and against what, is in `docs/decisions/`.
    """

    rank: int = 16
    alpha: int = 32
    """LoRA scale; the update is multiplied by `alpha / rank`."""
    frozen_share: float = 1 / 3
    """Share of the layers, from the input up, that stay as published."""
    learning_rate: float = 1.5e-3
    warmup_steps: int = 10
    batch_tokens: int = 1024
    """Tokens an optimiser step is made of; a step never holds less than one pack."""
    epochs: float = 1.0
    max_tokens: int = 400_000
    """Upper bound on training tokens; the epochs are cut short at it."""
    pack_tokens: int = 768
    """Upper bound on one pack: a head and the questions that share it."""
    evaluations: int = 5
    """How often dev loss is measured along the way."""
    patience: int = 2
    """Evaluations without a better dev loss after which training stops."""

    def __post_init__(self) -> None:
        self._require(field="rank", ok=self.rank >= 1, rule="at least 1")
        self._require(field="epochs", ok=self.epochs > 0, rule="above 0")
        self._require(
            field="learning_rate", ok=0 < self.learning_rate < 1, rule="in (0, 1)"
        )
        self._require(
            field="frozen_share", ok=0 <= self.frozen_share < 1, rule="in [0, 1)"
        )
        for field in ("batch_tokens", "max_tokens", "pack_tokens", "evaluations"):
            self._require(field=field, ok=getattr(self, field) >= 1, rule="at least 1")
        self._require(field="patience", ok=self.patience >= 1, rule="at least 1")

    def _require(self, *, field: str, ok: bool, rule: str) -> None:
        if not ok:
            raise ConfigError(
                f"{field} is {getattr(self, field)}",
                fix=f"use a value {rule}",
                where=f"train.{field}",
            )


def within_budget(settings: TrainSettings, seconds: float | None) -> TrainSettings:
    """The settings, with no more tokens than can be trained on in that time.

    Raises:
        ConfigError: That is less than two steps.
    """
    if seconds is None:
        return settings
    return within_tokens(settings, int(seconds * TOKENS_PER_SECOND))


def within_tokens(settings: TrainSettings, tokens: int) -> TrainSettings:
    """The settings, with no more training tokens.

    Raises:
        ConfigError: That is less than two steps.
    """
    if tokens < 2 * settings.batch_tokens:
        raise ConfigError(
            f"{tokens / TOKENS_PER_SECOND:.0f} s are too few to train in",
            fix="give a longer budget, or compare without tuned and both (--arms)",
            where="--budget",
        )
    return replace(settings, max_tokens=min(settings.max_tokens, tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """What the context adapter is shown, after RAFT (arXiv 2403.10131)."""

    gold_share: float = 0.9
    """Share of the questions whose right passage stands among the evidence."""
    distractors: int = 2
    """Most hard distractors beside the right passage; fewer are shown at random."""
    sentences: int | None = None
    """How many sentences it reads, those nearest the question among what was found; 0:
    whole passages; None: 2 to 6, as training cases tell, where by them answers stand
    in one sentence."""

    def __post_init__(self) -> None:
        if not 0 < self.gold_share <= 1:
            raise ConfigError(
                f"gold_share is {self.gold_share}",
                fix="use a share above 0, at most 1",
                where="context.gold_share",
            )
        if self.distractors < 0:
            raise ConfigError(
                f"distractors is {self.distractors}",
                fix="use 0 or more",
                where="context.distractors",
            )
        if self.sentences is not None and self.sentences < 0:
            raise ConfigError(
                f"sentences is {self.sentences}",
                fix="use 0 (whole passages) or more",
                where="context.sentences",
            )
