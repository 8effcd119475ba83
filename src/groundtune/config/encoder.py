"""How an encoder is tuned for labels. Describes only; `tune.encoder` does the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from groundtune.config import changes as changes_of
from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Strategy = Literal["full", "head", "lora", "dora", "contrastive"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """Fine-tuning of a BERT-like encoder with a head for labels.

    Every field changes the weights that come out. Which were measured, and against
    what, is in `docs/decisions/`. `default_settings` knows the rates of each strategy.
    """

    strategy: Strategy = "full"
    learning_rate: float = 1e-4
    """Peak rate of the topmost layer."""
    head_rate: float = 5e-4
    """Peak rate of the head."""
    layer_decay: float = 1.0
    """Each layer's rate is that of the layer above it times this."""
    epochs: float = 5.0
    batch_items: int = 16
    """Texts an optimiser step, however few fit into memory at once."""
    max_tokens: int = 256
    """Tokens of a text that are read; longer sentences with tags become windows."""
    warmup_share: float = 0.1
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.01
    averaging: float = 0.998
    """What a running mean of the weights keeps of itself at a step; the mean is what is
    evaluated and served. 0 serves the weights of a single step."""
    dropout: float = 0.1
    """Of hidden states in layers that are trained."""
    word_masking: float = 0.0
    """Share of a text's tokens that training hides behind the mask token, others at
    each step: no single word is to be leant on. Not with frozen layers, whose states
    are computed once."""
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: a label counts the more the rarer it is."""
    frozen_layers: int = 0
    """Layers from the input up that stay as published, and the embeddings with them."""
    frozen_embeddings: bool = False
    unfreeze_epochs: float = 0.0
    """Epochs after which the next lower layer is opened; 0 opens all at once."""
    rank: int = 16
    """Of LoRA and DoRA."""
    alpha: int = 32
    evaluations: int = 10
    """How often dev cases are scored along the way."""
    patience: int = 6
    """Evaluations without a better one after which training stops. The fitted head is
    the first to beat, and the layers may take a while to."""
    temperature: float = 0.1
    """Contrastive: likenesses are divided by it."""
    label_names: bool = False
    """Head and contrastive: what a label is called is one more text of it."""

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ConfigError(
                f"unknown strategy {self.strategy!r}",
                fix=f"use one of auto, {', '.join(STRATEGIES)}",
                where="encoder.strategy",
            )
        self._require(
            field="class_weights",
            ok=self.class_weights in {"none", "balanced"},
            rule="none or balanced",
        )
        for field in ("learning_rate", "head_rate"):
            self._require(
                field=field, ok=0 < getattr(self, field) < 1, rule="in (0, 1)"
            )
        for field in (
            "warmup_share",
            "dropout",
            "word_masking",
            "label_smoothing",
            "averaging",
        ):
            self._require(
                field=field, ok=0 <= getattr(self, field) < 1, rule="in [0, 1)"
            )
        for field in ("epochs", "temperature"):
            self._require(field=field, ok=getattr(self, field) > 0, rule="above 0")
        for field in ("weight_decay", "frozen_layers", "unfreeze_epochs"):
            self._require(field=field, ok=getattr(self, field) >= 0, rule="at least 0")
        for field in ("batch_items", "rank", "alpha", "evaluations", "patience"):
            self._require(field=field, ok=getattr(self, field) >= 1, rule="at least 1")
        self._require(
            field="layer_decay", ok=0 < self.layer_decay <= 1, rule="in (0, 1]"
        )
        self._require(field="max_tokens", ok=self.max_tokens >= 8, rule="at least 8")

        self._refuse_idle()

    def _refuse_idle(self) -> None:
        """A setting that would change nothing is not taken in silence."""
        published = {
            "layer_decay": 1.0,
            "frozen_layers": 0,
            "frozen_embeddings": False,
            "unfreeze_epochs": 0.0,
            "averaging": 0.998,
            "word_masking": 0.0,
            "label_names": False,
        }
        layers = tuple(name for name in published if name != "label_names")
        idle = {
            "head": ("where only a head is trained", layers),
            "contrastive": (
                "with contrasts",
                ("unfreeze_epochs", "averaging", "word_masking"),
            ),
        }
        why, fields = idle.get(
            self.strategy, ("where layers are trained", ("label_names",))
        )
        if self.frozen_layers and self.word_masking:
            raise ConfigError(
                "word_masking does nothing where layers are frozen",
                fix="leave one of them out",
                where="encoder.word_masking",
            )
        for field in fields:
            if getattr(self, field) != published[field]:
                raise ConfigError(
                    f"{field} does nothing {why}",
                    fix="leave it out, or use another strategy",
                    where=f"encoder.{field}",
                )

    def _require(self, *, field: str, ok: bool, rule: str) -> None:
        if not ok:
            raise ConfigError(
                f"{field} is {getattr(self, field)}",
                fix=f"use a value {rule}",
                where=f"encoder.{field}",
            )


def default_settings(strategy: Strategy) -> EncoderSettings:
    """Settings for a strategy.

    Adapters want ten times the rate of full training, contrasts a third of it: pushed
    harder, few texts pull an embedder away from what it knew of all others.
    """
    if strategy in {"lora", "dora"}:
        return EncoderSettings(strategy=strategy, learning_rate=1e-3, head_rate=1e-3)
    if strategy == "head":
        return EncoderSettings(
            strategy=strategy, head_rate=1e-2, epochs=10.0, label_names=True
        )
    if strategy == "contrastive":
        return EncoderSettings(
            strategy=strategy,
            learning_rate=3e-5,
            epochs=10.0,
            batch_items=64,
            label_names=True,
        )
    return EncoderSettings(strategy=strategy)


def changed(settings: EncoderSettings, changes: Mapping[str, str]) -> EncoderSettings:
    """Settings with some fields as a person wrote them, such as `epochs` as "3".

    Raises:
        ConfigError: No such setting, or not a value of its kind.
    """
    return changes_of.changed(settings, changes, where="encoder", fixed=("strategy",))
