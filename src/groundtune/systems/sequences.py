"""Sequences of tokens through an encoder's graph, one at a time and many at once.

Nothing is padded: what comes out for a text does not depend on the texts beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import openvino as ov

    from groundtune.tune.encoder.dataset import Item

    Floats = npt.NDArray[np.float32]


class SequenceRunner:
    """Runs a graph of `input_ids (1, tokens)` to a row a token, or a row a text."""

    def __init__(
        self, graph: ov.Model, *, is_words: bool, precision: str | None = None
    ) -> None:
        """Compile the graph.

        Args:
            graph: What to run.
            is_words: Whether it gives a row a token, of which the supervised are kept.
            precision: "f32" or "bf16"; None lets the processor's instructions decide.
        """
        import openvino as ov

        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision is not None:
            options["INFERENCE_PRECISION_HINT"] = precision
        self._is_words = is_words
        self._queue = ov.AsyncInferQueue(ov.Core().compile_model(graph, "CPU", options))

    def run(self, items: Sequence[Item]) -> list[Floats]:
        """The rows of each item, in the order given."""
        out: list[Floats] = [np.zeros((0, 0), np.float32)] * len(items)

        def keep(request: ov.InferRequest, place: int) -> None:
            rows = request.get_output_tensor(0).data
            chosen = rows[items[place].places_S] if self._is_words else rows
            out[place] = np.array(chosen, np.float32)

        self._queue.set_callback(keep)
        # Longest first: the last to finish are short ones.
        for place in sorted(range(len(items)), key=lambda n: -len(items[n])):
            self._queue.start_async({"input_ids": items[place].ids_T[None]}, place)
        self._queue.wait_all()
        return out
