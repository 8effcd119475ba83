"""A BERT encoder written as an OpenVINO graph, straight from its safetensors.

Only the graph: which weight goes where and how the layers are joined. Tokenizing,
scheduling and pooling settings belong to `embed`. Nothing here needs torch, and no
file is executed: the weights are arrays and the layers are ours.

The graph takes one text at a time: a vector then cannot depend on the texts beside it,
and little work is spent on padding.
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


_UNSEEN = 1e9
"""Taken off the score of a padding token."""


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


class Layers:
    """Makes nodes by the names that a BERT checkpoint uses."""

    def __init__(
        self,
        weights: Mapping[str, Floats],
        shape: BertShape,
        where: str,
        *,
        is_int8: bool,
    ) -> None:
        from openvino import opset13

        self.ops: Any = opset13
        self.weights = weights
        self.shape = shape
        self.where = where
        self.is_int8 = is_int8

    def array(self, name: str) -> Floats:
        """One weight.

        Raises:
            ModelLoadError: It is missing.
        """
        try:
            return self.weights[name]
        except KeyError as error:
            raise ModelLoadError(
                f"the weights have no {name!r}",
                fix="fetch the model again, or use another BERT model",
                where=self.where,
            ) from error

    def linear(self, node: Any, name: str, *, scale: float = 1.0) -> Any:  # noqa: ANN401
        """A linear map, its weights and bias times `scale`."""
        import numpy as np

        weight_O_I = self.array(f"{name}.weight") * np.float32(scale)
        bias = self.array(f"{name}.bias") * np.float32(scale)
        turned = self.matrix(weight_O_I)
        product = self.ops.matmul(node, turned, transpose_a=False, transpose_b=True)
        return self.ops.add(product, self.ops.constant(bias.reshape(1, 1, -1)))

    def matrix(self, weight_O_I: Floats) -> Any:  # noqa: ANN401
        """The weights of one product, in 8 bits where these are asked for."""
        import numpy as np

        if not self.is_int8:
            return self.ops.constant(weight_O_I)
        # Symmetric, one scale for each output: what the int8 kernels multiply by.
        largest_O_1 = np.abs(weight_O_I).max(axis=1, keepdims=True)
        scale_O_1 = np.maximum(largest_O_1, np.finfo(np.float32).tiny * 127) / 127
        rounded_O_I = np.rint(weight_O_I / scale_O_1).astype(np.int8)
        levels = self.ops.convert(self.ops.constant(rounded_O_I), "f32")
        return self.ops.multiply(
            levels, self.ops.constant(scale_O_1.astype(np.float32))
        )

    def norm(self, node: Any, name: str) -> Any:  # noqa: ANN401
        """A layer norm."""
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
        """States `(1, tokens, hidden)` as `(1, heads, tokens, size of a head)`."""
        import numpy as np

        size = self.shape.hidden // self.shape.heads
        split = np.array([0, 0, self.shape.heads, size], np.int64)
        order = np.array([0, 2, 1, 3], np.int64)
        parted = self.ops.reshape(node, self.ops.constant(split), special_zero=True)
        return self.ops.transpose(parted, self.ops.constant(order))

    def attention(self, node: Any, name: str, *, unseen: Any = None) -> Any:  # noqa: ANN401
        """What each token reads from all; `unseen` is added to their likeness."""
        import numpy as np

        scale = 1 / math.sqrt(self.shape.hidden // self.shape.heads)
        query = self.heads(self.linear(node, f"{name}.self.query", scale=scale))
        key, value = (
            self.heads(self.linear(node, f"{name}.self.{part}"))
            for part in ("key", "value")
        )
        likeness = self.ops.matmul(query, key, transpose_a=False, transpose_b=True)
        # The reshape costs nothing and keeps the engine from joining these nodes into
        # one: its joined kernel takes 1.4 times as long.
        flat_heads = self.ops.constant(np.array([self.shape.heads, -1, 0], np.int64))
        apart = self.ops.reshape(likeness, flat_heads, special_zero=True)
        if unseen is not None:
            apart = self.ops.add(apart, unseen)
        share = self.ops.softmax(apart, axis=-1)
        share = self.ops.unsqueeze(share, self.ops.constant(np.int64(0)))
        mixed = self.ops.matmul(share, value, transpose_a=False, transpose_b=False)
        order = self.ops.constant(np.array([0, 2, 1, 3], np.int64))
        joined = self.ops.constant(np.array([0, 0, self.shape.hidden], np.int64))
        turned = self.ops.transpose(mixed, order)
        flat = self.ops.reshape(turned, joined, special_zero=True)
        return self.linear(flat, f"{name}.output.dense")

    def layer(self, node: Any, name: str, *, unseen: Any = None) -> Any:  # noqa: ANN401
        """One layer; `unseen` as in `attention`."""
        read = self.attention(node, f"{name}.attention", unseen=unseen)
        attended = self.ops.add(node, read)
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
    weights: Mapping[str, Floats],
    shape: BertShape,
    *,
    pooling: str,
    where: str,
    is_int8: bool,
) -> ov.Model:
    """Build the encoder: token ids `(1, tokens)` to one unit vector `(1, hidden)`.

    Beside the ids it takes `attention_mask`, 1 for a token and 0 for padding after it.

    Args:
        weights: As `read_weights` gives them.
        shape: As the model's `config.json` says.
        pooling: "mean" over all tokens, or "cls" for the first one.
        where: The model folder, for messages.
        is_int8: Round the weights of matrix products to 8 bits.

    Raises:
        ModelLoadError: A weight is missing.
    """
    import numpy as np
    import openvino as ov

    make = Layers(weights, shape, where, is_int8=is_int8)
    ops = make.ops
    ids = ops.parameter([1, -1], np.int64, name="input_ids")
    mask = ops.parameter([1, -1], np.float32, name="attention_mask")
    # 0 for a token, and for padding so little that its share is exactly 0.
    unseen = ops.unsqueeze(
        ops.multiply(
            ops.subtract(mask, ops.constant(np.float32(1))),
            ops.constant(np.float32(_UNSEEN)),
        ),
        ops.constant(np.int64(1)),
    )
    node = make.embeddings(ids)
    for number in range(shape.layers):
        node = make.layer(node, f"encoder.layer.{number}", unseen=unseen)
    if pooling == "mean":
        # What divides them, tokens or tokens and padding, is lost in the norm.
        node = ops.multiply(node, ops.unsqueeze(mask, ops.constant(np.int64(2))))
    unit = pool(node, pooling=pooling)
    model: Any = ov.Model  # its type stubs contradict each other
    return model([ops.result(unit)], [ids, mask], "bert")


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

    make = Layers(weights, shape, where, is_int8=False)
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
