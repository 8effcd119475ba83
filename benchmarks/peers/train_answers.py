"""How well a causal model knows answers: the same for every trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer_accuracy(
    model: Any,  # noqa: ANN401 (transformers gives no useful type)
    rows: Sequence[tuple[list[int], list[int]]],
) -> float:
    """Percent of the answers' tokens that are the likeliest after what stands before.

    Args:
        model: Of transformers.
        rows: Token ids of each prompt and of its answer.
    """
    model.eval()
    right = count = 0
    for prompt, answer in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + answer])).logits[0]
        said = logits[len(prompt) - 1 : -1].argmax(-1)
        right += int((said == torch.tensor(answer)).sum())
        count += len(answer)
    return 100 * right / count
