"""Cross-entropy over a large vocabulary, some tokens at a time.

Logits of a few hundred tokens over 49,152 words take more memory than all else that a
training step of an adapter keeps, three times over: as they come, in fp32, and as a
gradient. Here they exist for some tokens at a time, and what flows back to the states
is computed at once, while they are there.
"""

from __future__ import annotations

from typing import Any

import torch

_TOGETHER = 64
"""Tokens whose logits exist at one time."""


def token_losses(
    states_S_D: torch.Tensor, words_V_D: torch.Tensor, labels_S: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of each token in nats, fp32.

    Args:
        states_S_D: What each token is predicted from; gradients flow back to them.
        words_V_D: Weight of the output layer, which is not trained and has no bias.
        labels_S: The tokens.
    """
    return _TokenLosses.apply(  # pyright: ignore[reportReturnType]
        states_S_D, words_V_D, labels_S
    )


class _TokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        states_S_D: torch.Tensor,
        words_V_D: torch.Tensor,
        labels_S: torch.Tensor,
    ) -> torch.Tensor:
        flows = ctx.needs_input_grad[0]
        losses: list[torch.Tensor] = []
        back: list[torch.Tensor] = []
        parts = zip(states_S_D.split(_TOGETHER), labels_S.split(_TOGETHER), strict=True)
        for states_C_D, labels_C in parts:
            shares_C_V = (states_C_D @ words_V_D.t()).float().log_softmax(-1)
            right_C_1 = labels_C[:, None]
            losses.append(-shares_C_V.gather(1, right_C_1)[:, 0])
            if flows:
                shares_C_V.exp_()
                less = torch.full_like(right_C_1, -1, dtype=shares_C_V.dtype)
                shares_C_V.scatter_add_(1, right_C_1, less)
                back.append(shares_C_V.to(words_V_D.dtype) @ words_V_D)
        if flows:
            ctx.save_for_backward(torch.cat(back))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        (back_S_D,) = ctx.saved_tensors
        scaled = back_S_D * gradients[0][:, None].to(back_S_D.dtype)
        return scaled, None, None
