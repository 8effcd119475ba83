"""An engine behind any endpoint that speaks the OpenAI completions protocol.

vLLM, Ollama, the llama.cpp server and others do. The prompt that `augment` built is
spelled out, special tokens included, and sent to `/completions`: the chat route would
wrap it in a second template. The model folder gives the tokenizer and the template.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from groundtune.core.errors import ConfigError, GenerationError
from groundtune.core.values import Usage
from groundtune.generate.engines import FolderEngine, Generated, check_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from groundtune.generate.engines import EngineOptions
    from groundtune.store.models import ModelFolder

_DETAIL_CHARACTERS = 200
_STATUS_FIX = {
    401: "check the key",
    403: "check the key",
    404: "check the URL and the model's name at the endpoint",
    429: "wait, or ask for a higher limit",
}


class EndpointEngine(FolderEngine):
    """Sends prompts to one endpoint, greedily (temperature 0, seed 0)."""

    def __init__(self, model: ModelFolder, options: EngineOptions) -> None:
        if urlsplit(options.url).scheme not in {"http", "https"}:
            raise ConfigError(
                f"the endpoint's URL is {options.url!r}",
                fix="give its root, such as http://localhost:8000/v1",
                where="url",
            )
        super().__init__(model)
        self._options = options
        self._remote = options.remote_model or model.name

    @property
    def name(self) -> str:
        """Model and host: which weights answer is known only there."""
        host = urlsplit(self._options.url).netloc.rpartition("@")[2]
        return f"{self._remote}/{host}"

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
        start = time.perf_counter()
        first_ms, pieces, usage = 0.0, list[str](), dict[str, Any]()
        for event in self._events(self._tokenizer.spell(prompt), max_tokens):
            usage = event.get("usage") or usage
            choices = event.get("choices") or []
            piece = str(choices[0].get("text") or "") if choices else ""
            if not piece:
                continue
            first_ms = first_ms or (time.perf_counter() - start) * 1000
            pieces.append(piece)
            if on_text is not None:
                on_text(piece)
        text = "".join(pieces)
        total_ms = (time.perf_counter() - start) * 1000
        local = len(self._tokenizer.encode(text))
        return Generated(
            text=text,
            usage=Usage(
                prompt_tokens=int(usage.get("prompt_tokens", len(prompt))),
                output_tokens=int(usage.get("completion_tokens", local)),
            ),
            first_token_ms=first_ms or total_ms,
            total_ms=total_ms,
        )

    def _events(self, prompt: str, max_tokens: int) -> Iterator[dict[str, Any]]:
        """Ask, and read the answer event by event.

        Raises:
            GenerationError: The endpoint refused, was silent, or sent no JSON.
        """
        body = {
            "model": self._remote,
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"Content-Type": "application/json"}
        if self._options.key:
            headers["Authorization"] = f"Bearer {self._options.key}"
        url = f"{self._options.url.rstrip('/')}/completions"
        request = Request(  # noqa: S310 (scheme checked at construction)
            url, data=json.dumps(body).encode(), headers=headers
        )
        try:
            with urlopen(  # noqa: S310 (scheme checked at construction)
                request, timeout=self._options.timeout_seconds
            ) as response:
                yield from _read_events(response)
        except GenerationError:
            raise
        except HTTPError as error:
            with error:
                detail = error.read(_DETAIL_CHARACTERS).decode(errors="replace")
            raise GenerationError(
                f"the endpoint answered {error.code}: {self._hidden(detail)}",
                fix=_STATUS_FIX.get(error.code, "see the endpoint's own log"),
            ) from None  # the cause holds the request, and the request the key
        except TimeoutError as error:
            raise GenerationError(
                f"no answer within {self._options.timeout_seconds:g} seconds",
                fix="raise the time limit, or check the endpoint's load",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise GenerationError(
                f"the endpoint cannot be reached: {error}",
                fix="check its URL, and that it runs",
            ) from error

    def _hidden(self, text: str) -> str:
        """An endpoint may quote the key that it refuses; we do not."""
        key = self._options.key
        return text.replace(key, "***") if key else text


def _read_events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Parse server-sent events, or one JSON value where streaming is not offered."""
    if response.headers.get_content_type() != "text/event-stream":
        yield _parse(response.read())
        return
    for line in response:
        field, _, value = line.partition(b":")
        if field.strip() != b"data":
            continue
        if value.strip() == b"[DONE]":
            return
        yield _parse(value)
    raise GenerationError(
        "the endpoint's answer broke off", fix="try again, or see its own log"
    )


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise GenerationError(
            f"the endpoint sent no JSON: {error}",
            fix="check that the URL is the root of an OpenAI-compatible API",
        ) from error
    if not isinstance(value, dict) or "error" in value or "choices" not in value:
        detail = json.dumps(value)[:_DETAIL_CHARACTERS]
        raise GenerationError(
            f"the endpoint sent no completion: {detail}",
            fix="check that the URL is the root of an OpenAI-compatible API",
        )
    return value


def build(model: ModelFolder, options: EngineOptions) -> EndpointEngine:
    """Entry point `openai`."""
    return EndpointEngine(model, options)
