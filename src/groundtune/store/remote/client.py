"""The one client for endpoints that speak OpenAI's protocol: ask, and try again.

It knows HTTP, time limits and retries. What is asked, and what an answer means, is
known in `generate` and `retrieve`.
"""

from __future__ import annotations

import json
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx2

from groundtune import __version__
from groundtune.core.errors import ConfigError, GenerationError
from groundtune.store.remote.dialect import Dialect
from groundtune.store.remote.failures import (
    FailedAttempt,
    Failure,
    broken_off,
    malformed,
    plain,
    refusal,
    timed_out,
    told_in_answer,
    unreachable,
)
from groundtune.store.remote.pace import Clock, Sent, back_off, shared_pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundtune.config.endpoint import RemoteModel
    from groundtune.store.remote.keys import Secret
    from groundtune.store.remote.pace import Pace

T = TypeVar("T")

_MOST_BYTES = 64 << 20
"""Of one answer: nothing that is asked for is near it."""
_EVENTS = "text/event-stream"
_END = "[DONE]"
_DEADLINE = "groundtune.deadline"
"""Where a request keeps the moment at which its answer must be whole."""


class EndpointClient:
    """Asks one model at one endpoint. May be shared between threads."""

    def __init__(
        self,
        remote: RemoteModel,
        *,
        secret: Secret | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        asked = remote.settings
        self.remote = remote
        self.dialect = Dialect()
        self._secret = secret
        self._pace = pace or shared_pace(remote)
        self._clock = clock or Clock()
        parts, read = urlsplit(remote.url), httpx2.URL(remote.url)
        if (parts.hostname, parts.port) != (read.host, read.port):
            # Two readings of one URL: what was checked is not what would be asked.
            raise ConfigError(
                "the URL can be read in two ways",
                fix="write host and port plainly",
                where="model",
            )
        self._http = httpx2.Client(
            headers=_headers(secret),
            timeout=httpx2.Timeout(
                asked.token_seconds, connect=asked.connect_seconds, pool=None
            ),
            limits=httpx2.Limits(max_connections=asked.concurrency),
            event_hooks={"response": [_bound]},
            # Proxies of the environment, and certificates, which take a while to read,
            # are for what leaves this machine.
            trust_env=not remote.is_loopback,
            verify=remote.url.startswith("https://"),
            follow_redirects=False,
        )
        self._closing = weakref.finalize(self, self._http.close)

    def close(self) -> None:
        """Close the connections; they are closed with the process at the latest."""
        self._closing()

    def ask(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        read: Callable[[Iterator[dict[str, Any]]], T],
        tokens: int = 0,
        attempts: int | None = None,
    ) -> T:
        """Ask once, or as often as it takes and is allowed.

        Args:
            path: Below the root, such as `/chat/completions`.
            body: What to send; None: nothing (GET).
            read: Makes the result of one attempt's events: those of a stream, or the
                one object of an answer that is no stream. May raise `FailedAttempt`.
            tokens: Estimate of what it costs, for the limit of tokens.
            attempts: Most attempts; None: as the settings say.

        Raises:
            EndpointError: No attempt succeeded.
            GenerationError: What was asked cannot be answered.
        """
        most = attempts or self.remote.settings.attempts
        failed = 0
        while True:
            sent = None if body is None else self.dialect.spoken(body)
            outcome = self._attempt(path, sent, read=read, tokens=tokens)
            if not isinstance(outcome, Failure):
                return outcome
            if sent is not None and self.dialect.learn(sent, outcome):
                continue  # each parameter is learned once, so this ends
            failed += 1
            wait = back_off(failed, outcome, self._clock)
            is_too_long = wait > self.remote.settings.longest_wait_seconds
            if not outcome.is_passing or failed >= most or is_too_long:
                # Raised where no exception is being handled: the error has no context,
                # and so no request, and so no key.
                raise self._error(outcome, failed, wait if is_too_long else 0.0)
            self._clock.sleep(wait)

    def listed(self) -> dict[str, Any]:
        """What the endpoint's list of models says of this one; empty if nothing."""
        try:
            value = self.ask("/models", None, read=only_event, attempts=1)
        except GenerationError:
            return {}  # many have no list; what else is wrong shows in what follows
        models = value.get("data")
        for model in models if isinstance(models, list) else []:
            if isinstance(model, dict) and model.get("id") == self.remote.name:
                return cast("dict[str, Any]", model)
        return {}

    def hide(self, text: str) -> str:
        """The text without the key, should the endpoint have quoted it."""
        return self._secret.hide(text) if self._secret else text

    def _attempt(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        read: Callable[[Iterator[dict[str, Any]]], T],
        tokens: int,
    ) -> T | Failure:
        request = self._http.build_request(
            "GET" if body is None else "POST",
            f"{self.remote.url}{path}",
            content=None if body is None else _written(body),
            headers={"Content-Type": "application/json"},
        )
        has_begun = False
        try:
            with self._pace.turn(tokens) as sent:
                deadline = time.monotonic() + self.remote.settings.total_seconds
                request.extensions[_DEADLINE] = deadline
                response = self._http.send(request, stream=True)
                has_begun = True
                try:
                    if not response.is_success:
                        return self._refusal(response)
                    return read(_events(response, sent))
                finally:
                    response.close()
        except FailedAttempt as error:
            return error.failure
        except httpx2.HTTPError as error:
            return self._told(error, has_begun=has_begun)

    def _told(self, error: httpx2.HTTPError, *, has_begun: bool) -> Failure:
        asked = self.remote.settings
        if isinstance(error, httpx2.ConnectTimeout):
            return unreachable(f"no answer within {asked.connect_seconds:g} seconds")
        if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
            return unreachable(self.hide(str(error)))
        if isinstance(error, _OutOfTimeError):
            failure = timed_out(asked.total_seconds, "whole answer")
        elif isinstance(error, httpx2.TimeoutException):
            what = "further word" if has_begun else "answer"
            failure = timed_out(asked.token_seconds, what)
        elif isinstance(error, httpx2.RemoteProtocolError | httpx2.NetworkError):
            failure = broken_off()
        else:
            failure = malformed(f"what HTTP does not allow: {plain(str(error))}")
        return failure

    def _refusal(self, response: httpx2.Response) -> Failure:
        text = response.read().decode(errors="replace")
        return refusal(
            response.status_code,
            response.headers,
            self.hide(text),
            now=time.time(),
            has_key=self._secret is not None,
        )

    def _error(self, failure: Failure, failed: int, wait: float) -> Exception:
        tried = f" ({failed} attempts)" if failed > 1 else ""
        asks = f"; it asks to wait {wait:.0f} seconds" if wait else ""
        return failure.kind(
            self.hide(failure.problem) + asks + tried,
            fix=failure.fix,
            where=self.remote.host,
        )


class _OutOfTimeError(httpx2.ReadTimeout):
    """The whole of an answer took too long, though its parts came."""


class _BoundedStream(httpx2.SyncByteStream):
    """Bytes of an answer, within the time and size that it may have."""

    def __init__(self, stream: httpx2.SyncByteStream, *, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > _MOST_BYTES:
                raise FailedAttempt(malformed(f"more than {_MOST_BYTES >> 20} MiB"))
            if time.monotonic() > self._deadline:
                raise _OutOfTimeError("the whole answer took too long")
            yield piece

    def close(self) -> None:
        self._stream.close()


def _bound(response: httpx2.Response) -> None:
    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = _BoundedStream(
        response.stream, deadline=response.request.extensions[_DEADLINE]
    )


def _written(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; half a surrogate pair, which that cannot hold, becomes `?`."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _headers(secret: Secret | None) -> dict[str, str]:
    """All that is told of this machine is in them."""
    told = {
        "User-Agent": f"groundtune/{__version__}",
        "Accept": f"application/json, {_EVENTS}",
    }
    return told | ({"Authorization": f"Bearer {secret.reveal()}"} if secret else {})


def only_event(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The one object of an answer that is no stream."""
    for event in events:
        return event
    raise FailedAttempt(broken_off())


def _events(response: httpx2.Response, sent: Sent) -> Iterator[dict[str, Any]]:
    """Objects of an answer: of each event, or the one where it is no stream."""
    for raw in _texts(response):
        try:
            value = json.loads(raw)
        except ValueError:
            raise FailedAttempt(malformed("no JSON")) from None
        if not isinstance(value, dict):
            raise FailedAttempt(malformed("JSON that is no object"))
        event = cast("dict[str, Any]", value)
        if event.get("error"):
            raise FailedAttempt(told_in_answer(event["error"]))
        usage = event.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("total_tokens"), int):
            sent.tokens = usage["total_tokens"]
        yield event


def _texts(response: httpx2.Response) -> Iterator[str]:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _EVENTS:
        yield response.read().decode(errors="replace")
        return
    for event in httpx2.EventSource(response, max_event_size=_MOST_BYTES):
        if event.data.strip() == _END:
            return
        if event.data:
            yield event.data
