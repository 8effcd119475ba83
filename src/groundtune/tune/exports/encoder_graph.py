"""A BERT with a head for labels, written as an ONNX graph from its safetensors.

Where a text is the mean of its tokens, the folder's last layer stands for that mean
(see `tune.encoder.export`); here the mean itself is computed and that layer left out.
Texts stand side by side, padded at the end.
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

_APPROXIMATE = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


def write_encoder(
    model: ModelFolder, path: Path, *, pooling: str, is_int8: bool
) -> None:
    """Write a classifier folder as one ONNX file.

    It takes `input_ids` and `attention_mask` of shape `(batch, tokens)` and gives
    `logits`: `(batch, labels)`, or `(batch, tokens, labels)` where words are tagged.

    Args:
        model: As `tune` wrote it.
        path: File to write.
        pooling: What the head reads: "mean", "first" or "words".
        is_int8: Keep the weights of the layers in 8 bits; the head keeps its own.

    Raises:
        ModelLoadError: It is a BERT of another make.
        MissingExtraError: The extra `export` is not installed.
        StoreError: The file cannot be written.
    """
    config = model.config
    position = config.get("position_embedding_type", "absolute")
    if config.get("hidden_act", "gelu") not in _APPROXIMATE or position != "absolute":
        raise ModelLoadError(
            f"{position} positions with {config.get('hidden_act')} are not exported",
            fix="use a BERT with absolute positions and gelu",
            where=str(model.path),
        )
    make = _Encoder(model, is_int8=is_int8)
    graph = make.graph
    axes = ("batch", "tokens")
    ids = graph.input("input_ids", axes, kind="INT64")
    mask = graph.op(
        "Cast",
        graph.input("attention_mask", axes, kind="INT64"),
        to=graph.kind("FLOAT"),
    )
    unseen = graph.op(
        "Mul",
        graph.op("Sub", graph.number(1.0), mask),
        graph.number(UNSEEN),
    )
    unseen = graph.op("Unsqueeze", unseen, graph.ints(1, 2))
    states = make.embeddings(ids)
    for number in range(int(config["num_hidden_layers"]) - (pooling == "mean")):
        states = make.layer(states, f"bert.encoder.layer.{number}", unseen)
    graph.is_int8 = False
    labels = len(config["id2label"])
    if pooling == "words":
        logits = make.linear(states, "classifier")
        graph.output(logits, "logits", (*axes, labels))
    else:
        read = make.mean(states, mask) if pooling == "mean" else make.first(states)
        pooled = graph.op("Tanh", make.linear(read, "bert.pooler.dense"))
        graph.output(make.linear(pooled, "classifier"), "logits", ("batch", labels))
    graph.write(path, name=model.name, notes={"weights_sha256": model.weights_sha256})


class _Encoder:
    """Makes nodes by the names that a BERT checkpoint uses."""

    def __init__(self, model: ModelFolder, *, is_int8: bool) -> None:
        self.graph = Graph(is_int8=is_int8)
        self._weights = SafetensorsFile(model.weights)
        self._config: dict[str, Any] = model.config

    def linear(self, node: str, name: str) -> str:
        """A linear map with its bias."""
        weight_O_I = self._weights.read(f"{name}.weight")
        product = self.graph.linear(node, weight_O_I, f"{name}.weight")
        return self.graph.op("Add", product, self._vector(f"{name}.bias"))

    def norm(self, node: str, name: str) -> str:
        """A layer norm."""
        weight, bias = (self._vector(f"{name}.{part}") for part in ("weight", "bias"))
        return self.graph.op(
            "LayerNormalization", node, weight, bias, axis=-1, epsilon=self._epsilon
        )

    def embeddings(self, ids: str) -> str:
        """Token states before the first layer; all tokens are of type 0."""
        graph, start = self.graph, "bert.embeddings."
        words = self._weights.read(f"{start}word_embeddings.weight")
        places = self._weights.read(f"{start}position_embeddings.weight")
        kinds = self._weights.read(f"{start}token_type_embeddings.weight")
        fixed = graph.op(
            "Slice",
            graph.constant(places + kinds[0], f"{start}fixed"),
            graph.ints(0),
            graph.length(ids, 1),
            graph.ints(0),
        )
        found = graph.rows(words, ids, f"{start}word_embeddings.weight")
        return self.norm(graph.op("Add", found, fixed), f"{start}LayerNorm")

    def layer(self, node: str, name: str, unseen: str) -> str:
        """One layer; `unseen` is added to the likeness of tokens."""
        graph = self.graph
        read = self._attention(node, f"{name}.attention", unseen)
        seen = self.norm(
            graph.op("Add", node, read), f"{name}.attention.output.LayerNorm"
        )
        wide = graph.op(
            "Gelu",
            self.linear(seen, f"{name}.intermediate.dense"),
            approximate=_APPROXIMATE[self._config.get("hidden_act", "gelu")],
        )
        thought = graph.op("Add", seen, self.linear(wide, f"{name}.output.dense"))
        return self.norm(thought, f"{name}.output.LayerNorm")

    def mean(self, states: str, mask: str) -> str:
        """The mean of each text's tokens, brought to mean 0 and variance 1."""
        graph = self.graph
        weight = graph.op("Unsqueeze", mask, graph.ints(2))
        tokens = graph.ints(1)
        total = graph.op(
            "ReduceSum", graph.op("Mul", states, weight), tokens, keepdims=0
        )
        count = graph.op("ReduceSum", weight, tokens, keepdims=0)
        width = int(self._config["hidden_size"])
        return graph.op(
            "LayerNormalization",
            graph.op("Div", total, count),
            graph.constant(np.ones(width, np.float32), "mean.weight"),
            axis=-1,
            epsilon=1e-5,
        )

    def first(self, states: str) -> str:
        """The state of each text's first token."""
        zero = self.graph.constant(np.array(0, np.int64), "zero")
        return self.graph.op("Gather", states, zero, axis=1)

    def _attention(self, node: str, name: str, unseen: str) -> str:
        graph = self.graph
        query, key, value = (
            self._heads(self.linear(node, f"{name}.self.{part}"))
            for part in ("query", "key", "value")
        )
        turned = graph.op("Transpose", key, perm=[0, 1, 3, 2])
        likeness = graph.op(
            "Mul",
            graph.op("MatMul", query, turned),
            graph.number(1 / math.sqrt(self._size)),
        )
        share = graph.op("Softmax", graph.op("Add", likeness, unseen), axis=-1)
        mixed = graph.op("Transpose", graph.op("MatMul", share, value), perm=_SWAPPED)
        joined = graph.op("Reshape", mixed, graph.ints(0, 0, -1))
        return self.linear(joined, f"{name}.output.dense")

    def _heads(self, node: str) -> str:
        shape = self.graph.ints(0, 0, -1, self._size)
        return self.graph.op(
            "Transpose", self.graph.op("Reshape", node, shape), perm=_SWAPPED
        )

    def _vector(self, name: str) -> str:
        return self.graph.constant(self._weights.read(name), name)

    @property
    def _size(self) -> int:
        return self._config["hidden_size"] // self._config["num_attention_heads"]

    @property
    def _epsilon(self) -> float:
        return float(self._config.get("layer_norm_eps", 1e-12))


_SWAPPED = [0, 2, 1, 3]
"""Order of axes in which heads stand before tokens, and back."""
