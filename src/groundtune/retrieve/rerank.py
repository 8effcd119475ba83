"""Reranking: a cross-encoder reads query and passage together and says how they fit.

Slower by far than comparing vectors, so it reads only the best candidates. Which ones,
and whether it pays, is decided by `search` and by `optimize`.
"""

from __future__ import annotations

import json
import math
import os
import threading
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ModelLoadError
from groundtune.retrieve.bert_graph import BertShape, build_cross_encoder, read_weights
from groundtune.retrieve.schema import search_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import openvino as ov

    from groundtune.core.values import Passage
    from groundtune.store.models import ModelFolder

MAX_TOKENS = 512
"""Of query and passage together, special tokens included."""


class CrossEncoder:
    """Scores pairs of query and passage. May be shared between threads.

    Pairs are read one at a time, as many at once as the processor has streams, so a
    score does not depend on what else is scored.
    """

    def __init__(
        self, graph: ov.Model, *, folder: ModelFolder, precision: str | None
    ) -> None:
        import openvino as ov
        from tokenizers import Tokenizer

        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision is not None:
            options["INFERENCE_PRECISION_HINT"] = precision
        compiled = ov.Core().compile_model(graph, "CPU", options)
        self._queue = ov.AsyncInferQueue(compiled)
        self._lock = threading.Lock()
        self._tokenizer = Tokenizer.from_file(os.fspath(folder.path / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_max_tokens(folder), strategy="longest_first")
        self.name = f"{folder.name}@{folder.weights_sha256[:8]}"

    def score(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """How well each passage fits the query, from 0 to 1, in the order given."""
        logits = self.logits(query, [search_text(passage) for passage in passages])
        return [_squash(logit) for logit in logits]

    def logits(self, query: str, texts: Sequence[str]) -> list[float]:
        """The model's own output for each text."""
        import numpy as np

        pairs = self._tokenizer.encode_batch([(query, text) for text in texts])
        scores = np.zeros(len(texts))

        def keep(request: ov.InferRequest, place: int) -> None:
            scores[place] = request.get_output_tensor(0).data[0, 0]

        with self._lock:
            self._queue.set_callback(keep)
            # Longest first: the last to finish are short ones.
            for place in sorted(range(len(pairs)), key=lambda n: -len(pairs[n].ids)):
                feed = {
                    "input_ids": np.array([pairs[place].ids], np.int64),
                    "token_type_ids": np.array([pairs[place].type_ids], np.int64),
                }
                self._queue.start_async(feed, place)
            self._queue.wait_all()
        return scores.tolist()


def open_cross_encoder(spec: str, *, precision: str | None = None) -> CrossEncoder:
    """Open a reranker: a folder with a BERT cross-encoder of one label.

    Args:
        spec: The folder, or an id of the Hugging Face Hub that was fetched before.
        precision: "f32" or "bf16"; None lets the processor's instructions decide.

    Raises:
        ModelLoadError: The folder is incomplete, unsafe, or of another make.
        DownloadError: The model is not here.
    """
    from groundtune.store.models import open_model

    # The store knows models that write and models that read; this one reads.
    folder = open_model(spec, kind="embedder", offline=True)
    where = str(folder.path)
    shape = BertShape.from_config(folder.config, where=where)
    weights = read_weights(folder.weights)
    if "classifier.weight" not in weights:
        raise ModelLoadError(
            "the model has no classification head, so it cannot rerank",
            fix="use a cross-encoder, such as cross-encoder/ms-marco-MiniLM-L6-v2",
            where=where,
        )
    graph = build_cross_encoder(weights, shape, where=where)
    return CrossEncoder(graph, folder=folder, precision=precision)


def _max_tokens(folder: ModelFolder) -> int:
    positions = folder.config.get("max_position_embeddings")
    stated = _stated_length(folder.path / "tokenizer_config.json")
    return min(n for n in (positions, stated, MAX_TOKENS) if isinstance(n, int))


def _stated_length(path: Path) -> int | None:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["model_max_length"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _squash(logit: float) -> float:
    # Where e**-logit would not fit a float the result is 0 anyway.
    return 1.0 / (1.0 + math.exp(min(-logit, 700.0)))
