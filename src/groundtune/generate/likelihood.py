"""How likely texts are after another text, by a generator on this machine.

Not what a model writes, but what it makes of words that are given: the sum of the log
probabilities of their tokens. It runs the graph of the default engine itself, since
OpenVINO GenAI tells these of new tokens alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from openvino import opset15 as ops

from groundtune.core.errors import GenerationError
from groundtune.generate.engines import check_request
from groundtune.generate.openvino import cannot_open, graph_folder
from groundtune.store.download import default_cache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.store.models import ModelFolder

    Floats = npt.NDArray[np.float32]

_KEPT = "kept_positions"


class TextScorer:
    """Log-likelihoods of texts under a generator. Threads take turns.

    Args:
        model: Folder of the generator.
        cache: Where its graph is kept; None: the person's own.

    Raises:
        ModelLoadError: OpenVINO cannot open it.
    """

    def __init__(self, model: ModelFolder, *, cache: Path | None = None) -> None:
        self._tokenizer = model.tokenizer()
        self._context = int(model.config["max_position_embeddings"])
        self._lock = threading.Lock()
        folder = graph_folder(model, cache or default_cache())
        core = openvino.Core()
        try:
            graph = core.read_model(folder / "openvino_model.xml")
            _keep_last_positions(graph)
            self._request = core.compile_model(graph, "CPU").create_infer_request()
        except RuntimeError as error:
            raise cannot_open(model, error) from error

    def log_likelihoods(self, texts: Sequence[str], *, after: str) -> list[float]:
        """Natural logarithm of the probability of each text, right after `after`.

        What stands before the texts is read once for all of them.

        Args:
            texts: At least one, none empty.
            after: What the model has read before; not empty.

        Raises:
            GenerationError: They do not fit the model, or it failed.
        """
        before_P = self._tokenizer.encode(after)
        rows = [self._tokenizer.encode(text) for text in texts]
        longest = max(len(row) for row in rows)
        check_request(before_P, longest, context=self._context)
        ids_N_T = np.zeros((len(rows), longest), np.int64)
        for ids_T, row in zip(ids_N_T, rows, strict=True):
            ids_T[: len(row)] = row  # a causal model never sees the filling behind
        with self._lock:
            try:
                self._request.reset_state()
                first_V = self._read(np.array([before_P]), seen=0, kept=1)[0, -1]
                logits_N_T_V = self._read(ids_N_T, seen=len(before_P), kept=longest)
            except RuntimeError as error:
                raise GenerationError(
                    f"OpenVINO failed: {error}", fix="use a shorter text"
                ) from error
        first = _log_probabilities(first_V)
        found: list[float] = []
        for logits_T_V, row in zip(logits_N_T_V, rows, strict=True):
            logs = _log_probabilities(logits_T_V[: len(row) - 1])
            rest = logs[np.arange(len(row) - 1), row[1:]]
            found.append(float(first[row[0]]) + float(rest.sum()))
        return found

    def _read(self, ids_N_T: npt.NDArray[Any], *, seen: int, kept: int) -> Floats:
        """Logits of the last `kept` positions, `(N, kept, V)`."""
        count, length = ids_N_T.shape
        places = np.arange(seen, seen + length)[np.newaxis]
        outputs = self._request.infer(
            {
                "input_ids": ids_N_T.astype(np.int64),
                "attention_mask": np.ones((count, seen + length), np.int64),
                "position_ids": np.repeat(places, count, axis=0),
                # What was read before is shared by all rows.
                "beam_idx": np.zeros(count, np.int32),
                _KEPT: np.array([-kept], np.int64),
            }
        )
        return np.array(outputs[0])


def _keep_last_positions(graph: openvino.Model) -> None:
    """Let the vocabulary be multiplied for so many last positions as are asked for.

    A fifth of a small model's work, and most of the memory, is logits that nobody
    wants.
    """
    product = graph.get_results()[0].input_value(0).get_node()
    while product.get_type_name() != "MatMul":
        product = product.input_value(0).get_node()
    start = ops.parameter([1], np.int64, name=_KEPT)
    start.output(0).set_names({_KEPT})
    stop, step, axis = (
        ops.constant(np.array([value], np.int64))
        for value in (np.iinfo(np.int64).max, 1, 1)
    )
    hidden = product.input_value(0)
    product.input(0).replace_source_output(
        ops.slice(hidden, start, stop, step, axis).output(0)
    )
    graph.add_parameters([start])
    graph.validate_nodes_and_infer_types()


def _log_probabilities(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
