"""An answer as it comes from an endpoint, event by event, over several attempts.

Which events an endpoint sends is known here, and nothing of HTTP.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, cast

from groundtune.core.errors import GenerationError
from groundtune.core.values import Usage
from groundtune.generate.engines import Generated
from groundtune.store.remote.answering import check_model
from groundtune.store.remote.failures import (
    FailedAttempt,
    Failure,
    broken_off,
    malformed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from groundtune.config.endpoint import RemoteModel, Route


class Writing:
    """One answer in the making: what came, and what a person has seen of it.

    An attempt that fails midway is made again. What was shown cannot be taken back, so
    the next attempt has to begin with the same words, and is shown from there on.
    """

    def __init__(
        self,
        remote: RemoteModel,
        on_text: Callable[[str], None] | None,
        *,
        hide: Callable[[str], str],
        count: Callable[[str], int],
        prompt_tokens: int,
    ) -> None:
        """Begin to wait for an answer.

        Args:
            remote: The model that was asked.
            on_text: Called with each new piece of text.
            hide: Takes the key out of a text.
            count: Tokens of a text, where the endpoint does not say.
            prompt_tokens: The same of what was asked.
        """
        self._remote = remote
        self._on_text = on_text
        self._hide = hide
        self._count = count
        self._prompt_tokens = prompt_tokens
        self._start = time.perf_counter()
        self._first_ms = 0.0
        self._shown = ""

    def read(self, events: Iterator[dict[str, Any]]) -> Generated:
        """The answer of one attempt.

        Raises:
            FailedAttempt: It is not whole, not in the protocol's form, or another's.
        """
        text, end, usage = "", "", dict[str, Any]()
        for event in events:
            check_model(self._remote, event)
            found = event.get("usage")
            usage = cast("dict[str, Any]", found) if isinstance(found, dict) else usage
            piece, reason = _choice(event, self._remote.settings.route)
            end = reason or end
            if piece:
                self._first_ms = self._first_ms or self._elapsed_ms()
                text = self._hide(text + piece)
                self._show(text)
        self._check_end(text, end)
        total = self._elapsed_ms()
        return Generated(
            text=text,
            usage=Usage(
                prompt_tokens=_tokens(usage, "prompt_tokens", self._prompt_tokens),
                output_tokens=_tokens(usage, "completion_tokens", self._count(text)),
            ),
            first_token_ms=self._first_ms or total,
            total_ms=total,
        )

    def _show(self, text: str) -> None:
        if self._on_text is None or self._shown.startswith(text):
            return
        if not text.startswith(self._shown):
            raise FailedAttempt(_begun_otherwise())
        self._on_text(text[len(self._shown) :])
        self._shown = text

    def _check_end(self, text: str, end: str) -> None:
        if not end:
            raise FailedAttempt(broken_off())
        if end == "content_filter":
            raise FailedAttempt(
                Failure(
                    problem="the endpoint's filter stopped the answer",
                    fix="ask otherwise, or look into the endpoint's safety settings",
                    kind=GenerationError,
                )
            )
        if end == "length" and not text:
            raise FailedAttempt(
                Failure(
                    problem="the model spent its tokens before it wrote a word",
                    fix="it reasons first: give it ?thinking_tokens=1000 or more",
                    kind=GenerationError,
                )
            )
        if len(text) < len(self._shown):
            raise FailedAttempt(_begun_otherwise())

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1000


def _choice(event: dict[str, Any], route: Route) -> tuple[str, str]:
    """New text of an event, and why the answer ended; both may be empty."""
    choices = event.get("choices")
    if choices is None or choices == []:
        return "", ""  # an account of tokens, or a sign of life
    first: Any = choices[0] if isinstance(choices, list) else None
    if not isinstance(first, dict):
        raise FailedAttempt(malformed("choices that are none"))
    choice = cast("dict[str, Any]", first)
    text: Any = choice.get("text")
    if route == "chat":
        said: Any = choice.get("delta") or choice.get("message") or {}
        text = said.get("content") if isinstance(said, dict) else 0
    reason = choice.get("finish_reason")
    if not isinstance(text, str | None) or not isinstance(reason, str | None):
        raise FailedAttempt(malformed("an answer that is no text"))
    return text or "", reason or ""


def _tokens(
    usage: dict[str, Any],
    name: Literal["prompt_tokens", "completion_tokens"],
    counted: int,
) -> int:
    """What the endpoint says, or what was counted where it says nothing."""
    found = usage.get(name)
    return found if isinstance(found, int) and found >= 0 else counted


def _begun_otherwise() -> Failure:
    return Failure(
        problem="the endpoint's answer broke off, and its next one began otherwise",
        fix="ask again",
    )
