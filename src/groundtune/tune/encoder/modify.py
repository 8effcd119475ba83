"""Step 3: which weights are trained, from the head alone to everything.

Freezing, adapters, gradual unfreezing, and a learning rate for each layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError
from groundtune.tune.loop import WeightGroup
from groundtune.tune.pretrained import peft_quietly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import torch

    from groundtune.config.encoder import EncoderSettings
    from groundtune.tune.encoder.pretrained import LabelModel

_MATRIX = 2
"""Dimensions; biases and norms have one, and are not pulled towards 0."""


def apply_strategy(model: LabelModel, settings: EncoderSettings, *, seed: int) -> None:
    """Freeze what is to stay and add what is to be trained, in place.

    Raises:
        ConfigError: More layers are to be frozen than there are.
    """
    if settings.frozen_layers > model.depth:
        raise ConfigError(
            f"{settings.frozen_layers} layers are to be frozen of {model.depth}",
            fix=f"freeze at most {model.depth}",
            where="encoder.frozen_layers",
        )
    bert = model.bert
    if settings.strategy in {"lora", "dora"}:
        _add_adapter(model, settings, seed=seed)
        return
    if first_trained(model, settings) > 0 or settings.frozen_embeddings:
        bert.embeddings.requires_grad_(requires_grad=False)
    bert.encoder.layer[: first_trained(model, settings)].requires_grad_(
        requires_grad=False
    )


def first_trained(model: LabelModel, settings: EncoderSettings) -> int:
    """The lowest layer that is ever trained; all of them are above it in `head`."""
    return model.depth if settings.strategy == "head" else settings.frozen_layers


def _add_adapter(model: LabelModel, settings: EncoderSettings, *, seed: int) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(seed)  # peft draws the adapter's first weights from it
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=0.0,
            bias="none",
            target_modules=["query", "key", "value", "dense"],
            layers_to_transform=list(range(settings.frozen_layers, model.depth)),
            layers_pattern="layer",
            use_dora=settings.strategy == "dora",
        )
        with peft_quietly():
            model.adapter = get_peft_model(model.bert, config)
    model.bert = model.adapter.get_base_model()


def open_layers(step: int, *, per_epoch: int, epochs: float) -> int | None:
    """How many layers from the top are open at a step; None: all, from the start."""
    if epochs == 0:
        return None
    return int(step / max(1.0, per_epoch * epochs))


def weight_groups(model: LabelModel, settings: EncoderSettings) -> list[WeightGroup]:
    """The trained weights by learning rate and decay.

    Scales are relative to `settings.learning_rate`. The top layer has it as it is, each
    layer below that of the one above times `layer_decay`, and the embeddings come
    below the lowest layer.
    """
    buckets: dict[tuple[float, float], list[tuple[str, torch.Tensor]]] = {}
    for name, weight in model.named_weights():
        if not weight.requires_grad:
            continue
        scale = (
            settings.head_rate / settings.learning_rate
            if name.startswith("head.")
            else settings.layer_decay ** _below_top(name, model.depth)
        )
        is_matrix = weight.ndim >= _MATRIX
        decay = settings.weight_decay if is_matrix else 0.0
        buckets.setdefault((scale, decay), []).append((name, weight))
    return [
        WeightGroup(named, rate_scale=scale, weight_decay=decay)
        for (scale, decay), named in buckets.items()
    ]


def _below_top(name: str, depth: int) -> int:
    parts = name.split(".")
    if "layer" in parts:
        return depth - 1 - int(parts[parts.index("layer") + 1])
    return depth


def class_weights(
    gold: Sequence[npt.NDArray[Any]], *, count: int, settings: EncoderSettings
) -> list[float] | None:
    """A factor for each label: the share it would have if all were as frequent."""
    if settings.class_weights == "none":
        return None
    import numpy as np

    every = np.concatenate([labels[labels >= 0] for labels in gold])
    counts_L = np.bincount(every, minlength=count)
    return [float(len(every) / (count * max(1, n))) for n in counts_L]


def trained_weights(model: LabelModel) -> Iterator[str]:
    """Names of the weights that are trained."""
    return (name for name, weight in model.named_weights() if weight.requires_grad)
