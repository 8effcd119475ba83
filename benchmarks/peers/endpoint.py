"""An OpenAI-compatible endpoint on loopback, in a process of its own.

    endpoint.py fixed       answers the same words at once, and keeps what was asked
    endpoint.py llama GGUF THREADS
                            llama.cpp's server, with a model, no memory of prompts

Prints the root of its API and runs until its standard input is closed. What the fixed
one was last asked stands at `/v1/asked`: the benchmark sends it again by itself.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

from ask_worker import MODEL_NAME

_PIECES = ("The ", "passages ", "say ", "so ", "[1].")
_CONTEXT = 4096


class Fixed(BaseHTTPRequestHandler):
    """Streams the same answer to every prompt."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked: bytes = b"{}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: whoever asks is being timed."""

    def do_GET(self) -> None:
        """Tell what was last asked; to whoever wants models, that none are listed."""
        content = b'{"data": []}'
        if self.path == "/v1/asked":
            content = Fixed.asked
        self._begin("application/json", {"Content-Length": str(len(content))})
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Answer, and remember the question."""
        Fixed.asked = self.rfile.read(int(self.headers["Content-Length"]))
        self._begin("text/event-stream", {"Transfer-Encoding": "chunked"})
        base = {"id": "1", "object": "chat.completion.chunk", "created": 1}
        for number, piece in enumerate((*_PIECES, "")):
            role = {} if number else {"role": "assistant"}
            choice = {
                "index": 0,
                "delta": {**role, "content": piece} if piece else {},
                "finish_reason": None if piece else "stop",
            }
            event = {**base, "model": MODEL_NAME, "choices": [choice]}
            self._part(f"data: {json.dumps(event)}\n\n".encode())
        self._part(b"data: [DONE]\n\n")
        self._part(b"")

    def _begin(self, kind: str, headers: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _part(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")


def fixed() -> tuple[Any, str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fixed)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/v1"


def llama(gguf: str, threads: int) -> tuple[Any, str]:
    library: Any = import_module("xllamacpp")
    settings = library.CommonParams()
    settings.model.path = gguf
    settings.model_alias = {MODEL_NAME}
    settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = _CONTEXT, 1, 0
    settings.warmup, settings.ui, settings.verbosity = False, False, -1
    for pool in (settings.cpuparams, settings.cpuparams_batch):
        # More threads than processors would wait for each other in a loop.
        pool.poll, pool.n_threads = 0, threads
    # Every prompt is read anew: who asks second gains nothing.
    settings.cache_prompt, settings.cache_ram_mib = False, 0
    server = library.Server(settings)
    return server, f"{server.listening_address}/v1"


def main() -> None:
    kind, *more = sys.argv[1:]
    server, url = fixed() if kind == "fixed" else llama(more[0], int(more[1]))
    print(url, flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
