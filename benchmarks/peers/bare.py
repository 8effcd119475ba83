"""An endpoint on loopback, and what it takes to answer a client that is no product."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator

_SECONDS = 60
"""For one answer."""


class Bare:
    """Nothing but HTTP, over a connection that was made before."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._http = http.client.HTTPConnection(
            parts.netloc, timeout=_SECONDS, blocksize=1 << 16
        )

    def last_asked(self) -> bytes:
        """What the fixed endpoint was last sent."""
        self._http.request("GET", f"{self._path}/asked")
        return self._http.getresponse().read()

    def first_word(self, request: bytes) -> float:
        """Seconds until the first letters of the answer to a request."""
        headers = {"Content-Type": "application/json"}
        self._http.close()  # some end what they do not hear of for a while
        self._http.connect()
        start = time.perf_counter()
        self._http.request("POST", f"{self._path}/chat/completions", request, headers)
        answer = self._http.getresponse()
        first = 0.0
        for line in answer:
            if first or not line.startswith(b"data: {"):
                continue
            choices = json.loads(line.removeprefix(b"data: "))["choices"]
            if choices and choices[0]["delta"].get("content"):
                first = time.perf_counter() - start
        # A model may have nothing to say.
        return first or time.perf_counter() - start


@contextmanager
def endpoint(*kind: str) -> Generator[str]:
    """The root of an endpoint of `endpoint.py`, which runs as long as wanted."""
    worker = Path(__file__).resolve().with_name("endpoint.py")
    with subprocess.Popen(
        [sys.executable, worker, *kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"the endpoint {kind[0]!r} did not start")
        try:
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
