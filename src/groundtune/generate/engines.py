"""What every engine shares: opening one by name, its result, and streamed text.

An engine continues prompt tokens. Which prompt belongs to `augment`; what the answer
rests on belongs to `generate.citations`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, cast

from groundtune.core.errors import GenerationError
from groundtune.core.plugins import load_plugin
from groundtune.core.values import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Engine, Tokenizer
    from groundtune.store.models import ModelFolder

ENGINES = "groundtune.engines"
"""Entry point group in which engines are registered, ours too."""

_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine may be told beside the model; each reads what it needs."""

    cache: Path | None = None
    """Folder for what can be made again; None: the person's cache folder."""
    precision: Literal["auto", "f32"] = "auto"
    """`auto`: bfloat16 where the machine computes in it; `f32` is exact and slower."""
    is_int8: bool = False
    """Weights of 8 bits, where many prompts are answered at once on OpenVINO."""
    url: str = ""
    """Root of an OpenAI-compatible API, such as `http://localhost:8000/v1`."""
    remote_model: str = ""
    """Name of the model at that endpoint; empty: the folder's name."""
    key: str = field(default="", repr=False)
    """Secret of that endpoint; never written or shown."""
    timeout_seconds: float = 120.0


class EngineFactory(Protocol):
    """What an entry point of `groundtune.engines` names."""

    def __call__(self, model: ModelFolder, options: EngineOptions) -> Engine:
        """Build an engine for `model`; heavy libraries are imported only now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A `core.protocols.Generation`, with the tokens that were chosen."""

    text: str
    usage: Usage
    first_token_ms: float
    total_ms: float
    tokens: tuple[int, ...] = ()
    """New tokens, the end token left out; empty where an endpoint does not tell."""
    logprob: float | None = None
    """Of the new tokens, end token included; None where the engine does not tell."""


def open_engine(
    model: ModelFolder,
    *,
    runtime: str = "openvino",
    options: EngineOptions | None = None,
) -> Engine:
    """Open the engine registered as `runtime` on a model folder.

    Raises:
        UnknownPluginError: No engine has that name.
        MissingExtraError: It needs an extra that is not installed.
        ModelLoadError: It cannot run this model.
    """
    build = cast("EngineFactory", load_plugin(ENGINES, runtime))
    return build(model, options or EngineOptions())


class FolderEngine:
    """What engines have in common that take tokenizer and limits from a folder."""

    def __init__(self, model: ModelFolder) -> None:
        self._folder = model
        self._tokenizer = model.tokenizer()

    @property
    def tokenizer(self) -> Tokenizer:
        """The folder's own, by which prompts are built and measured."""
        return self._tokenizer

    @property
    def context_length(self) -> int:
        """See `Engine.context_length`. An endpoint does not tell its own."""
        return int(self._folder.config["max_position_embeddings"])


def check_request(prompt: Sequence[int], max_tokens: int, *, context: int) -> None:
    """Refuse what no engine can do.

    Raises:
        ValueError: No prompt, or no token wanted (a bug in the caller).
        GenerationError: Prompt and answer do not fit the model.
    """
    if not prompt or max_tokens < 1:
        msg = f"a prompt of {len(prompt)} tokens and {max_tokens} new ones"
        raise ValueError(msg)
    if len(prompt) + max_tokens > context:
        raise GenerationError(
            f"a prompt of {len(prompt)} tokens and {max_tokens} new ones do not fit "
            f"the model's {context}",
            fix="use fewer or shorter passages, or a model with a longer context",
        )


def end_tokens(model: ModelFolder) -> frozenset[int]:
    """Ids of the tokens that end an answer."""
    found = model.config.get("eos_token_id")
    ids = found if isinstance(found, list) else [found]
    return frozenset(number for number in ids if isinstance(number, int))


class TextStream:
    """Turns tokens into text as they come, never cutting a character in two.

    The pieces handed out join to the text of all tokens.
    """

    def __init__(
        self, tokenizer: Tokenizer, on_text: Callable[[str], None] | None
    ) -> None:
        self._tokenizer = tokenizer
        self._on_text = on_text
        self._start = time.perf_counter()
        self._sent = 0
        self.tokens: list[int] = []
        self.first_token_ms = 0.0

    def add(self, token: int) -> None:
        """Take one new token and hand out the text that it completes."""
        if not self.tokens:
            self.first_token_ms = self._elapsed_ms()
        self.tokens.append(token)
        if self._on_text is not None:
            text = self._tokenizer.decode(self.tokens)
            # An unfinished UTF-8 sequence decodes to the replacement character.
            self._send(text.rstrip(_REPLACEMENT))

    def finish(self, *, prompt_tokens: int, logprob: float | None = None) -> Generated:
        """Hand out the rest and close the account."""
        text = self._tokenizer.decode(self.tokens)
        self._send(text)
        total = self._elapsed_ms()
        return Generated(
            text=text,
            usage=Usage(prompt_tokens=prompt_tokens, output_tokens=len(self.tokens)),
            first_token_ms=self.first_token_ms or total,
            total_ms=total,
            tokens=tuple(self.tokens),
            logprob=logprob,
        )

    def _send(self, text: str) -> None:
        if self._on_text is not None and len(text) > self._sent:
            self._on_text(text[self._sent :])
            self._sent = len(text)

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1000
