"""Attention for packs: a mask of its own, and fewer passes over memory on a CPU.

torch's fused attention took a third of a training step on a CPU with this mask; three
plain matrix products over grouped heads take half of that (docs/log.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

GROUPED = "groundtune_grouped"
"""Name under which `register` makes the attention known to transformers."""


def register() -> None:
    """Make `GROUPED` known to transformers; harmless when repeated."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(GROUPED, _grouped)
    AttentionMaskInterface.register(GROUPED, sdpa_mask)


def additive_mask(
    allowed_B_T_T: npt.NDArray[np.bool_], *, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Mask to add to scores, of shape `(B, 1, T, T)`: 0 where allowed."""
    import torch

    allowed = torch.from_numpy(allowed_B_T_T).to(device)[:, None]
    mask = torch.zeros(allowed.shape, dtype=dtype, device=device)
    # Finite: a row of minus infinities alone would turn into NaN.
    return mask.masked_fill_(~allowed, torch.finfo(dtype).min / 2)


def _grouped(  # noqa: PLR0917 (the signature is transformers')
    module: Any,  # noqa: ANN401, ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    """Attention with the query heads of one key head side by side.

    Shapes: query `(B, H, T, D)`, key and value `(B, K, T, D)` with H a multiple of K,
    mask `(B, 1, T, T)`. Keys are not copied for each query head.
    """
    import torch

    assert dropout == 0.0, "adapters are trained without attention dropout"
    batch, heads, length, depth = query.shape
    groups = key.shape[1]
    each = heads // groups
    q = (query * scaling).reshape(batch * groups, each * length, depth)
    k = key.reshape(batch * groups, length, depth).transpose(1, 2)
    v = value.reshape(batch * groups, length, depth)
    # One mask for every head of every group: expanded, then laid out once a call.
    mask = attention_mask.expand(batch, groups, length, length)
    mask = mask.reshape(batch * groups, 1, length, length)
    mask = mask.expand(-1, each, -1, -1).reshape(batch * groups, each * length, length)
    weights = torch.baddbmm(mask, q, k).softmax(-1)
    mixed = torch.bmm(weights, v).reshape(batch, heads, length, depth)
    return mixed.transpose(1, 2).contiguous(), None
