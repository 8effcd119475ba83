"""Embedding texts with OpenVINO: opening a model folder and running it.

The encoder takes one text at a time and as many at once as the processor has streams.
So nothing is padded, and a vector is the same whatever texts stand beside it. What the
layers compute is in `bert_graph`.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ModelLoadError
from groundtune.retrieve.bert_graph import BertShape, build_bert, pool, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import openvino as ov

    from groundtune.core.protocols import Tokenizer
    from groundtune.store.models import ModelFolder

MAX_TOKENS = 256
"""Upper bound on tokens a text, special tokens included, where a model allows more."""


class OpenVinoEmbedder:
    """See `core.protocols.Embedder`. May be shared between threads.

    The same text gives the same bytes in every call and every process on one machine:
    rows do not depend on their neighbours at all.
    """

    def __init__(
        self, graph: ov.Model, *, folder: ModelFolder, precision: str | None
    ) -> None:
        import openvino as ov

        # The plug-in's own choice is bf16 where the processor computes in it, and
        # f32 elsewhere: it goes by instruction set, so it is the same in every run.
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision is not None:
            options["INFERENCE_PRECISION_HINT"] = precision
        self._compiled = ov.Core().compile_model(graph, "CPU", options)
        self._inputs = [port.get_any_name() for port in self._compiled.inputs]
        self._queue = ov.AsyncInferQueue(self._compiled)
        self._single = self._compiled.create_infer_request()
        self._lock = threading.Lock()
        self._name = f"{folder.name}@{folder.weights_sha256[:8]}"
        self._dim = int(self._compiled.output(0).get_partial_shape()[1].get_length())
        self._tokenizer = folder.tokenizer()
        self._max_tokens = _max_tokens(folder)
        self._cutter = _cutter(folder.path / "tokenizer.json", self._max_tokens)

    @property
    def name(self) -> str:
        """See `Embedder.name`."""
        return self._name

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self._dim

    @property
    def tokenizer(self) -> Tokenizer:
        """See `Embedder.tokenizer`."""
        return self._tokenizer

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._max_tokens

    @property
    def precision(self) -> str:
        """What the processor computes in: `bf16`, `f32` or `f16`."""
        kind = self._compiled.get_property("INFERENCE_PRECISION_HINT")
        return str(kind.get_type_name())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `Embedder.encode`."""
        import numpy as np

        rows_T_D = np.empty((len(texts), self._dim), np.float32)
        encoded = self._cutter.encode_batch(list(texts))
        if len(encoded) == 1:
            with self._lock:
                self._single.infer(self._feed(encoded[0].ids))
                rows_T_D[0] = self._single.get_output_tensor(0).data[0]
            return rows_T_D

        def keep(request: ov.InferRequest, row: int) -> None:
            rows_T_D[row] = request.get_output_tensor(0).data[0]

        # Longest first: memory grows once, equal shapes follow each other, and the
        # last texts to finish are short ones.
        order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row].ids))
        with self._lock:
            self._queue.set_callback(keep)
            for row in order:
                self._queue.start_async(self._feed(encoded[row].ids), row)
            self._queue.wait_all()
        return rows_T_D

    def _feed(self, ids: Sequence[int]) -> dict[str, npt.NDArray[np.int64]]:
        import numpy as np

        feed = {"input_ids": np.array([ids], np.int64)}
        # An exported graph also asks for what one unpadded text makes constant.
        if "attention_mask" in self._inputs:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(feed["input_ids"])
        return feed


def open_embedder(
    model: ModelFolder, *, precision: str | None = None
) -> OpenVinoEmbedder:
    """Open an embedding model: safetensors of a BERT encoder, or an ONNX export.

    Args:
        model: Its folder.
        precision: "f32" or "bf16"; None lets the processor's instructions decide.

    Raises:
        ModelLoadError: The folder is incomplete, damaged, or of another make.
    """
    pooling = _pooling(model.path)
    if model.weights.suffix == ".onnx":
        graph = _read_onnx(model.weights, pooling=pooling)
    else:
        where = str(model.path)
        shape = BertShape.from_config(model.config, where=where)
        weights = read_weights(model.weights)
        graph = build_bert(weights, shape, pooling=pooling, where=where)
    return OpenVinoEmbedder(graph, folder=model, precision=precision)


def _read_onnx(path: Path, *, pooling: str) -> ov.Model:
    import openvino as ov

    try:
        graph = ov.Core().read_model(path)
    except RuntimeError as error:
        raise ModelLoadError(
            "not a readable ONNX file", fix="fetch the model again", where=str(path)
        ) from error
    known = {"input_ids", "attention_mask", "token_type_ids"}
    asked = {port.get_any_name() for port in graph.inputs}
    # The node before the first result: the result itself takes no successor.
    states = graph.get_results()[0].input_value(0)
    if not {"input_ids"} <= asked <= known or len(states.get_partial_shape()) != 3:
        raise ModelLoadError(
            f"takes {', '.join(sorted(asked))} and gives {states.get_partial_shape()}",
            fix="export the encoder with input_ids in and last_hidden_state out",
            where=str(path),
        )
    unit = pool(states, pooling=pooling)
    model: Any = ov.Model  # its type stubs contradict each other
    return model([unit.output(0)], graph.get_parameters(), "onnx encoder")


def _optional_json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"not JSON: {error}", fix="fetch the model again", where=str(path)
        ) from error
    return value if isinstance(value, dict) else {}


def _pooling(folder: Path) -> str:
    """How token states are joined; mean where the folder does not say."""
    config = _optional_json(folder / "1_Pooling" / "config.json")
    modes = [
        key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for key, value in config.items()
        if key.startswith("pooling_mode_") and value is True
    ]
    if modes not in ([], ["mean"], ["cls"]):
        raise ModelLoadError(
            f"pooling by {' and '.join(modes)} is not supported",
            fix="use a model with mean or cls pooling",
            where=str(folder / "1_Pooling" / "config.json"),
        )
    return modes[0] if modes else "mean"


def _max_tokens(folder: ModelFolder) -> int:
    stated = _optional_json(folder.path / "sentence_bert_config.json")
    limits = (
        stated.get("max_seq_length"),
        folder.config.get("max_position_embeddings"),
        MAX_TOKENS,
    )
    return min(limit for limit in limits if isinstance(limit, int))


def _cutter(path: Path, max_tokens: int) -> Any:  # noqa: ANN401 (a library's class)
    """Tokenizer that adds the model's special tokens and cuts at its limit."""
    from tokenizers import Tokenizer

    cutter = Tokenizer.from_file(os.fspath(path))
    cutter.no_padding()
    cutter.enable_truncation(max_tokens)
    return cutter
