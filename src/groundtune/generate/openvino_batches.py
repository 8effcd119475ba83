"""Many prompts at once with OpenVINO GenAI: continuous batching on the CPU.

The same graph as `openvino` opens, with paged attention. A sequence that ends makes
room for the next one, so that a long answer holds nothing up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
import openvino_genai

from groundtune.core.errors import GenerationError
from groundtune.core.values import Usage
from groundtune.generate.batches import Written
from groundtune.generate.engines import FolderEngine, check_request, end_tokens
from groundtune.generate.openvino import cannot_open, graph_folder, last_line
from groundtune.store.download import default_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.generate.engines import EngineOptions
    from groundtune.store.gguf import Quantization
    from groundtune.store.models import ModelFolder

_TOGETHER = 32
"""Sequences at a time: twice as many gain a tenth, and take twice the memory."""
_STEP_TOKENS = 2048
"""Prompt tokens read in one step."""


class OpenVinoBatches(FolderEngine):
    """See `BatchEngine`. Nothing is kept from one call to the next."""

    def __init__(self, model: ModelFolder, options: EngineOptions) -> None:
        super().__init__(model)
        self._ends = end_tokens(model)
        settings: dict[str, Any] = {}
        if options.precision == "f32":
            settings = {
                "INFERENCE_PRECISION_HINT": "f32",
                "KV_CACHE_PRECISION": "f32",
            }
        self._exact = "-exact" if options.precision == "f32" else ""
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs = _TOGETHER
        scheduler.max_num_batched_tokens = max(_STEP_TOKENS, self.context_length)
        # Whole prompts in one step, and none shared: an answer then depends on its own
        # prompt but for the last bits of sums.
        scheduler.dynamic_split_fuse = False
        scheduler.enable_prefix_caching = False
        self._quantization: Quantization = "q8_0" if options.is_int8 else "f16"
        folder = graph_folder(
            model, options.cache or default_cache(), quantization=self._quantization
        )
        try:
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(
                folder, scheduler, "CPU", settings
            )
        except RuntimeError as error:
            raise cannot_open(model, error) from error

    @property
    def name(self) -> str:
        """Model, weights and runtime."""
        sha = self._folder.weights_sha256[:8]
        kept = f"{self._quantization}{self._exact}"
        return f"{self._folder.name}@{sha}/openvino-{kept}-batched"

    def write(
        self, prompts: Sequence[Sequence[int]], *, max_tokens: int
    ) -> list[Written]:
        """See `BatchEngine.write`."""
        for prompt in prompts:
            check_request(prompt, max_tokens, context=self.context_length)
        settings = openvino_genai.GenerationConfig(
            max_new_tokens=max_tokens, do_sample=False, apply_chat_template=False
        )
        settings.stop_token_ids = set(self._ends)
        tensors = [
            openvino.Tensor(np.array([list(prompt)], dtype=np.int64))
            for prompt in prompts
        ]
        try:
            made = self._pipeline.generate(tensors, [settings] * len(tensors))
        except RuntimeError as error:
            raise GenerationError(
                f"OpenVINO failed: {last_line(error)}",
                fix="use shorter prompts, or the transformers engine",
            ) from error
        found: list[Written] = []
        for prompt, one in zip(prompts, made, strict=True):
            ids = [int(number) for number in one.m_generation_ids[0]]
            is_cut = not ids or ids[-1] not in self._ends
            words = [number for number in ids if number not in self._ends]
            found.append(
                Written(
                    text=self._tokenizer.decode(words),
                    usage=Usage(prompt_tokens=len(prompt), output_tokens=len(words)),
                    is_cut=is_cut,
                )
            )
        return found
