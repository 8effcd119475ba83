"""Step 5: what a model says of held-out items. Measures are for `measure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundtune.tune.encoder.dataset import UNKNOWN_LABEL, collate, micro_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import torch

    from groundtune.tune.encoder.dataset import Batch, Item
    from groundtune.tune.encoder.frozen import FrozenStates
    from groundtune.tune.encoder.pretrained import LabelModel

    Floats = npt.NDArray[np.float32]

_BATCH_TOKENS = 4096


def batch_logits(
    model: LabelModel,
    batch: Batch,
    *,
    numbers: Sequence[int],
    states: FrozenStates | None,
    layers: int,
    boundary: int,
) -> torch.Tensor:
    """Logits of every supervised place of a batch, `(S, L)`.

    Args:
        model: In training or serving mode, as the caller set it.
        batch: Items side by side.
        numbers: Which items of their set they are, for `states`.
        states: States after the first `layers` layers, where these are cached.
        layers: How many layers that are; 0 without cached states.
        boundary: Layers below are frozen at this step: no gradient is kept of them.
            -1 where the embeddings are trained too.
    """
    import torch

    device = model.device
    mask_B_T = torch.from_numpy(batch.mask_B_T).to(device)
    with torch.set_grad_enabled(torch.is_grad_enabled() and boundary < 0):
        if states is not None:
            rows = states.batch(numbers, width=batch.ids_B_T.shape[1])
            hidden = torch.from_numpy(rows).to(device)
        else:
            hidden = model.embed(torch.from_numpy(batch.ids_B_T).to(device))
    lower = max(boundary, layers, 0)
    if lower > layers:
        with torch.no_grad():
            hidden = model.through(hidden, mask_B_T, first=layers, end=lower)
    hidden = model.through(hidden, mask_B_T, first=lower, end=model.depth)
    return model.logits(
        hidden,
        mask_B_T,
        rows_S=torch.from_numpy(batch.rows_S).to(device),
        places_S=torch.from_numpy(batch.places_S).to(device),
    )


def item_logits(
    model: LabelModel,
    items: Sequence[Item],
    *,
    autocast: torch.autocast,
    states: FrozenStates | None = None,
    layers: int = 0,
) -> list[Floats]:
    """Logits of each item, in order, `(S, L)` each; dropout is off."""
    import torch

    model.serving_mode()
    sizes = [len(item) for item in items]
    out: list[Floats | None] = [None] * len(items)
    batches = micro_batches(range(len(items)), sizes, most_tokens=_BATCH_TOKENS)
    for numbers in batches:
        chosen = [items[number] for number in numbers]
        with torch.no_grad(), autocast:
            logits = batch_logits(
                model,
                collate(chosen),
                numbers=numbers,
                states=states,
                layers=layers,
                boundary=model.depth,
            )
        ends = np.cumsum([len(item.places_S) for item in chosen])
        parts = np.split(logits.float().cpu().numpy(), ends[:-1])
        for number, part in zip(numbers, parts, strict=True):
            out[number] = part
    return [part for part in out if part is not None]


def case_logits(
    items: Sequence[Item], logits: Sequence[Floats], *, cases: int
) -> list[Floats]:
    """Logits of each case: one row a text, or one a word; windows are joined again."""
    parts: list[list[Floats]] = [[] for _ in range(cases)]
    for item, rows in zip(items, logits, strict=True):
        parts[item.case].append(rows)
    return [np.concatenate(rows) for rows in parts]


def mean_loss(items: Sequence[Item], logits: Sequence[Floats]) -> float:
    """Mean cross-entropy of the gold labels that the model knows, in nats."""
    gold_S = np.concatenate([item.gold_S for item in items])
    logits_S_L = np.concatenate(logits).astype(np.float64)
    known_S = gold_S != UNKNOWN_LABEL
    gold_S, logits_S_L = gold_S[known_S], logits_S_L[known_S]
    if not len(gold_S):
        return 0.0
    logits_S_L -= logits_S_L.max(axis=1, keepdims=True)
    right_S = logits_S_L[np.arange(len(gold_S)), gold_S]
    return float(np.mean(np.log(np.exp(logits_S_L).sum(axis=1)) - right_S))
