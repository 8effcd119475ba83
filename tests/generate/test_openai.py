"""The endpoint engine against a real HTTP server that speaks the protocol."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import ConfigError, GenerationError
from groundtune.generate.engines import EngineOptions, open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.core.protocols import Engine
    from groundtune.store.models import ModelFolder

KEY = "sk-secret"


@dataclass
class Endpoint:
    """An OpenAI-compatible server of canned pieces, with switches for trouble."""

    url: str = ""
    pieces: tuple[str, ...] = ("Par", "is ", "[1]")
    streams: bool = True
    trouble: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def handler_of(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            endpoint.asked.append(json.loads(self.rfile.read(size)))
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                said = self.headers.get("Authorization")
                self.answer(401, json.dumps({"error": f"bad key: {said}"}))
            elif self.path != "/v1/completions":
                self.answer(404, "{}")
            elif endpoint.trouble == "slow":
                time.sleep(1)
                self.answer(200, "{}")
            elif endpoint.trouble == "not json":
                self.answer(200, "<html>")
            elif endpoint.trouble == "error":
                self.answer(200, '{"error": {"message": "overloaded"}}')
            elif endpoint.streams:
                self.stream()
            else:
                choice = {"text": "".join(endpoint.pieces), "finish_reason": "stop"}
                self.answer(200, json.dumps({"choices": [choice]}))

        def answer(
            self, status: int, body: str, kind: str = "application/json"
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body.encode())

        def stream(self) -> None:
            events: list[dict[str, Any]] = [
                {"choices": [{"text": piece}]} for piece in endpoint.pieces
            ]
            usage = {"prompt_tokens": 11, "completion_tokens": 3}
            events.append({"choices": [], "usage": usage})
            lines = [f"data: {json.dumps(event)}\n\n" for event in events]
            if endpoint.trouble != "broken off":
                lines.append("data: [DONE]\n\n")
            body = ": a comment\n\n" + "".join(lines)
            self.answer(200, body, "text/event-stream")

    return Handler


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made))
    server.daemon_threads = False
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def engine_at(url: str, model: ModelFolder, *, key: str = KEY) -> Engine:
    options = EngineOptions(url=url, key=key, remote_model="big", timeout_seconds=0.4)
    return open_engine(model, runtime="openai", options=options)


def test_an_answer_is_streamed(
    endpoint: Endpoint, generator_model: ModelFolder
) -> None:
    engine = engine_at(endpoint.url, generator_model)
    prompt = "<|im_start|>user\nCapital of France?<|im_end|>\n"
    pieces: list[str] = []

    made = engine.generate(
        engine.tokenizer.encode(prompt), max_tokens=9, on_text=pieces.append
    )

    assert made.text == "Paris [1]"
    assert pieces == ["Par", "is ", "[1]"]
    assert (made.usage.prompt_tokens, made.usage.output_tokens) == (11, 3)
    assert 0 < made.first_token_ms <= made.total_ms
    (asked,) = endpoint.asked
    assert asked["prompt"] == prompt
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("big", 9, 0)


def test_an_endpoint_that_does_not_stream_is_understood(
    endpoint: Endpoint, generator_model: ModelFolder
) -> None:
    endpoint.streams = False

    made = engine_at(endpoint.url, generator_model).generate([5, 6], max_tokens=9)

    assert made.text == "Paris [1]"
    assert made.usage.prompt_tokens == 2
    assert made.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("trouble", "match"),
    [
        ("slow", r"no answer within 0\.4 seconds"),
        ("not json", "sent no JSON"),
        ("error", "overloaded"),
        ("broken off", "broke off"),
    ],
)
def test_trouble_is_a_generation_error(
    endpoint: Endpoint, generator_model: ModelFolder, trouble: str, match: str
) -> None:
    endpoint.trouble = trouble

    with pytest.raises(GenerationError, match=match):
        engine_at(endpoint.url, generator_model).generate([5], max_tokens=9)


def test_a_wrong_key_is_refused_and_never_shown(
    endpoint: Endpoint, generator_model: ModelFolder
) -> None:
    engine = engine_at(endpoint.url, generator_model, key="sk-wrong")

    with pytest.raises(GenerationError) as caught:
        engine.generate([5], max_tokens=9)

    assert "answered 401" in caught.value.problem
    assert caught.value.fix == "check the key"
    assert "sk-wrong" not in str(caught.value)
    assert "sk-wrong" not in repr(EngineOptions(key="sk-wrong")) + engine.name


def test_a_wrong_path_says_what_to_check(
    endpoint: Endpoint, generator_model: ModelFolder
) -> None:
    wrong = endpoint.url.replace("/v1", "/v2")

    with pytest.raises(GenerationError, match="answered 404") as caught:
        engine_at(wrong, generator_model).generate([5], max_tokens=9)

    assert "check the URL" in caught.value.fix


def test_nobody_there_says_so(generator_model: ModelFolder) -> None:
    with pytest.raises(GenerationError, match="cannot be reached"):
        engine_at("http://127.0.0.1:9/v1", generator_model).generate([5], max_tokens=1)


def test_an_endpoint_needs_a_url(generator_model: ModelFolder) -> None:
    with pytest.raises(ConfigError, match="URL is ''"):
        open_engine(generator_model, runtime="openai")
