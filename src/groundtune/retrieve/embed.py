"""Embedding texts with OpenVINO: opening a model folder and running it.

The encoder takes one text at a time and as many at once as the processor has streams,
so a vector is the same whatever texts stand beside it. What the layers compute is in
`bert_graph`. Weights of safetensors are rounded to 8 bits on opening, and their vectors
have a name of their own: they do not belong into one index with those of full weights.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from groundtune.config.endpoint import is_remote
from groundtune.core.errors import ModelLoadError
from groundtune.core.protocols import silent
from groundtune.retrieve.bert_graph import BertShape, build_bert, pool, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import openvino as ov

    from groundtune.core.protocols import Embedder, Progress, Tokenizer
    from groundtune.store.models import ModelFolder

MAX_TOKENS = 256
"""Upper bound on tokens a text, special tokens included, where a model allows more."""
_STEP_TOKENS = 8
"""Texts are padded to a multiple of it. For each length the engine makes kernels that
it keeps, 6 ms and 2 MB: a few tokens more cost less."""
_GROUP = 128
"""Values of an activation that share a scale where weights are int8."""

Precision = Literal["int8", "bf16", "f32"]


class OpenVinoEmbedder:
    """See `core.protocols.Embedder`. May be shared between threads.

    The same text gives the same bytes in every call and every process on one machine:
    rows do not depend on their neighbours at all.
    """

    def __init__(
        self, graph: ov.Model, *, folder: ModelFolder, precision: Precision | None
    ) -> None:
        import openvino as ov

        # What is left open the plug-in decides by instruction set, so it is the same in
        # every run: bf16 or f32, and whether int8 weights meet int8 activations.
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision == "int8":
            options["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = _GROUP
        elif precision is not None:
            options["INFERENCE_PRECISION_HINT"] = precision
        self._is_int8 = precision == "int8"
        self._compiled = ov.Core().compile_model(graph, "CPU", options)
        self._inputs = [port.get_any_name() for port in self._compiled.inputs]
        # Twice as many as run at once, and none ends in a callback, which would wait
        # for other threads of Python: no processor stands still for want of a text.
        streams = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests = [
            self._compiled.create_infer_request() for _ in range(2 * streams)
        ]
        self._lock = threading.Lock()
        suffix = "-int8" if self._is_int8 else ""
        self._name = f"{folder.name}@{folder.weights_sha256[:8]}{suffix}"
        self._is_export = folder.weights.suffix == ".onnx"
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
        """What products are computed in: `int8`, `bf16`, `f32` or `f16`."""
        if self._is_int8:
            return "int8"
        kind = self._compiled.get_property("INFERENCE_PRECISION_HINT")
        return str(kind.get_type_name())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `Embedder.encode`."""
        import numpy as np

        rows_T_D = np.empty((len(texts), self._dim), np.float32)
        encoded = self._cutter.encode_batch(list(texts))
        if len(encoded) == 1:
            with self._lock:
                request = self._requests[0]
                request.infer(self._feed(encoded[0].ids))
                rows_T_D[0] = request.get_output_tensor(0).data[0]
            return rows_T_D

        # Longest first: memory grows once, equal shapes follow each other, and the
        # last texts to finish are short ones.
        order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row].ids))
        with self._lock:
            running: deque[tuple[ov.InferRequest, int]] = deque()
            free = list(self._requests)
            try:
                for row in order:
                    if not free:
                        free.append(self._finish(running, rows_T_D))
                    request = free.pop()
                    request.start_async(self._feed(encoded[row].ids))
                    running.append((request, row))
            finally:
                while running:
                    self._finish(running, rows_T_D)
        return rows_T_D

    @staticmethod
    def _finish(
        running: deque[tuple[ov.InferRequest, int]], rows_T_D: npt.NDArray[np.float32]
    ) -> ov.InferRequest:
        """Wait for the request that has run longest and keep its row."""
        request, row = running.popleft()
        request.wait()
        rows_T_D[row] = request.get_output_tensor(0).data[0]
        return request

    def _feed(self, ids: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
        import numpy as np

        if not self._is_export:
            steps = -(-len(ids) // _STEP_TOKENS)
            size = min(steps * _STEP_TOKENS, self._max_tokens)
            feed = {
                "input_ids": np.zeros((1, size), np.int64),
                "attention_mask": np.zeros((1, size), np.float32),
            }
            feed["input_ids"][0, : len(ids)] = ids
            feed["attention_mask"][0, : len(ids)] = 1
            return feed
        feed = {"input_ids": np.array([ids], np.int64)}
        # An exported graph also asks for what one unpadded text makes constant.
        if "attention_mask" in self._inputs:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(feed["input_ids"])
        return feed


def open_named_embedder(
    spec: str,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    offline: bool = False,
) -> Embedder:
    """Open an embedding model by folder, catalog name, hub id, or `URL#NAME`.

    Args:
        spec: As the person named it.
        cache: Where fetched models are kept; None: the person's cache folder.
        progress: Told about a download.
        offline: Fetch no model.

    Raises:
        ModelLoadError: The model cannot be opened.
        DownloadError: It is not here and cannot be fetched.
        ConfigError: The name or a setting of an endpoint is wrong.
    """
    from groundtune.store.models import open_model

    if is_remote(spec):
        from groundtune.retrieve.remote_embed import open_remote_embedder

        return open_remote_embedder(spec)
    return open_embedder(
        open_model(
            spec, kind="embedder", cache=cache, progress=progress, offline=offline
        )
    )


def open_embedder(
    model: ModelFolder, *, precision: Precision | None = None
) -> OpenVinoEmbedder:
    """Open an embedding model: safetensors of a BERT encoder, or an ONNX export.

    Args:
        model: Its folder.
        precision: None: int8 weights of safetensors on every machine, so that an index
            can be taken from one to another; an export as it comes. "bf16" and "f32"
            leave the weights as they are.

    Raises:
        ModelLoadError: The folder is incomplete, damaged, or of another make.
    """
    pooling = _pooling(model.path)
    where = str(model.path)
    if model.weights.suffix == ".onnx":
        if precision == "int8":
            raise ModelLoadError(
                "the weights of an ONNX export stay as they are",
                fix="name no precision, or use a model with safetensors",
                where=where,
            )
        graph = _read_onnx(model.weights, pooling=pooling)
    else:
        precision = precision or "int8"
        shape = BertShape.from_config(model.config, where=where)
        weights = read_weights(model.weights)
        is_int8 = precision == "int8"
        graph = build_bert(
            weights, shape, pooling=pooling, where=where, is_int8=is_int8
        )
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
