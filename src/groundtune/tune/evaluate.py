"""Step 5 of fine-tuning, inside training: the loss that early stop watches.

Quality in the task's own measure is read off rows, by the same systems that serve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.tune.attention import additive_mask
from groundtune.tune.dataset import IGNORED, Pack, collate, may_attend

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


def answer_losses(model: Any, packs: Sequence[Pack]) -> torch.Tensor:  # noqa: ANN401
    """Cross-entropy of each answer token of a batch of packs, in nats, fp32.

    Logits are computed where an answer token is predicted and nowhere else: over a
    vocabulary of 49,152 the full set would take gigabytes.
    """
    import torch
    from torch.nn import functional

    from groundtune.tune.token_loss import token_losses

    batch = collate(packs)
    device = model.device
    mask = additive_mask(may_attend(batch.segments_T), dtype=model.dtype, device=device)
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.model(
        input_ids=torch.from_numpy(batch.tokens_T).to(device),
        position_ids=torch.from_numpy(batch.positions_T).to(device),
        attention_mask=mask,
        use_cache=False,
    ).last_hidden_state
    labels = torch.from_numpy(batch.labels_T).to(device)
    rows, columns = (labels != IGNORED).nonzero(as_tuple=True)
    states_S_D, labels_S = hidden[rows, columns - 1], labels[rows, columns]
    last = causal.lm_head
    is_plain = type(last) is torch.nn.Linear and not any(
        name == "bias" for name, _ in last.named_parameters()
    )
    if is_plain and not last.weight.requires_grad:
        return token_losses(states_S_D, last.weight, labels_S)
    logits = last(states_S_D).float()
    return functional.cross_entropy(logits, labels_S, reduction="none")


def mean_loss(model: Any, packs: Sequence[Pack]) -> float:  # noqa: ANN401
    """Mean loss of all answer tokens of `packs`, in nats."""
    import torch

    total, count = 0.0, 0
    with torch.no_grad():
        for pack in packs:
            losses = answer_losses(model, [pack])
            total += float(losses.sum())
            count += len(losses)
    return total / max(count, 1)
