"""The contracts between rooms. Implementations are found through entry points.

`System` is the one seam of the product: the comparison, the evaluator and the server
see only that. The others are what the arms are composed of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.values import Answer, Hit, Message, QaCase, Span, Usage


NOTE = " · "
"""What stands behind it in a label of `Progress` may change from call to call."""


class Progress(Protocol):
    """Told how far a long job is. Implementations never raise."""

    def __call__(self, label: str, done: int, total: int | None, /) -> None:
        """Report `done` of `total` units (None: not known) of the step `label`."""
        ...


def silent(label: str, done: int, total: int | None) -> None:
    """The progress that shows nothing."""


def unheard(_: str) -> None:
    """The listener that drops what it is told."""


class Tokenizer(Protocol):
    """Cuts text into a model's tokens."""

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with no special tokens added around it.

        Special tokens written in the text, such as `<|im_start|>`, become their ids.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out."""
        ...

    def offsets(self, text: str) -> list[Span]:
        """Character span of each token of `text`, in order."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors that are compared by dot product."""

    @property
    def name(self) -> str:
        """Model, weights and their rounding; stamps an index."""
        ...

    @property
    def dim(self) -> int:
        """Length of one vector; constant for the life of the object."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, by which passages are measured."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that one text may have; the rest is not seen by the model."""
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Encode texts, one row per text, in the order given.

        Returns:
            Array of shape `(len(texts), dim)`. Each row has L2 norm 1. No texts give
            `(0, dim)`. A row does not depend on which texts stand beside it beyond
            floating-point noise of 1e-2 cosine.
        """
        ...


class Retriever(Protocol):
    """Finds the passages most likely to hold the answer to a query."""

    def search(self, query: str, *, k: int) -> list[Hit]:
        """Return at most `k` hits, best first, ties broken by passage id.

        Raises:
            ValueError: `k` is below 1 (a bug in the caller).
        """
        ...


class Generation(Protocol):
    """What an engine returns for one prompt."""

    @property
    def text(self) -> str:
        """The new tokens as text, special tokens left out."""
        ...

    @property
    def usage(self) -> Usage:
        """Tokens read and written."""
        ...

    @property
    def logprob(self) -> float | None:
        """Log probability of the new tokens, the end token included, if known."""
        ...

    @property
    def first_token_ms(self) -> float:
        """Milliseconds until the first new token, prompt included."""
        ...

    @property
    def total_ms(self) -> float:
        """Milliseconds until the last one."""
        ...


class Engine(Protocol):
    """A generator: prompt tokens in, answer tokens out, greedy and repeatable."""

    @property
    def name(self) -> str:
        """Model, weights and runtime, as written to the run folder."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        ...

    @property
    def context_length(self) -> int:
        """Prompt and answer tokens together that fit."""
        ...

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generation:
        """Continue `prompt` greedily until the end token or `max_tokens`.

        Args:
            prompt: Token ids, as `augment` built them.
            max_tokens: Upper bound on new tokens.
            on_text: Called with each new piece of text as it is decoded.

        Raises:
            GenerationError: The engine failed; the caller records it in the row.
        """
        ...


@runtime_checkable
class Comparer(Protocol):
    """What can say how much texts are about the same: a retriever with an embedder."""

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """Cosine of `text` and each of `others`."""
        ...


@runtime_checkable
class CopyingEngine(Protocol):
    """A generator that can be bound to the words of given texts."""

    def copy(
        self,
        prompt: Sequence[int],
        *,
        texts: Sequence[str],
        question: str,
        otherwise: str,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generation:
        """Continue `prompt` greedily with nothing but a run of words of one text.

        The number of a text may follow. Without a word to copy it is free.

        Args:
            prompt: Token ids, as `augment` built them.
            texts: What may be copied from.
            question: No answer begins with a word of it, unless all words are in it.
            otherwise: What may be said instead.
            max_tokens: Upper bound on new tokens.
            on_text: Called with each new piece of text as it is decoded.

        Raises:
            GenerationError: The engine failed; the caller records it in the row.
        """
        ...


@runtime_checkable
class ChatEngine(Protocol):
    """A generator behind an endpoint that takes turns, not tokens."""

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generation:
        """Continue a conversation greedily, as far as the endpoint allows that.

        Raises:
            GenerationError: The endpoint failed; the caller records it in the row.
        """
        ...


class System(Protocol):
    """An arm made runnable: takes cases, gives answers."""

    @property
    def name(self) -> str:
        """Such as `both`, as rows name it."""
        ...

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Answer one case without looking at its accepted answers.

        Raises:
            GenerationError: No answer could be produced.
        """
        ...
