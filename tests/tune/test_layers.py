"""Packed layers and losses in parts: what transformers and autograd would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from groundtune.config.encoder import default_settings
from groundtune.tune.encoder.layers import (
    dropout_factors,
    is_plain,
    through_layers,
)
from groundtune.tune.encoder.modify import apply_strategy
from groundtune.tune.encoder.pretrained import open_label_model
from groundtune.tune.token_loss import token_losses

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder
    from groundtune.tune.encoder.pretrained import LabelModel

LENGTHS = (9, 4, 7, 1, 9)
WIDTH = 9


@pytest.fixture
def model(tiny_bert: ModelFolder) -> LabelModel:
    """A model whose biases and norms are not what they are at the start."""
    opened = open_label_model(
        tiny_bert, ("a", "b"), is_words=False, dropout=0.4, seed=0
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in opened.bert.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    opened.serving_mode()
    return opened


def states_and_mask(model: LabelModel, *, padded: bool) -> tuple[Any, Any, Any]:
    """States, their mask, and a gradient that pads with zeros."""
    generator = torch.Generator().manual_seed(2)
    depth = int(model.bert.config.hidden_size)
    shape = (len(LENGTHS), WIDTH, depth)
    states = torch.randn(shape, generator=generator, requires_grad=True)
    lengths = torch.tensor(LENGTHS if padded else [WIDTH] * len(LENGTHS))
    mask = (torch.arange(WIDTH)[None] < lengths[:, None]).long()
    into = torch.randn(shape, generator=generator) * mask[..., None]
    return states, mask, into


def gradients(model: LabelModel, states: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a backward pass left, taken away."""
    found: dict[str, torch.Tensor] = {}
    for name, weight in [*model.bert.encoder.named_parameters(), ("states", states)]:
        assert weight.grad is not None, name
        found[name], weight.grad = weight.grad, None
    return found


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)]
)
def test_states_and_gradients_are_those_of_transformers(
    model: LabelModel, padded: bool, dtype: torch.dtype, near: float
) -> None:
    states, mask, into = states_and_mask(model, padded=padded)
    layers = model.bert.encoder.layer
    bias = torch.zeros(mask.shape).masked_fill_(mask == 0, -1e30)[:, None, None]
    expected = states
    for layer in layers:
        expected = layer(expected, bias)
    (expected * into).sum().backward()
    wanted = gradients(model, states)

    found = through_layers(states, mask, layers, dtype=dtype)
    (found * into).sum().backward()
    given = gradients(model, states)

    here = mask.bool()
    torch.testing.assert_close(found[here], expected[here], rtol=near, atol=near)
    assert not found[~here].any()
    for name, gradient in wanted.items():
        # A bias of keys moves every score alike: its gradient is nothing but rounding.
        if not name.endswith("key.bias"):
            off = (given[name] - gradient).norm() / gradient.norm()
            assert float(off) < near, name


def test_dropout_keeps_its_share_and_is_drawn_from_the_seed(model: LabelModel) -> None:
    states, mask, _ = states_and_mask(model, padded=True)
    layers = model.bert.encoder.layer
    dropout = layers[0].output.dropout
    shape = torch.Size((200, 301))
    assert dropout_factors(dropout, shape, torch.float32) is None
    calm = through_layers(states, mask, layers, dtype=torch.float32)
    layers.train()

    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return through_layers(states, mask, layers, dtype=torch.float32)

    with torch.random.fork_rng():
        assert torch.equal(drawn(3), drawn(3))
        assert not torch.equal(drawn(3), drawn(4))
        assert not torch.equal(drawn(3), calm)
        factors = dropout_factors(dropout, shape, torch.float32)

    assert factors is not None
    assert factors.unique().tolist() == pytest.approx([0.0, 1 / 0.6], rel=1e-4)
    assert float(factors.mean()) == pytest.approx(1.0, abs=0.02)
    # Every place has its own chance, the last of a row as well.
    assert 0 < int((factors[:, -1] == 0).sum()) < len(factors)


def test_a_layer_with_an_adapter_is_left_to_transformers(
    tiny_bert: ModelFolder,
) -> None:
    for strategy, plain in (("full", True), ("lora", False)):
        model = open_label_model(
            tiny_bert, ("a", "b"), is_words=False, dropout=0.1, seed=0
        )
        apply_strategy(model, default_settings(strategy), seed=0)  # pyright: ignore[reportArgumentType]
        assert is_plain(model.bert.encoder.layer) == plain


def test_losses_in_parts_are_cross_entropy_with_its_gradients() -> None:
    generator = torch.Generator().manual_seed(5)
    states = torch.randn(150, 16, generator=generator, requires_grad=True)
    words = torch.randn(300, 16, generator=generator)
    labels = torch.randint(0, 300, (150,), generator=generator)
    weights = torch.rand(150, generator=generator)
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for losses in (
        torch.nn.functional.cross_entropy(states @ words.t(), labels, reduction="none"),
        token_losses(states, words, labels),
    ):
        (losses * weights).sum().backward()
        assert states.grad is not None
        found.append((losses.detach(), states.grad))
        states.grad = None

    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        alone = token_losses(states, words, labels)
    assert torch.equal(alone, found[1][0])
