"""BERT's layers without padding and with their own backward pass, for a CPU.

Texts are short and an encoder is small: through transformers' layers and autograd a
training step spends more time beside the matrix products than in them. Here the tokens
of a batch stand packed, one after the other, and are padded inside attention alone;
query, key and value are one product; a weight is cast once a pass; attention is plain
batched products, which for texts of some dozen tokens take a tenth of the time of
torch's fused kernel; and the chance of dropout is drawn two bytes an element. The
result is that of transformers' layers to rounding, gradients included (tested).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
_BITS = 16
"""Of chance that an element of dropout takes."""


class Places(NamedTuple):
    """Where packed tokens stand in a padded batch. Axes: N tokens, B items, T width."""

    size: tuple[int, int]
    """B and T."""
    padded_N: torch.Tensor
    """Place of each token in the flattened batch."""
    packed_P: torch.Tensor
    """Token of each of the B * T places; any where a place is padding."""
    bias_B_1_T: torch.Tensor | None
    """Added to scores; None where nothing is padded."""


def is_plain(layers: Sequence[Any]) -> bool:
    """Whether layers are BERT's own, on a CPU: no adapters, the usual activation."""
    return all(_is_plain(layer) for layer in layers)


def _is_plain(layer: Any) -> bool:  # noqa: ANN401 (a module of transformers)
    linear = [layer.get_submodule(name) for name in _LINEAR]
    return (
        all(type(one) is torch.nn.Linear for one in linear)
        and linear[0].weight.device.type == "cpu"
        and type(layer.intermediate.intermediate_act_fn).__name__ == "GELUActivation"
    )


def through_layers(
    states_B_T_D: torch.Tensor,
    mask_B_T: torch.Tensor,
    layers: Sequence[Any],
    *,
    dtype: torch.dtype,
) -> torch.Tensor:
    """States after some layers; 0 where there is padding.

    Args:
        states_B_T_D: Before them, in fp32.
        mask_B_T: 0 where there is padding.
        layers: As `is_plain` wants them; dropout where they are in training mode.
        dtype: What products are computed in. Sums and norms are in fp32.
    """
    batch, width, depth = states_B_T_D.shape
    places = _places(mask_B_T, dtype=dtype)
    states_N_D = states_B_T_D.reshape(batch * width, depth)
    if places.bias_B_1_T is not None:
        states_N_D = states_N_D.index_select(0, places.padded_N)
    for layer in layers:
        states_N_D = _Layer.apply(  # pyright: ignore[reportUnknownMemberType]
            states_N_D,
            _Fixed(
                places,
                int(layer.attention.self.num_attention_heads),
                float(layer.output.LayerNorm.eps),
                dtype,
                dropout_factors(
                    layer.attention.output.dropout, states_N_D.shape, dtype
                ),
                dropout_factors(layer.output.dropout, states_N_D.shape, dtype),
            ),
            *_weights(layer),
        )
    if places.bias_B_1_T is not None:
        empty_P_D = states_N_D.new_zeros(batch * width, depth)
        states_N_D = empty_P_D.index_copy(0, places.padded_N, states_N_D)
    return states_N_D.reshape(batch, width, depth)


def _places(mask_B_T: torch.Tensor, *, dtype: torch.dtype) -> Places:
    batch, width = mask_B_T.shape
    flat_P = mask_B_T.reshape(-1)
    padded_N = flat_P.nonzero()[:, 0]
    if len(padded_N) == batch * width:
        return Places((batch, width), padded_N, padded_N, None)
    packed_P = (flat_P.cumsum(0) - 1).clamp_(min=0)
    bias = torch.zeros(mask_B_T.shape, dtype=dtype)
    bias = bias.masked_fill_(mask_B_T == 0, torch.finfo(dtype).min / 2)
    return Places((batch, width), padded_N, packed_P, bias[:, None, :])


def dropout_factors(
    dropout: Any,  # noqa: ANN401 (a module)
    shape: torch.Size,
    dtype: torch.dtype,
) -> torch.Tensor | None:
    """What dropout multiplies by, drawn now; None where it does nothing.

    Args:
        dropout: Its share is kept to one part in 65,536.
        shape: Of what is multiplied.
        dtype: Of what comes back.
    """
    if not dropout.training or dropout.p == 0.0:
        return None
    count = shape.numel()
    words = torch.empty(-(-count * _BITS // 64), dtype=torch.int64)
    # From the lowest number without an upper bound: all 64 bits are drawn.
    words.random_(-(2**63), None)
    drawn = words.view(torch.int16)[:count].view(shape)
    lost = round(dropout.p * 2**_BITS)
    kept = drawn >= lost - 2 ** (_BITS - 1)
    return kept.to(dtype).mul_(2**_BITS / (2**_BITS - lost))


def _weights(layer: Any) -> list[torch.Tensor]:  # noqa: ANN401 (as above)
    named = [layer.get_submodule(name) for name in (*_LINEAR, *_NORMS)]
    return [weight for one in named for weight in (one.weight, one.bias)]


class _Fixed(NamedTuple):
    """What a layer takes beside tensors that have gradients."""

    places: Places
    heads: int
    eps: float
    dtype: torch.dtype
    first_kept_N_D: torch.Tensor | None
    second_kept_N_D: torch.Tensor | None


class _Layer(torch.autograd.Function):
    """One layer. Axes beyond `Places`: D states, F inner states, H heads, E of a head.

    Gradients of products are computed in the products' precision and handed over in
    that of the weights.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 (a layer has that many)
        ctx: Any,  # noqa: ANN401
        states_N_D: torch.Tensor,
        fixed: _Fixed,
        query: torch.Tensor,
        query_bias: torch.Tensor,
        key: torch.Tensor,
        key_bias: torch.Tensor,
        value: torch.Tensor,
        value_bias: torch.Tensor,
        mix: torch.Tensor,
        mix_bias: torch.Tensor,
        rise: torch.Tensor,
        rise_bias: torch.Tensor,
        fall: torch.Tensor,
        fall_bias: torch.Tensor,
        *norms: torch.Tensor,
    ) -> torch.Tensor:
        dtype, eps = fixed.dtype, fixed.eps
        depth = states_N_D.shape[1]
        wide = torch.empty(3 * depth, depth, dtype=dtype)
        for part, weight in zip(wide.tensor_split(3), (query, key, value), strict=True):
            part.copy_(weight)
        wide_bias = torch.cat([query_bias, key_bias, value_bias]).to(dtype)
        mix_c, rise_c, fall_c = mix.to(dtype), rise.to(dtype), fall.to(dtype)
        read_N_D = states_N_D.to(dtype)
        qkv = _split(torch.addmm(wide_bias, read_N_D, wide.t()), fixed)
        probabilities = _probabilities(qkv, fixed)
        mixed_N_D = _joined(torch.bmm(probabilities, qkv[2]), fixed)
        added = torch.addmm(mix_bias.to(dtype), mixed_N_D, mix_c.t())
        if fixed.first_kept_N_D is not None:
            added.mul_(fixed.first_kept_N_D)
        first_N_D = states_N_D + added
        middle_N_D, *first_moments = torch.native_layer_norm(
            first_N_D, [depth], norms[0], norms[1], eps
        )
        inner_N_D = middle_N_D.to(dtype)
        risen_N_F = torch.addmm(rise_bias.to(dtype), inner_N_D, rise_c.t())
        bent_N_F = torch.nn.functional.gelu(risen_N_F)
        added = torch.addmm(fall_bias.to(dtype), bent_N_F, fall_c.t())
        if fixed.second_kept_N_D is not None:
            added.mul_(fixed.second_kept_N_D)
        second_N_D = middle_N_D + added
        out_N_D, *second_moments = torch.native_layer_norm(
            second_N_D, [depth], norms[2], norms[3], eps
        )
        ctx.fixed = fixed
        ctx.save_for_backward(
            *(read_N_D, qkv, probabilities, mixed_N_D, first_N_D, *first_moments),
            *(inner_N_D, risen_N_F, bent_N_F, second_N_D, *second_moments),
            *(wide, mix_c, rise_c, fall_c, *norms),
        )
        return out_N_D

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:  # noqa: ANN401
        fixed: _Fixed = ctx.fixed
        (read_N_D, qkv, probabilities, mixed_N_D, first_N_D, *rest) = ctx.saved_tensors
        (mean_1, spread_1, inner_N_D, risen_N_F, bent_N_F, second_N_D, *rest) = rest
        (mean_2, spread_2, wide, mix, rise, fall, *norms) = rest
        depth = read_N_D.shape[1]
        need = [True] * 3
        norm_backward = torch.ops.aten.native_layer_norm_backward
        back_N_D, *norm_2 = norm_backward(
            gradients[0].contiguous(),
            second_N_D,
            [depth],
            mean_2,
            spread_2,
            norms[2],
            norms[3],
            need,
        )
        into = _dropped(back_N_D, fixed.second_kept_N_D, fixed.dtype)
        fall_gradients = _of_product(into, bent_N_F)
        into = torch.ops.aten.gelu_backward(into @ fall, risen_N_F)
        rise_gradients = _of_product(into, inner_N_D)
        back_N_D += into @ rise
        back_N_D, *norm_1 = norm_backward(
            back_N_D, first_N_D, [depth], mean_1, spread_1, norms[0], norms[1], need
        )
        into = _dropped(back_N_D, fixed.first_kept_N_D, fixed.dtype)
        mix_gradients = _of_product(into, mixed_N_D)
        into = _attention_backward(into @ mix, qkv, probabilities, fixed)
        wide_weight, wide_bias = _of_product(into, read_N_D)
        if ctx.needs_input_grad[0]:
            back_N_D += into @ wide
        narrow = zip(
            wide_weight.tensor_split(3), wide_bias.tensor_split(3), strict=True
        )
        return (
            back_N_D if ctx.needs_input_grad[0] else None,
            None,
            *(part for pair in narrow for part in pair),
            *(*mix_gradients, *rise_gradients, *fall_gradients, *norm_1, *norm_2),
        )


def _split(qkv_N_3D: torch.Tensor, fixed: _Fixed) -> torch.Tensor:
    """Query, key and value of each head, padded: `(3, B * H, T, E)`."""
    (batch, width), heads = fixed.places.size, fixed.heads
    if fixed.places.bias_B_1_T is not None:
        # A padded place is given some token's states: it is not heard, and what it
        # says is not read.
        qkv_N_3D = qkv_N_3D.index_select(0, fixed.places.packed_P)
    apart = qkv_N_3D.view(batch, width, 3, heads, -1).permute(2, 0, 3, 1, 4)
    return apart.reshape(3, batch * heads, width, -1)


def _joined(heads_BH_T_E: torch.Tensor, fixed: _Fixed) -> torch.Tensor:
    """The heads of each token side by side again, packed: `(N, D)`."""
    batch, width = fixed.places.size
    joined = heads_BH_T_E.view(batch, fixed.heads, width, -1).transpose(1, 2)
    joined = joined.reshape(batch * width, -1)
    if fixed.places.bias_B_1_T is not None:
        joined = joined.index_select(0, fixed.places.padded_N)
    return joined


def _probabilities(qkv: torch.Tensor, fixed: _Fixed) -> torch.Tensor:
    """How much each place hears each other one: `(B * H, T, T)`."""
    bias = qkv.new_zeros(1, 1, 1)
    if fixed.places.bias_B_1_T is not None:
        bias = fixed.places.bias_B_1_T.repeat_interleave(fixed.heads, dim=0)
    scale = qkv.shape[-1] ** -0.5
    scores = torch.baddbmm(bias, qkv[0], qkv[1].transpose(1, 2), alpha=scale)
    return scores.softmax(-1)


def _attention_backward(
    into_N_D: torch.Tensor,
    qkv: torch.Tensor,
    probabilities: torch.Tensor,
    fixed: _Fixed,
) -> torch.Tensor:
    """Gradient of query, key and value side by side, packed: `(N, 3 * D)`."""
    (batch, width), heads = fixed.places.size, fixed.heads
    if fixed.places.bias_B_1_T is not None:
        empty = into_N_D.new_zeros(batch * width, into_N_D.shape[1])
        into_N_D = empty.index_copy_(0, fixed.places.padded_N, into_N_D)
    into = into_N_D.view(batch, width, heads, -1).transpose(1, 2)
    into = into.reshape(batch * heads, width, -1)
    query, key, value = qkv
    back = torch.empty_like(qkv)
    torch.bmm(probabilities.transpose(1, 2), into, out=back[2])
    heard = torch.bmm(into, value.transpose(1, 2)).mul_(probabilities)
    heard.addcmul_(probabilities, heard.sum(-1, keepdim=True), value=-1)
    heard.mul_(qkv.shape[-1] ** -0.5)
    torch.bmm(heard, key, out=back[0])
    torch.bmm(heard.transpose(1, 2), query, out=back[1])
    apart = back.view(3, batch, heads, width, -1).permute(1, 3, 0, 2, 4)
    joined = apart.reshape(batch * width, -1)
    if fixed.places.bias_B_1_T is not None:
        joined = joined.index_select(0, fixed.places.padded_N)
    return joined


def _of_product(
    into_N_O: torch.Tensor, read_N_I: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of a linear map's weight and bias, in fp32."""
    weight_O_I = (into_N_O.t() @ read_N_I).float()
    return weight_O_I, into_N_O.sum(0, dtype=torch.float32)


def _dropped(
    back_N_D: torch.Tensor, kept_N_D: torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor:
    """A gradient in the precision of products, past the dropout that it came by."""
    into = back_N_D.to(dtype)
    return into if kept_N_D is None else into * kept_N_D
