"""A BERT encoder written as an OpenVINO graph, straight from its safetensors.

Only the graph: which weight goes where and how the layers are joined. Tokenizing,
scheduling and pooling settings belong to `embed`. Nothing here needs torch, and no
file is executed: the weights are arrays and the layers are ours.

The graph takes one text at a time, so it has neither padding nor mask. That is not a
shortcut: a row then cannot depend on the texts beside it, and no work is spent on
padding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import openvino as ov

    Floats = npt.NDArray[np.float32]

_ACTIVATIONS = {"gelu": "ERF", "gelu_new": "TANH", "gelu_pytorch_tanh": "TANH"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """The numbers of a `config.json` that the graph is made of."""

    hidden: int
    heads: int
    layers: int
    positions: int
    norm_epsilon: float
    activation: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, where: str) -> BertShape:
        """Read a Hugging Face `config.json`.

        Raises:
            ModelLoadError: It is not a BERT encoder, or one of another make.
        """
        if config.get("model_type") != "bert":
            raise ModelLoadError(
                f"model_type is {config.get('model_type')!r}, not 'bert'",
                fix="use a BERT embedding model, or an ONNX export of this one",
                where=where,
            )
        position = config.get("position_embedding_type", "absolute")
        activation = str(config.get("hidden_act", "gelu"))
        if position != "absolute" or activation not in _ACTIVATIONS:
            raise ModelLoadError(
                f"{position} positions with {activation} are not supported",
                fix="use a BERT with absolute positions and gelu, such as "
                "all-minilm-l6-v2",
                where=where,
            )
        try:
            return cls(
                hidden=int(config["hidden_size"]),
                heads=int(config["num_attention_heads"]),
                layers=int(config["num_hidden_layers"]),
                positions=int(config["max_position_embeddings"]),
                norm_epsilon=float(config.get("layer_norm_eps", 1e-12)),
                activation=activation,
            )
        except KeyError as error:
            raise ModelLoadError(
                f"config.json has no {error.args[0]!r}",
                fix="fetch the model again",
                where=where,
            ) from error


def read_weights(path: Path) -> dict[str, Floats]:
    """Read every floating-point array of a safetensors file as float32.

    Raises:
        ModelLoadError: The file is missing or damaged.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelLoadError(
            f"not a readable safetensors file: {error}",
            fix="fetch the model again",
            where=str(path),
        ) from error
    return {
        # Some checkpoints hold the encoder below a prefix.
        name.removeprefix("bert."): array.astype(np.float32)
        for name, array in arrays.items()
        if array.dtype.kind == "f"
    }


class _Layers:
    """Makes nodes by the names that a BERT checkpoint uses."""

    def __init__(
        self, weights: Mapping[str, Floats], shape: BertShape, where: str
    ) -> None:
        from openvino import opset13

        self.ops: Any = opset13
        self.weights = weights
        self.shape = shape
        self.where = where

    def array(self, name: str) -> Floats:
        try:
            return self.weights[name]
        except KeyError as error:
            raise ModelLoadError(
                f"the weights have no {name!r}",
                fix="fetch the model again, or use another BERT model",
                where=self.where,
            ) from error

    def linear(self, node: Any, name: str, *, scale: float = 1.0) -> Any:  # noqa: ANN401
        import numpy as np

        weight = self.array(f"{name}.weight") * np.float32(scale)
        bias = self.array(f"{name}.bias") * np.float32(scale)
        turned = self.ops.constant(weight.T)
        product = self.ops.matmul(node, turned, transpose_a=False, transpose_b=False)
        return self.ops.add(product, self.ops.constant(bias.reshape(1, 1, -1)))

    def norm(self, node: Any, name: str) -> Any:  # noqa: ANN401
        import numpy as np

        scale = self.array(f"{name}.weight").reshape(1, 1, -1)
        shift = self.array(f"{name}.bias").reshape(1, 1, -1)
        axes = self.ops.constant(np.array([-1], np.int64))
        level = self.ops.mvn(
            node,
            axes,
            normalize_variance=True,
            eps=self.shape.norm_epsilon,
            eps_mode="INSIDE_SQRT",
        )
        scaled = self.ops.multiply(level, self.ops.constant(scale))
        return self.ops.add(scaled, self.ops.constant(shift))

    def heads(self, node: Any) -> Any:  # noqa: ANN401
        import numpy as np

        size = self.shape.hidden // self.shape.heads
        split = np.array([0, 0, self.shape.heads, size], np.int64)
        order = np.array([0, 2, 1, 3], np.int64)
        parted = self.ops.reshape(node, self.ops.constant(split), special_zero=True)
        return self.ops.transpose(parted, self.ops.constant(order))

    def attention(self, node: Any, name: str) -> Any:  # noqa: ANN401
        import numpy as np

        scale = self.ops.constant(
            np.float32(1 / math.sqrt(self.shape.hidden // self.shape.heads))
        )
        query, key, value = (
            self.heads(self.linear(node, f"{name}.self.{part}"))
            for part in ("query", "key", "value")
        )
        # An explicit mask of one zero keeps the fused kernel's signature complete.
        none = self.ops.constant(np.zeros((1, 1, 1, 1), np.float32))
        mixed = self.ops.scaled_dot_product_attention(
            query, key, value, none, scale, causal=False
        )
        order = self.ops.constant(np.array([0, 2, 1, 3], np.int64))
        joined = self.ops.constant(np.array([0, 0, self.shape.hidden], np.int64))
        turned = self.ops.transpose(mixed, order)
        flat = self.ops.reshape(turned, joined, special_zero=True)
        return self.linear(flat, f"{name}.output.dense")

    def layer(self, node: Any, name: str) -> Any:  # noqa: ANN401
        attended = self.ops.add(node, self.attention(node, f"{name}.attention"))
        seen = self.norm(attended, f"{name}.attention.output.LayerNorm")
        wide = self.ops.gelu(
            self.linear(seen, f"{name}.intermediate.dense"),
            _ACTIVATIONS[self.shape.activation],
        )
        thought = self.ops.add(seen, self.linear(wide, f"{name}.output.dense"))
        return self.norm(thought, f"{name}.output.LayerNorm")

    def embeddings(self, ids: Any, *, types: Any = None) -> Any:  # noqa: ANN401
        """Token states before the first layer; without `types` all tokens are of 0."""
        import numpy as np

        zero, one = (self.ops.constant(np.int64(i)) for i in (0, 1))
        length = self.ops.gather(self.ops.shape_of(ids), one, zero)
        places = self.ops.range(zero, length, one, "i64")
        words = self.ops.gather(
            self.ops.constant(self.array("embeddings.word_embeddings.weight")),
            ids,
            zero,
        )
        fixed = self.array("embeddings.position_embeddings.weight")
        kinds = self.array("embeddings.token_type_embeddings.weight")
        if types is None:
            # One text alone is all of type 0, so its type row is added once for all.
            fixed = fixed + kinds[0]
        else:
            kind = self.ops.gather(self.ops.constant(kinds), types, zero)
            words = self.ops.add(words, kind)
        position = self.ops.gather(self.ops.constant(fixed), places, zero)
        return self.norm(
            self.ops.add(words, self.ops.unsqueeze(position, zero)),
            "embeddings.LayerNorm",
        )

    def head(self, states: Any) -> Any:  # noqa: ANN401
        """The classification head over the first token: `(1, 1, labels)`."""
        import numpy as np

        first = self.ops.constant(np.array([0], np.int64))
        token = self.ops.gather(states, first, self.ops.constant(np.int64(1)))
        pooled = self.ops.tanh(self.linear(token, "pooler.dense"))
        return self.linear(pooled, "classifier")


def pool(states: Any, *, pooling: str) -> Any:  # noqa: ANN401 (a graph node)
    """Join token states `(1, tokens, hidden)` to one unit vector `(1, hidden)`."""
    import numpy as np
    from openvino import opset13 as ops

    axis = ops.constant(np.array([1], np.int64))
    if pooling == "cls":
        first = ops.constant(np.int64(0))
        joined = ops.gather(states, first, ops.constant(np.int64(1)))
    else:
        joined = ops.reduce_mean(states, axis, keep_dims=False)
    return ops.normalize_l2(joined, axis, 1e-12, "max")


def build_bert(
    weights: Mapping[str, Floats], shape: BertShape, *, pooling: str, where: str
) -> ov.Model:
    """Build the encoder: token ids `(1, tokens)` to one unit vector `(1, hidden)`.

    Args:
        weights: As `read_weights` gives them.
        shape: As the model's `config.json` says.
        pooling: "mean" over all tokens, or "cls" for the first one.
        where: The model folder, for messages.

    Raises:
        ModelLoadError: A weight is missing.
    """
    import numpy as np
    import openvino as ov

    make = _Layers(weights, shape, where)
    ops = make.ops
    ids = ops.parameter([1, -1], np.int64, name="input_ids")
    node = make.embeddings(ids)
    for number in range(shape.layers):
        node = make.layer(node, f"encoder.layer.{number}")
    unit = pool(node, pooling=pooling)
    model: Any = ov.Model  # its type stubs contradict each other
    return model([ops.result(unit)], [ids], "bert")


def build_cross_encoder(
    weights: Mapping[str, Floats], shape: BertShape, *, where: str
) -> ov.Model:
    """Build a cross-encoder: token ids and types `(1, tokens)` to one logit `(1, 1)`.

    Args:
        weights: As `read_weights` gives them.
        shape: As the model's `config.json` says.
        where: The model folder, for messages.

    Raises:
        ModelLoadError: A weight is missing, or the head gives more than one score.
    """
    import numpy as np
    import openvino as ov

    make = _Layers(weights, shape, where)
    labels = len(make.array("classifier.bias"))
    if labels != 1:
        raise ModelLoadError(
            f"the model sorts into {labels} classes, and a reranker gives one score",
            fix="use a cross-encoder with one label, such as the ms-marco ones",
            where=where,
        )
    ops = make.ops
    ids = ops.parameter([1, -1], np.int64, name="input_ids")
    types = ops.parameter([1, -1], np.int64, name="token_type_ids")
    node = make.embeddings(ids, types=types)
    for number in range(shape.layers):
        node = make.layer(node, f"encoder.layer.{number}")
    logit = ops.squeeze(make.head(node), ops.constant(np.array([1], np.int64)))
    model: Any = ov.Model  # its type stubs contradict each other
    return model([ops.result(logit)], [ids, types], "cross-encoder")
