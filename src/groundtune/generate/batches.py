"""Answers to many prompts at once, where nobody waits for a single one.

On a CPU a token is bound by reading the weights from memory; a batch reads them once
for all of its prompts. So measuring and predicting go through here, and one question of
one person through `engines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from groundtune.generate.engines import EngineOptions, open_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Engine, Tokenizer
    from groundtune.core.values import Usage
    from groundtune.store.models import ModelFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What came of one prompt."""

    text: str
    usage: Usage
    is_cut: bool
    """Whether the bound on new tokens ended it, and not the model."""


class BatchEngine(Protocol):
    """A generator for many prompts: greedy, and the same batch gives the same texts."""

    @property
    def name(self) -> str:
        """Model, weights and runtime."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        ...

    @property
    def context_length(self) -> int:
        """Prompt and answer tokens together that fit."""
        ...

    def write(
        self, prompts: Sequence[Sequence[int]], *, max_tokens: int
    ) -> list[Written]:
        """Continue each prompt, in the order given.

        Raises:
            GenerationError: The engine failed.
        """
        ...


def open_batch_engine(
    model: ModelFolder,
    *,
    runtime: str = "openvino",
    options: EngineOptions | None = None,
) -> BatchEngine:
    """Open an engine for many prompts: OpenVINO's own, or any engine prompt by prompt.

    Raises:
        UnknownPluginError: No engine has that name.
        MissingExtraError: It needs an extra that is not installed.
        ModelLoadError: It cannot run this model.
    """
    chosen = options or EngineOptions()
    if runtime == "openvino":
        from groundtune.generate.openvino_batches import OpenVinoBatches

        return OpenVinoBatches(model, chosen)
    return OneByOne(open_engine(model, runtime=runtime, options=chosen))


class OneByOne:
    """Any engine, asked prompt by prompt."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        """The engine's."""
        return self._engine.name

    @property
    def tokenizer(self) -> Tokenizer:
        """The engine's."""
        return self._engine.tokenizer

    @property
    def context_length(self) -> int:
        """The engine's."""
        return self._engine.context_length

    def write(
        self, prompts: Sequence[Sequence[int]], *, max_tokens: int
    ) -> list[Written]:
        """See `BatchEngine.write`."""
        found: list[Written] = []
        for prompt in prompts:
            made = self._engine.generate(prompt, max_tokens=max_tokens)
            is_cut = made.usage.output_tokens >= max_tokens
            found.append(Written(text=made.text, usage=made.usage, is_cut=is_cut))
        return found
