"""Step 3 of fine-tuning: freeze the early layers, add low-rank adapters to the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.tune.pretrained import peft_quietly

if TYPE_CHECKING:
    from groundtune.config.training import TrainSettings


def add_adapter(model: Any, settings: TrainSettings, *, seed: int) -> Any:  # noqa: ANN401 (peft and transformers give no useful type)
    """Freeze the model and put LoRA on every linear map of its later layers.

    Layers below `frozen_share` get no adapter: nothing flows back through them, which
    saves their part of the backward pass. Weights of the adapter have the model's
    dtype; `train` keeps fp32 masters of them.

    Returns:
        The peft model. Its adapter is 0 at the start: outputs are as published.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    depth = int(model.config.num_hidden_layers)
    first = int(depth * settings.frozen_share)
    torch.manual_seed(seed)  # peft draws the adapter's first weights from it
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=linear_names(model),
        layers_to_transform=list(range(first, depth)),
        task_type="CAUSAL_LM",
    )
    with peft_quietly():
        return get_peft_model(model, config, autocast_adapter_dtype=False)


def linear_names(model: Any) -> list[str]:  # noqa: ANN401
    """Names of the linear maps inside the layers, such as `q_proj`, sorted."""
    import torch

    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and ".layers." in name
        }
    )
