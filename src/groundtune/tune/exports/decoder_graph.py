"""A Llama-like language model written as an ONNX graph, with its cache.

Inputs and outputs have the names that the usual exporters give them, so that programs
that run such files run these: past keys and values go in, present ones come out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.store.weights import SafetensorsFile
from groundtune.tune.exports.nodes import UNSEEN, Graph

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder


def write_decoder(model: ModelFolder, path: Path, *, is_int8: bool) -> None:
    """Write a generator folder as one ONNX file.

    It takes `input_ids` and `position_ids` of shape `(batch, tokens)`, `attention_mask`
    over what went before and these tokens, and `past_key_values.N.key` and `.value`
    of shape `(batch, heads, past, size)`, at first with a past of 0. It gives `logits`
    and `present.N.key` and `.value`.

    Raises:
        ModelLoadError: It is of another family, or too large for one file.
        MissingExtraError: The extra `export` is not installed.
        StoreError: The file cannot be written.
    """
    _check(model)
    make = _Decoder(model, is_int8=is_int8)
    graph = make.graph
    axes = ("batch", "tokens")
    ids = graph.input("input_ids", axes, kind="INT64")
    mask = graph.input("attention_mask", ("batch", "all"), kind="INT64")
    places = graph.input("position_ids", axes, kind="INT64")
    layers = int(model.config["num_hidden_layers"])
    kept = ("batch", make.key_heads, "past", make.size)
    past = [
        [
            graph.input(f"past_key_values.{number}.{part}", kept, kind="FLOAT")
            for part in ("key", "value")
        ]
        for number in range(layers)
    ]
    unseen = make.unseen(ids, mask)
    turns = make.turns(places)
    table = make.weights.read("model.embed_tokens.weight")
    states = graph.rows(table, ids, "model.embed_tokens.weight")
    present: list[tuple[str, str]] = []
    for number, (key, value) in enumerate(past):
        name = f"model.layers.{number}"
        seen = make.norm(states, f"{name}.input_layernorm")
        read, *both = make.attention(
            seen, f"{name}.self_attn", (key, value), unseen=unseen, turns=turns
        )
        present.append((both[0], both[1]))
        states = graph.op("Add", states, read)
        seen = make.norm(states, f"{name}.post_attention_layernorm")
        states = graph.op("Add", states, make.inner(seen, f"{name}.mlp"))
    states = make.norm(states, "model.norm")
    if "lm_head.weight" in make.weights:
        logits = make.linear(states, "lm_head")
    else:
        # The table of the input is read backwards.
        logits = graph.likeness(states, table, "model.embed_tokens.weight")
    graph.output(logits, "logits", (*axes, len(table)))
    for number, both in enumerate(present):
        for part, node in zip(("key", "value"), both, strict=True):
            shape = ("batch", make.key_heads, "all", make.size)
            graph.output(node, f"present.{number}.{part}", shape)
    graph.write(path, name=model.name, notes={"weights_sha256": model.weights_sha256})


def _check(model: ModelFolder) -> None:
    config = model.config
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    is_plain = (
        config.get("model_type") == "llama"
        and config.get("hidden_act", "silu") == "silu"
        and not config.get("attention_bias")
        and not config.get("mlp_bias")
        and rope.get("rope_type", "default") == "default"
    )
    if not is_plain:
        raise ModelLoadError(
            f"a model of type {config.get('model_type')!r} of this make is not "
            "exported to ONNX",
            fix="use a llama-family model without biases, such as "
            "smollm2-135m-instruct, or export to merged",
            where=str(model.path),
        )


class _Decoder:
    """Makes nodes by the names that a Llama checkpoint uses."""

    def __init__(self, model: ModelFolder, *, is_int8: bool) -> None:
        config: dict[str, Any] = model.config
        self.graph = Graph(is_int8=is_int8, in_blocks=True)
        self.weights = SafetensorsFile(model.weights)
        self.heads = int(config["num_attention_heads"])
        self.key_heads = int(config.get("num_key_value_heads", self.heads))
        self.size = int(config.get("head_dim") or config["hidden_size"] // self.heads)
        self._config = config

    def linear(self, node: str, name: str) -> str:
        """A linear map without bias."""
        weight_O_I = self.weights.read(f"{name}.weight")
        return self.graph.linear(node, weight_O_I, f"{name}.weight")

    def norm(self, node: str, name: str) -> str:
        """A norm by the root of the mean square."""
        graph = self.graph
        square = graph.op("Mul", node, node)
        mean = graph.op("ReduceMean", square, graph.ints(-1), keepdims=1)
        epsilon = graph.number(float(self._config["rms_norm_eps"]))
        root = graph.op("Sqrt", graph.op("Add", mean, epsilon))
        weight = graph.constant(self.weights.read(f"{name}.weight"), f"{name}.weight")
        return graph.op("Mul", graph.op("Div", node, root), weight)

    def inner(self, node: str, name: str) -> str:
        """The part of a layer that looks at each token alone."""
        graph = self.graph
        gate = self.linear(node, f"{name}.gate_proj")
        opened = graph.op("Mul", gate, graph.op("Sigmoid", gate))
        wide = graph.op("Mul", opened, self.linear(node, f"{name}.up_proj"))
        return self.linear(wide, f"{name}.down_proj")

    def unseen(self, ids: str, mask: str) -> str:
        """0 where a token may read another, `(batch, 1, tokens, all)`."""
        graph = self.graph
        everything = graph.length(mask, 1)
        before = graph.op("Sub", everything, graph.length(ids, 1))
        one = graph.ints(1)
        scalar = graph.ints()
        ends = [graph.op("Reshape", node, scalar) for node in (before, everything)]
        step = graph.constant(np.array(1, np.int64), "one")
        zero = graph.constant(np.array(0, np.int64), "zero")
        own = graph.op("Unsqueeze", graph.op("Range", ends[0], ends[1], step), one)
        others = graph.op("Range", zero, ends[1], step)
        is_later = graph.op("Greater", others, own)
        padding = graph.op("Equal", mask, zero)
        is_padding = graph.op("Unsqueeze", padding, graph.ints(1, 2))
        hidden = graph.op("Or", is_later, is_padding)
        return graph.op("Where", hidden, graph.number(UNSEEN), graph.number(0.0))

    def turns(self, places: str) -> tuple[str, str]:
        """Cosine and sine by which each place turns, `(batch, 1, tokens, size / 2)`."""
        graph, config = self.graph, self._config
        rope = config.get("rope_parameters") or {}
        theta = float(rope.get("rope_theta", config.get("rope_theta", 10_000.0)))
        count = int(config["max_position_embeddings"])
        speeds = theta ** -(np.arange(0, self.size, 2, dtype=np.float64) / self.size)
        # As transformers has it: speeds and angles are of float32.
        angles = np.arange(count, dtype=np.float32)[:, None] * speeds.astype(np.float32)
        tables = {"cosine": np.cos(angles), "sine": np.sin(angles)}
        cosine, sine = (
            graph.op(
                "Unsqueeze",
                graph.op("Gather", graph.constant(table, f"rope.{name}"), places),
                graph.ints(1),
            )
            for name, table in tables.items()
        )
        return cosine, sine

    def attention(
        self,
        node: str,
        name: str,
        past: tuple[str, str],
        *,
        unseen: str,
        turns: tuple[str, str],
    ) -> tuple[str, str, str]:
        """What each token reads from those before, and all keys and values so far."""
        graph = self.graph
        query = self._turned(self._split(node, f"{name}.q_proj"), turns)
        key = self._turned(self._split(node, f"{name}.k_proj"), turns)
        value = self._split(node, f"{name}.v_proj")
        key = graph.op("Concat", past[0], key, axis=2)
        value = graph.op("Concat", past[1], value, axis=2)
        # Several query heads share a key head: they stand below one another.
        shared = graph.ints(0, self.key_heads, -1, self.size)
        query = graph.op("Reshape", query, shared)
        scores = graph.op(
            "MatMul", query, graph.op("Transpose", key, perm=[0, 1, 3, 2])
        )
        scores = graph.op("Mul", scores, graph.number(1 / math.sqrt(self.size)))
        shape = graph.op("Shape", scores)
        apart = graph.op(
            "Concat",
            graph.length(scores, 0),
            graph.ints(self.heads),
            graph.ints(-1),
            graph.length(scores, 3),
            axis=0,
        )
        scores = graph.op("Add", graph.op("Reshape", scores, apart), unseen)
        share = graph.op("Reshape", graph.op("Softmax", scores, axis=-1), shape)
        mixed = graph.op("MatMul", share, value)
        own = graph.op(
            "Concat",
            graph.length(node, 0),
            graph.ints(self.heads),
            graph.length(node, 1),
            graph.ints(self.size),
            axis=0,
        )
        mixed = graph.op("Reshape", mixed, own)
        mixed = graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = graph.op("Reshape", mixed, graph.ints(0, 0, self.heads * self.size))
        return self.linear(flat, f"{name}.o_proj"), key, value

    def _split(self, node: str, name: str) -> str:
        """A linear map whose result is parted into heads, `(batch, heads, T, size)`."""
        shape = self.graph.ints(0, 0, -1, self.size)
        parted = self.graph.op("Reshape", self.linear(node, name), shape)
        return self.graph.op("Transpose", parted, perm=[0, 2, 1, 3])

    def _turned(self, node: str, turns: tuple[str, str]) -> str:
        """Heads turned by their place: the first half with the second."""
        graph = self.graph
        first, second = graph.halves(node)
        cosine, sine = turns
        left = graph.op(
            "Sub", graph.op("Mul", first, cosine), graph.op("Mul", second, sine)
        )
        right = graph.op(
            "Add", graph.op("Mul", second, cosine), graph.op("Mul", first, sine)
        )
        return graph.op("Concat", left, right, axis=-1)
