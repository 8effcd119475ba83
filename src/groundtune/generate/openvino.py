"""The default engine: OpenVINO GenAI on the CPU, from a GGUF of our own writing.

Why this form, and why these settings: docs/decisions/0002-generation-engine.md.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import openvino
import openvino_genai

from groundtune.core.errors import GenerationError, ModelLoadError
from groundtune.core.fingerprint import canonical_json
from groundtune.generate.engines import TextStream, check_request, end_tokens
from groundtune.store.download import default_cache
from groundtune.store.gguf import write_gguf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Tokenizer
    from groundtune.generate.engines import EngineOptions, Generated
    from groundtune.store.gguf import Quantization
    from groundtune.store.models import ModelFolder

_QUANTIZATION: Quantization = "f16"
_FORM = 1
"""Bump when what is written into the cache changes."""


class OpenVinoEngine:
    """Greedy decoding with OpenVINO GenAI, one prompt at a time.

    An answer depends on its prompt alone: no state is kept between prompts.
    """

    def __init__(self, model: ModelFolder, *, cache: Path) -> None:
        self._folder = model
        self._tokenizer = model.tokenizer()
        self._ends = end_tokens(model)
        self._lock = threading.Lock()
        graph = _graph(model, cache)
        try:
            self._pipeline = openvino_genai.LLMPipeline(
                graph,
                "CPU",
                ATTENTION_BACKEND="SDPA",
            )
        except RuntimeError as error:
            raise ModelLoadError(
                f"OpenVINO cannot open it: {str(error).splitlines()[-1]}",
                fix="run it with the transformers engine",
                where=str(model.path),
            ) from error

    @property
    def name(self) -> str:
        """Model, weights and runtime."""
        sha = self._folder.weights_sha256[:8]
        return f"{self._folder.name}@{sha}/openvino-{_QUANTIZATION}"

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self._tokenizer

    @property
    def context_length(self) -> int:
        """See `Engine.context_length`."""
        return int(self._folder.config["max_position_embeddings"])

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `Engine.generate`. Threads take turns."""
        check_request(prompt, max_tokens, context=self.context_length)
        ids = np.array([list(prompt)], dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(
            openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids))
        )
        settings = openvino_genai.GenerationConfig(
            max_new_tokens=max_tokens, do_sample=False, apply_chat_template=False
        )
        settings.stop_token_ids = set(self._ends)
        with self._lock:
            streamer = _Streamer(TextStream(self._tokenizer, on_text), self._ends)
            try:
                self._pipeline.generate(inputs, settings, streamer)
            except RuntimeError as error:
                raise GenerationError(
                    f"OpenVINO failed: {str(error).splitlines()[-1]}",
                    fix="use a shorter prompt, or the transformers engine",
                ) from error
            if streamer.failure is not None:
                raise streamer.failure
            return streamer.stream.finish(prompt_tokens=len(prompt))


class _Streamer(openvino_genai.StreamerBase):
    """Receives tokens from the pipeline as they are chosen."""

    def __init__(self, stream: TextStream, ends: frozenset[int]) -> None:
        super().__init__()
        self.stream = stream
        self.failure: BaseException | None = None
        self._ends = ends

    def write(self, token: int | list[int]) -> openvino_genai.StreamingStatus:
        """Take new tokens; what the caller's `on_text` raises ends the answer."""
        for number in token if isinstance(token, list) else [token]:
            if number in self._ends:
                return openvino_genai.StreamingStatus.STOP
            try:
                self.stream.add(number)
            except BaseException as error:  # noqa: BLE001 (raised again by generate)
                self.failure = error
                return openvino_genai.StreamingStatus.CANCEL
        return openvino_genai.StreamingStatus.RUNNING

    def end(self) -> None:
        """Nothing is held back: `TextStream.finish` hands out the rest."""


def _graph(model: ModelFolder, cache: Path) -> Path:
    """The GGUF of a model in the cache, written on first use."""
    key = {
        "form": _FORM,
        "weights": model.weights_sha256,
        "config": model.config,
        "quantization": _QUANTIZATION,
    }
    digest = hashlib.sha256(canonical_json(key).encode()).hexdigest()[:16]
    folder = cache / "engines" / f"openvino-{digest}"
    target = folder / "model.gguf"
    if not target.exists():
        # Two processes may both write: the content is the same, the rename atomic.
        part = folder / f".model.{threading.get_native_id()}.gguf"
        write_gguf(model, part, quantization=_QUANTIZATION)
        part.replace(target)
    return target


def build(model: ModelFolder, options: EngineOptions) -> OpenVinoEngine:
    """Entry point `openvino`."""
    return OpenVinoEngine(model, cache=options.cache or default_cache())
