"""The engine that sends a prompt spelled out: the completions route.

The prompt that `augment` built goes to `/completions` with its special tokens, as a
local engine would read it: the chat route would wrap it in a second template. A model
folder gives tokenizer and template, so a tuned model that is served elsewhere is asked
as it was trained: to the token where token ids are sent, and where the text is cut into
tokens again, but for the seam before the question.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundtune.config.endpoint import parse_remote
from groundtune.core.errors import ConfigError
from groundtune.generate.engines import FolderEngine, check_request
from groundtune.generate.remote import GREEDY
from groundtune.generate.written import Writing
from groundtune.store.remote.client import EndpointClient
from groundtune.store.remote.keys import Secret, checked, find_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.config.endpoint import RemoteModel
    from groundtune.generate.engines import EngineOptions, Generated
    from groundtune.store.models import ModelFolder


class CompletionsEndpoint(FolderEngine):
    """A `core.protocols.Engine` elsewhere: temperature 0, seed 0."""

    def __init__(self, client: EndpointClient, model: ModelFolder) -> None:
        super().__init__(model)
        self._client = client
        self._remote = client.remote

    @property
    def name(self) -> str:
        """Model and host: which weights answer is known only there."""
        return f"{self._remote.name}/{self._remote.host}"

    @property
    def context_length(self) -> int:
        """As the settings state it, else the folder's."""
        return self._remote.settings.context or super().context_length

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        """See `Engine.generate`.

        Where the endpoint does not report its usage, tokens are counted with the
        local tokenizer.
        """
        check_request(prompt, max_tokens, context=self.context_length)
        as_tokens = self._remote.settings.prompt_as == "tokens"
        body: dict[str, Any] = {
            "model": self._remote.name,
            "prompt": list(prompt) if as_tokens else self._tokenizer.spell(prompt),
            "max_tokens": max_tokens,
            **GREEDY,
        }
        writing = Writing(
            self._remote,
            on_text,
            hide=self._client.hide,
            count=lambda text: len(self._tokenizer.encode(text)),
            prompt_tokens=len(prompt),
        )
        return self._client.ask(
            "/completions", body, read=writing.read, tokens=len(prompt) + max_tokens
        )


def open_completions_endpoint(
    remote: RemoteModel, folder: ModelFolder
) -> CompletionsEndpoint:
    """The engine for a model of this folder's make behind an endpoint.

    Raises:
        ConfigError: The key may not be sent there.
    """
    client = EndpointClient(remote, secret=find_key(remote))
    return CompletionsEndpoint(client, folder)


def build(model: ModelFolder, options: EngineOptions) -> CompletionsEndpoint:
    """Entry point `openai`: the endpoint stands in the options.

    Raises:
        ConfigError: They name no endpoint, or the key may not be sent there.
    """
    if not options.url:
        raise ConfigError(
            "the endpoint's URL is missing",
            fix="give its root, such as http://localhost:8000/v1",
            where="url",
        )
    named = parse_remote(f"{options.url}#{options.remote_model or model.name}")
    settings = replace(
        named.settings,
        route="completions",
        tokenizer=str(model.path),
        token_seconds=options.timeout_seconds,
    )
    remote = replace(named, settings=settings)
    secret = checked(Secret(options.key), remote) if options.key else find_key(remote)
    return CompletionsEndpoint(EndpointClient(remote, secret=secret), model)
