"""A real HTTP server on loopback that speaks the protocol, and misbehaves on demand."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-secret-of-the-tests"

EVENTS = "text/event-stream"
RAW = {
    "html": (b"<html>busy</html>", "text/html"),
    "not json": (b"data: {not json\n\n", EVENTS),
    "no object": (b"data: [1]\n\n", EVENTS),
    "no choices": (b'data: {"choices": "three"}\n\n', EVENTS),
    "no text": (b'data: {"choices": [{"delta": {"content": 3}}]}\n\n', EVENTS),
    "error event": (b'data: {"error": {"message": "overloaded"}}\n\n', EVENTS),
}


@dataclass
class Endpoint:
    """What the server says, and in which order it fails before it says it."""

    url: str = ""
    model: str = "big"
    pieces: tuple[str, ...] = ("Par", "is ", "[1]")
    answer: Callable[[dict[str, Any]], str] | None = None
    """Makes the answer of a request; None: `pieces`."""
    troubles: list[str] = field(default_factory=list[str])
    """Taken from the front, one a request; none left: it answers."""
    refuses: tuple[str, ...] = ()
    """Parameters that it does not know."""
    retry_after: str = "0"
    streams: bool = True
    tells_usage: bool = True
    models: list[dict[str, Any]] | None = None
    key: str = ""
    """Asked for where it is not empty."""
    gate: threading.Event = field(default_factory=threading.Event)
    """What hangs waits for it."""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    at_once: int = 0
    most_at_once: int = 0

    def spec(self, query: str = "", name: str = "") -> str:
        """The model's name, as a person would write it."""
        return f"{self.url}{'?' if query else ''}{query}#{name or self.model}"


def vector_of(text: str) -> list[float]:
    """Counts of letters: alike for texts that are alike, and never of length 1."""
    counts = [float(text.lower().count(letter)) for letter in "etaoinshrdlu"]
    return [count + 0.5 for count in counts]


def handler_of(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        is_counted = False

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

        def do_GET(self) -> None:
            if self.path != "/v1/models" or endpoint.models is None:
                self.send(404, {"error": {"message": "no such route"}})
            else:
                self.send(200, {"data": endpoint.models})

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(size))
            with lock:
                endpoint.asked.append(body)
                endpoint.headers.append(dict(self.headers.items()))
                trouble = endpoint.troubles.pop(0) if endpoint.troubles else ""
                endpoint.at_once += 1
                endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
            self.is_counted = True
            try:
                self.respond(body, trouble)
            finally:
                self.count_out()

        def count_out(self) -> None:
            """Before the last bytes: who has them may ask again at once."""
            with lock:
                endpoint.at_once -= self.is_counted
                self.is_counted = False

        def respond(self, body: dict[str, Any], trouble: str) -> None:
            said = self.headers.get("Authorization", "")
            unknown = [name for name in endpoint.refuses if name in body]
            if endpoint.key and said != f"Bearer {endpoint.key}":
                self.send(401, {"error": {"message": f"bad api key: {said}"}})
            elif trouble:
                self.misbehave(trouble, body)
            elif unknown:
                message = f"Unsupported parameter: '{unknown[0]}' is not supported."
                self.send(400, {"error": {"message": message}})
            elif self.path == "/v1/embeddings":
                self.embed(body)
            elif self.path in {"/v1/chat/completions", "/v1/completions"}:
                self.write(body)
            else:
                self.send(404, {"error": {"message": "no such route"}})

        def misbehave(self, trouble: str, body: dict[str, Any]) -> None:
            if trouble.isdigit():
                self.send(int(trouble), {"error": {"message": f"trouble {trouble}"}})
            elif trouble == "silence":
                endpoint.gate.wait(5)
                self.close_connection = True
            elif trouble in RAW:
                self.raw(*RAW[trouble])
            elif trouble == "no end":
                self.write(body, until=1)
            elif trouble == "half":
                self.write(body, until=1, cut=True)
            elif trouble == "stall":
                self.write(body, until=1, hang=True)
            elif trouble == "drip":
                self.drip()
            elif trouble == "other model":
                self.write(body, model="small")
            elif trouble == "other words":
                self.write(body, pieces=("Rome", "!"))
            elif trouble == "nothing":
                self.close_connection = True
            else:
                raise AssertionError(trouble)

        def send(self, status: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status in {429, 503}:
                self.send_header("Retry-After", endpoint.retry_after)
            self.end_headers()
            self.count_out()
            with suppress(ConnectionError):
                self.wfile.write(content)

        def raw(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def embed(self, body: dict[str, Any]) -> None:
            data = [
                {"index": n, "embedding": vector_of(text)}
                for n, text in enumerate(body["input"])
            ]
            data.reverse()  # the protocol promises an index, and no order
            self.send(200, {"model": endpoint.model, "data": data})

        def write(
            self,
            body: dict[str, Any],
            *,
            until: int | None = None,
            cut: bool = False,
            hang: bool = False,
            model: str = "",
            pieces: tuple[str, ...] = (),
        ) -> None:
            is_chat = "messages" in body
            said = endpoint.answer(body) if endpoint.answer else None
            parts = pieces or (endpoint.pieces if said is None else (said,))
            usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
            name = model or endpoint.model
            if not endpoint.streams or "stream" not in body:
                text = "".join(parts)
                part = {"message": {"content": text}} if is_chat else {"text": text}
                choice = {**part, "finish_reason": "stop"}
                whole = {"model": name, "choices": [choice], "usage": usage}
                self.send(200, whole)
                return
            events: list[dict[str, Any]] = []
            for piece in parts[:until]:
                part = {"delta": {"content": piece}} if is_chat else {"text": piece}
                events.append({"choices": [{**part, "finish_reason": None}]})
            if until is None:
                part = {"delta": {}} if is_chat else {"text": ""}
                end = "stop" if "".join(parts) else "length"
                events.append({"choices": [{**part, "finish_reason": end}]})
                if endpoint.tells_usage:
                    events.append({"choices": [], "usage": usage})
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.part(b": a sign of life\n\n")
            for event in events:
                self.part(f"data: {json.dumps({'model': name, **event})}\n\n".encode())
            if hang:
                endpoint.gate.wait(5)
            if hang or cut:
                self.close_connection = True
                return
            if until is None:
                self.count_out()
                self.part(b"data: [DONE]\n\n")
            self.part(b"")

        def part(self, content: bytes) -> None:
            with suppress(ConnectionError):
                self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

        def drip(self) -> None:
            """Signs of life without end, and no word."""
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.close_connection = True
            until = time.monotonic() + 5
            with suppress(ConnectionError):
                while time.monotonic() < until and not endpoint.gate.wait(0.02):
                    self.wfile.write(b": still here\n\n")

    return Handler


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    server = QuietServer(("127.0.0.1", 0), handler_of(made))
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    yield made
    made.gate.set()
    server.shutdown()
    thread.join()
    server.socket.close()


@pytest.fixture(autouse=True)
def no_keys_or_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the keys nor the endpoints of whoever runs them."""
    for name in ("GROUNDTUNE_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROUNDTUNE_ENDPOINTS", str(tmp_path / "endpoints.toml"))
