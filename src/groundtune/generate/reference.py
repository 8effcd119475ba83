"""The transformers engine: slower, and what the others are tested against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from groundtune.core.errors import GenerationError, MissingExtraError, ModelLoadError
from groundtune.generate.engines import (
    FolderEngine,
    TextStream,
    check_request,
    end_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.generate.engines import EngineOptions, Generated
    from groundtune.store.models import ModelFolder


class TransformersEngine(FolderEngine):
    """Greedy decoding with transformers on torch, on the CPU."""

    def __init__(
        self, model: ModelFolder, *, dtype: Literal["float32", "bfloat16"] = "float32"
    ) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"the transformers engine needs the module {error.name!r}",
                fix='pip install "groundtune[tune]"',
            ) from error
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                model.path, dtype=getattr(torch, dtype), local_files_only=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelLoadError(
                f"transformers cannot open it: {error}",
                fix="use a causal language model of a standard architecture",
                where=str(model.path),
            ) from error
        self._torch = torch
        self._model = loaded.eval()
        super().__init__(model)
        self._dtype = dtype
        self._ends = end_tokens(model)

    @property
    def name(self) -> str:
        """Model, weights and runtime."""
        sha = self._folder.weights_sha256[:8]
        return f"{self._folder.name}@{sha}/transformers-{self._dtype}"

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `Engine.generate`."""
        check_request(prompt, max_tokens, context=self.context_length)
        torch = self._torch
        stream = TextStream(self._tokenizer, on_text)
        ids, past = torch.tensor([list(prompt)]), None
        logprob = 0.0
        try:
            with torch.inference_mode():
                for _ in range(max_tokens):
                    out = self._model(
                        input_ids=ids,
                        past_key_values=past,
                        use_cache=True,
                        logits_to_keep=1,
                    )
                    logits_V = out.logits[0, -1].float()
                    token = int(logits_V.argmax())
                    logprob += float(logits_V[token] - logits_V.logsumexp(0))
                    if token in self._ends:
                        break
                    stream.add(token)
                    ids, past = torch.tensor([[token]]), out.past_key_values
        except RuntimeError as error:
            raise GenerationError(
                f"transformers failed: {error}", fix="use a shorter prompt"
            ) from error
        return stream.finish(prompt_tokens=len(prompt), logprob=logprob)


def build(model: ModelFolder, options: EngineOptions) -> TransformersEngine:
    """Entry point `transformers`."""
    del options
    return TransformersEngine(model)
