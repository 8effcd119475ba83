"""A tuned encoder in service: labels for texts, tags for words, on OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.retrieve.bert_graph import BertShape, Layers, read_weights
from groundtune.store.checks import read_object
from groundtune.store.models import MANIFEST, open_model
from groundtune.systems.sequences import SequenceRunner
from groundtune.tune.encoder.dataset import TextCutter, text_items, word_items
from groundtune.tune.encoder.evaluate import case_logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import openvino as ov

    from groundtune.store.models import ModelFolder

    Floats = npt.NDArray[np.float32]


class Labeller:
    """Gives labels, as the model was trained to."""

    def __init__(
        self, folder: ModelFolder, *, precision: str | None, is_int8: bool
    ) -> None:
        where = str(folder.path)
        manifest = read_object(folder.path / MANIFEST)
        try:
            self.task = str(manifest["task"])
            self.labels = tuple(str(label) for label in manifest["labels"])
            pooling = str(manifest["pooling"])
            max_tokens = int(manifest["template"]["max_tokens"])
        except (KeyError, TypeError) as error:
            raise ModelLoadError(
                f"{MANIFEST} does not say how the model was trained: {error}",
                fix="train it with groundtune tune",
                where=where,
            ) from error
        self.name = f"{folder.name}@{folder.weights_sha256[:8]}"
        self.is_words = pooling == "words"
        graph = _build(folder, pooling=pooling, is_int8=is_int8)
        self._runner = SequenceRunner(
            graph, is_words=self.is_words, precision=precision
        )
        self._cutter = TextCutter(folder.path, max_tokens=max_tokens)

    def text_logits(self, texts: Sequence[str]) -> Floats:
        """Logits of each text, `(N, L)`; softmax of them is calibrated."""
        items, _ = text_items(texts, [0] * len(texts), cutter=self._cutter)
        if not items:
            return np.zeros((0, len(self.labels)), np.float32)
        return np.concatenate(self._runner.run(items))

    def word_logits(self, sentences: Sequence[Sequence[str]]) -> list[Floats]:
        """Logits of each word of each sentence, `(words, L)` each."""
        nothing = [[0] * len(words) for words in sentences]
        items = word_items(sentences, nothing, cutter=self._cutter)
        return case_logits(items, self._runner.run(items), cases=len(sentences))


def open_labeller(
    spec: str, *, precision: str | None = None, is_int8: bool = False
) -> Labeller:
    """Open a folder that `groundtune tune` made for a label task.

    Args:
        spec: The folder.
        precision: "f32" or "bf16"; None lets the processor's instructions decide.
        is_int8: Compute with weights of 8 bits.

    Raises:
        ModelLoadError: The folder is incomplete, unsafe, or of another make.
    """
    folder = open_model(spec, kind="classifier", offline=True)
    return Labeller(folder, precision=precision, is_int8=is_int8)


def _build(folder: ModelFolder, *, pooling: str, is_int8: bool) -> ov.Model:
    """The encoder with its head: ids `(1, tokens)` to a row of logits a text or token.

    Where a text is the mean of its tokens, the folder's last layer stands for that
    mean (see `tune.encoder.export`); here it is computed instead. The head keeps its
    32 bits also where the layers have 8.
    """
    import openvino as ov

    where = str(folder.path)
    shape = BertShape.from_config(folder.config, where=where)
    weights = read_weights(folder.weights)
    make = Layers(weights, shape, where, is_int8=is_int8)
    ops = make.ops
    ids = ops.parameter([1, -1], np.int64, name="input_ids")
    node = make.embeddings(ids)
    for number in range(shape.layers - (pooling == "mean")):
        node = make.layer(node, f"encoder.layer.{number}")
    make.is_int8 = False
    if pooling == "words":
        logits = make.linear(node, "classifier")
    else:
        if pooling == "mean":
            tokens, features = (ops.constant(np.array([i], np.int64)) for i in (1, 2))
            node = ops.mvn(
                ops.reduce_mean(node, tokens, keep_dims=True),
                features,
                normalize_variance=True,
                eps=shape.norm_epsilon,
                eps_mode="INSIDE_SQRT",
            )
        logits = make.head(node)
    model: Any = ov.Model  # its type stubs contradict each other
    rows = ops.squeeze(logits, ops.constant(np.array([0], np.int64)))
    return model([ops.result(rows)], [ids], "labeller")
