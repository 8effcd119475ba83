"""The engine behind an endpoint that takes turns: `URL#NAME`.

The endpoint wraps the turns into the model's own template, so no tokenizer is needed
here. Without one, lengths are estimated; with one, they are its own. A prompt of tokens
is turned back into the turns that it was made of: whoever knows only engines that take
tokens can use this one too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundtune.augment.chat import ChatTemplate
from groundtune.core.values import Message
from groundtune.generate.written import Writing
from groundtune.store.remote.client import EndpointClient
from groundtune.store.remote.estimate import EstimatedTokenizer
from groundtune.store.remote.keys import find_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.config.endpoint import RemoteModel
    from groundtune.core.protocols import Tokenizer
    from groundtune.generate.engines import Generated
    from groundtune.store.models import ModelFolder

DEFAULT_CONTEXT = 4096
"""Tokens that fit where neither person nor endpoint says: what small servers take."""
_LISTED = ("max_model_len", "context_length", "context_window", "max_context_length")
"""How vLLM and others name it in their list of models."""
_LISTED_META = "n_ctx"
"""How the llama.cpp server names it, in `meta`."""
_TURN_TOKENS = 8
"""What a template puts around a turn, about."""
_TURNS = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n", re.DOTALL)


class ChatEndpoint:
    """A `ChatEngine` and an `Engine`: asks for temperature 0 and one fixed seed.

    Whether that makes answers repeatable is known at the endpoint alone. May be shared
    between threads.
    """

    def __init__(self, client: EndpointClient, folder: ModelFolder | None) -> None:
        self._client = client
        self._remote = client.remote
        self._context = client.remote.settings.context
        if folder is None:
            estimated = EstimatedTokenizer()
            self._tokenizer: Tokenizer = estimated
            self._spell = estimated.decode
        else:
            known = folder.tokenizer()
            self._tokenizer, self._spell = known, known.spell

    @property
    def name(self) -> str:
        """Model and host: which weights answer is known only there."""
        return f"{self._remote.name}/{self._remote.host}"

    @property
    def tokenizer(self) -> Tokenizer:
        """The named folder's, or one that estimates."""
        return self._tokenizer

    @property
    def context_length(self) -> int:
        """As the settings state it, else as the endpoint lists it, else a default."""
        if not self._context:
            self._context = _listed_context(self._client.listed()) or DEFAULT_CONTEXT
        return self._context

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `Engine.generate`.

        Args:
            prompt: Made with the template of `usual_turns` and this tokenizer.
            max_tokens: Upper bound on new tokens.
            on_text: Called with each new piece of text.

        Raises:
            ValueError: It was made otherwise (a bug in the caller).
            GenerationError: The endpoint failed.
        """
        turns = _turns_of(self._spell(prompt))
        return self.chat(turns, max_tokens=max_tokens, on_text=on_text)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `ChatEngine.chat`."""
        prompt_tokens = sum(
            self._count(turn.content) + _TURN_TOKENS for turn in messages
        )
        limit = max_tokens + self._remote.settings.thinking_tokens
        body: dict[str, Any] = {
            "model": self._remote.name,
            "messages": [
                {"role": turn.role, "content": turn.content} for turn in messages
            ],
            "max_tokens": limit,
            **GREEDY,
        }
        writing = Writing(
            self._remote,
            on_text,
            hide=self._client.hide,
            count=self._count,
            prompt_tokens=prompt_tokens,
        )
        return self._client.ask(
            "/chat/completions", body, read=writing.read, tokens=prompt_tokens + limit
        )

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text))


GREEDY: dict[str, Any] = {
    "temperature": 0,
    "seed": 0,
    "stream": True,
    "stream_options": {"include_usage": True},
}
"""Asked for along with every prompt, until an endpoint refuses one of them."""


def open_chat_endpoint(
    remote: RemoteModel, *, folder: ModelFolder | None = None
) -> ChatEndpoint:
    """The engine for a model behind an endpoint. Asks nothing yet.

    Args:
        remote: The model.
        folder: A model with the same tokenizer, where there is one on this machine.

    Raises:
        ConfigError: The key may not be sent there.
    """
    client = EndpointClient(remote, secret=find_key(remote))
    return ChatEndpoint(client, folder)


def usual_turns() -> ChatTemplate:
    """The template of prompts for this engine; the model's own is the endpoint's."""
    return ChatTemplate(_TURNS)


def _turns_of(text: str) -> list[Message]:
    """The turns that a prompt was made of; what the answer is to begin with is left."""
    found = [Message(role, content) for role, content in _TURN.findall(text)]
    if not found:
        msg = "no prompt of turns"
        raise ValueError(msg)
    return found


def _listed_context(entry: dict[str, Any]) -> int:
    meta = entry.get("meta")
    stated = [entry.get(name) for name in _LISTED]
    stated.append(meta.get(_LISTED_META) if isinstance(meta, dict) else None)
    found = [n for n in stated if isinstance(n, int) and n > 0]
    return min(found, default=0)
