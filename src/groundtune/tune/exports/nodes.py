"""What graphs in ONNX are made of: operations, weights, and the file they become.

Which weight goes where belongs to `encoder_graph` and `decoder_graph`. Only operations
of the ONNX standard are used, so that every runtime of it opens the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import MissingExtraError, ModelLoadError
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_OPSET, _IR_VERSION = 20, 9
"""Of the file; an old one, so that older runtimes open it."""
_OPSET_OF_BLOCKS, _IR_VERSION_OF_BLOCKS = 21, 10
"""The first in which a row may have several scales."""
_BLOCK = 32
_MOST_BYTES = 2**31 - 2**20
"""Protocol buffers end at 2 GB, and the graph itself wants some of it."""
UNSEEN = -1e9
"""Added to the score of a token that is not to be read; its share is exactly 0."""


def require_export_extra(name: str) -> None:
    """Check that a library of the extra `export` is there.

    Raises:
        MissingExtraError: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec(name) is None:
        raise MissingExtraError(
            f"this export needs the module {name!r}",
            fix='run: pip install "groundtune[export]"',
        )


class Graph:
    """A graph in the making; nodes and weights are known by their names."""

    def __init__(self, *, is_int8: bool, in_blocks: bool = False) -> None:
        """Start an empty one.

        Args:
            is_int8: Keep the weights of matrix products in 8 bits.
            in_blocks: With a scale for every 32 of a row, and not one for all of it.
        """
        require_export_extra("onnx")
        from onnx import helper, numpy_helper

        self._helper: Any = helper
        self._arrays: Any = numpy_helper
        self.is_int8 = is_int8
        self._in_blocks = is_int8 and in_blocks
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}
        self._bytes = 0
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, axes: Sequence[str | int], *, kind: str) -> str:
        """Declare an input; a named axis may have any length."""
        self._inputs.append(self._value(name, axes, kind))
        return name

    def output(self, node: str, name: str, axes: Sequence[str | int]) -> None:
        """Declare what a node gives as an output of float32."""
        self._nodes.append(self._helper.make_node("Identity", [node], [name]))
        self._outputs.append(self._value(name, axes, "FLOAT"))

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add an operation with one result, and return the result's name."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(
            self._helper.make_node(kind, list(inputs), [name], name, **attributes)
        )
        return name

    def halves(self, node: str) -> tuple[str, str]:
        """Both halves of the last axis."""
        names = [f"half_{len(self._nodes)}_{side}" for side in (0, 1)]
        made = self._helper.make_node("Split", [node], names, axis=-1, num_outputs=2)
        self._nodes.append(made)
        return names[0], names[1]

    def constant(self, values: npt.ArrayLike, name: str = "") -> str:
        """A constant of any type, in its own precision."""
        array = np.ascontiguousarray(values)
        known = name or f"constant_{len(self._weights)}"
        if known not in self._weights:
            self._weights[known] = self._arrays.from_array(array, known)
            self._bytes += array.nbytes
        return known

    def ints(self, *values: int) -> str:
        """A constant list of whole numbers, such as a shape."""
        name = "ints_" + "_".join(str(v).replace("-", "m") for v in values)
        return self.constant(np.array(values, np.int64), name)

    def number(self, value: float) -> str:
        """A constant of float32."""
        return self.constant(np.array(value, np.float32), f"float_{value!r}")

    def weight(self, values: Floats, name: str) -> str:
        """A weight of float32, kept in half of the room where that loses nothing."""
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.ndim == 1 or not np.array_equal(half, values):
            return self.constant(values.astype(np.float32), name)
        return self.op("Cast", self.constant(half, name), to=self.kind("FLOAT"))

    def linear(self, node: str, weight_O_I: Floats, name: str) -> str:
        """The product of a node with a matrix."""
        if not self.is_int8:
            turned = self.weight(np.ascontiguousarray(weight_O_I.T), name)
            return self.op("MatMul", node, turned)
        levels_O_I, scale_O_K = round_to_levels(
            weight_O_I, block=self._block(weight_O_I)
        )
        levels = self.constant(levels_O_I.T, name)
        real = self._real(levels, scale_O_K.T, f"{name}.scale", axis=0)
        return self.op("MatMul", node, real)

    def rows(self, weight_V_D: Floats, numbers: str, name: str) -> str:
        """Rows of a table, chosen by their numbers."""
        if not self.is_int8:
            return self.op("Gather", self.weight(weight_V_D, name), numbers)
        levels, scale_V_K = self._table(weight_V_D, name)
        blocks = self.ints(0, 0, -1, self._block(weight_V_D))
        found = self.op("Reshape", self.op("Gather", levels, numbers), blocks)
        scales = self.constant(scale_V_K, f"{name}.scale")
        scale = self.op("Unsqueeze", self.op("Gather", scales, numbers), self.ints(-1))
        real = self.op("Mul", self.op("Cast", found, to=self.kind("FLOAT")), scale)
        return self.op("Reshape", real, self.ints(0, 0, weight_V_D.shape[1]))

    def likeness(self, node: str, weight_V_D: Floats, name: str) -> str:
        """The product of a node with each row of a table that `rows` may read too."""
        if self.is_int8:
            levels, scale_V_K = self._table(weight_V_D, name)
            table = self._real(levels, scale_V_K, f"{name}.scale", axis=1)
        else:
            table = self.weight(weight_V_D, name)
        return self.op("MatMul", node, self.op("Transpose", table, perm=[1, 0]))

    def _block(self, weight_O_I: Floats) -> int:
        width = weight_O_I.shape[1]
        return _BLOCK if self._in_blocks and width % _BLOCK == 0 else width

    def _table(self, weight_V_D: Floats, name: str) -> tuple[str, Floats]:
        """Levels of a table, and its scales; one that is there is used again."""
        block = self._block(weight_V_D)
        levels_V_D, scale_V_K = round_to_levels(weight_V_D, block=block)
        return self.constant(levels_V_D, name), scale_V_K

    def _real(self, levels: str, scales: Floats, name: str, *, axis: int) -> str:
        """Levels times their scales; `axis` is the one that the blocks divide."""
        if scales.shape[axis] == 1:
            flat = self.constant(scales.reshape(-1), f"{name}.flat")
            return self.op("DequantizeLinear", levels, flat, axis=1 - axis)
        known = self.constant(scales, name)
        return self.op("DequantizeLinear", levels, known, axis=axis, block_size=_BLOCK)

    def length(self, node: str, axis: int) -> str:
        """How long an axis is, as a list of one number."""
        return self.op("Shape", node, start=axis, end=axis + 1)

    def kind(self, name: str) -> int:
        """The number by which ONNX knows a type."""
        return int(getattr(self._helper.onnx.TensorProto, name))

    def write(self, path: Path, *, name: str, notes: Mapping[str, str]) -> None:
        """Check the graph and write it as one file.

        Raises:
            ModelLoadError: It is too large for one file.
            StoreError: It cannot be written.
        """
        import onnx

        if self._bytes > _MOST_BYTES:
            raise ModelLoadError(
                f"its weights take {self._bytes / 1e9:.1f} GB, and one ONNX file "
                "holds 2 GB",
                fix="export it to openvino or gguf, or with --int8",
                where=name,
            )
        graph = self._helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._weights.values())
        )
        is_new = self._in_blocks
        opset = _OPSET_OF_BLOCKS if is_new else _OPSET
        opsets = [self._helper.make_opsetid("", opset)]
        model = self._helper.make_model(
            graph, opset_imports=opsets, producer_name="groundtune"
        )
        model.ir_version = _IR_VERSION_OF_BLOCKS if is_new else _IR_VERSION
        self._helper.set_model_props(model, dict(notes))
        raw = model.SerializeToString()
        onnx.checker.check_model(raw)
        write_atomic(path, raw)

    def _value(self, name: str, axes: Sequence[str | int], kind: str) -> Any:  # noqa: ANN401 (onnx has no types)
        return self._helper.make_tensor_value_info(name, self.kind(kind), list(axes))


def round_to_levels(
    weight_O_I: Floats, *, block: int
) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers from -127 to 127, and a scale for every `block` of each row."""
    parted_O_K_B = weight_O_I.reshape(len(weight_O_I), -1, block)
    largest_O_K = np.abs(parted_O_K_B).max(axis=2)
    least = np.finfo(np.float32).tiny * 127
    scale_O_K = np.maximum(largest_O_K, least).astype(np.float32) / np.float32(127)
    levels = np.rint(parted_O_K_B / scale_O_K[:, :, None]).astype(np.int8)
    return levels.reshape(weight_O_I.shape), scale_O_K
