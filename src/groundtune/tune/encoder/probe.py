"""A linear head, fitted to the states of an encoder that stays as it is.

Logistic regression by L-BFGS over all cases at once: seconds where training takes
minutes. It is what few-shot training ends with, and where full training begins: a head
that already knows its way does not tear the encoder about in the first steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.tune.encoder.dataset import UNKNOWN_LABEL, collate, micro_batches
from groundtune.tune.encoder.modify import class_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from groundtune.config.encoder import EncoderSettings
    from groundtune.tune.encoder.dataset import Item
    from groundtune.tune.encoder.pretrained import LabelModel

PULL = 0.003
"""Strength of the pull of the head's weights towards 0."""
_BATCH_TOKENS = 4096
_MOST_ROUNDS = 200


def fit_head(
    model: LabelModel,
    items: Sequence[Item],
    *,
    settings: EncoderSettings,
    autocast: torch.autocast,
    pull: float = PULL,
) -> None:
    """Replace the classifier by the best one for the encoder as it stands.

    Args:
        model: Of one label a text.
        items: To learn from; those of unknown labels are passed over.
        settings: Class weights and label smoothing hold here as well.
        autocast: The precision that the encoder computes in.
        pull: Towards 0, per weight and against the mean loss.
    """
    import torch

    known = [item for item in items if int(item.gold_S[0]) != UNKNOWN_LABEL]
    with torch.no_grad():
        features_N_D = model.features(pooled_states(model, known, autocast=autocast))
    gold_N = torch.tensor([int(item.gold_S[0]) for item in known])
    gold_N = gold_N.to(features_N_D.device)
    labels, width = len(model.labels), features_N_D.shape[1]
    factors = class_weights(
        [item.gold_S for item in known], count=labels, settings=settings
    )
    factors_L = None if factors is None else torch.tensor(factors, device=model.device)
    weight_L_D = torch.zeros(labels, width, device=model.device, requires_grad=True)
    bias_L = torch.zeros(labels, device=model.device, requires_grad=True)
    search = torch.optim.LBFGS(
        [weight_L_D, bias_L], max_iter=_MOST_ROUNDS, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        logits_N_L = torch.nn.functional.linear(features_N_D, weight_L_D, bias_L)
        fit = torch.nn.functional.cross_entropy(
            logits_N_L,
            gold_N,
            weight=factors_L,
            label_smoothing=settings.label_smoothing,
        )
        whole = fit + 0.5 * pull * (weight_L_D**2).sum()
        whole.backward()
        return whole

    search.step(loss)
    with torch.no_grad():
        model.head["classifier"].weight.copy_(weight_L_D)
        model.head["classifier"].bias.copy_(bias_L)


def pooled_states(
    model: LabelModel, items: Sequence[Item], *, autocast: torch.autocast
) -> torch.Tensor:
    """Pooled states of texts in order, `(N, D)`, without gradients or dropout."""
    import torch

    model.serving_mode()
    sizes = [len(item) for item in items]
    parts: list[torch.Tensor] = []
    order: list[int] = []
    batches = micro_batches(range(len(items)), sizes, most_tokens=_BATCH_TOKENS)
    for numbers in batches:
        batch = collate([items[number] for number in numbers])
        with torch.no_grad(), autocast:
            parts.append(forward_pooled(model, batch.ids_B_T, batch.mask_B_T))
        order += numbers
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back.to(model.device)]


def forward_pooled(
    model: LabelModel,
    ids_B_T: object,
    mask_B_T: object,
) -> torch.Tensor:
    """Pooled states of one batch, in whatever mode the model is."""
    import torch

    ids = torch.as_tensor(ids_B_T).to(model.device)
    mask = torch.as_tensor(mask_B_T).to(model.device)
    states = model.through(model.embed(ids), mask, first=0, end=model.depth)
    return model.pooled(states, mask)
