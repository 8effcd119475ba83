"""How fast an endpoint may be asked, and how long to wait before asking again.

All clients of one address in a process share its pace: limits are the account's.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from groundtune.config.endpoint import RemoteModel
    from groundtune.store.remote.failures import Failure

_WINDOW_SECONDS = 60.0
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_BACK_OFF_SECONDS = 8.0
_JITTER = 0.5


def _spread() -> float:
    """A random share in [0, 1): clients that failed together come back apart."""
    import numpy as np

    return float(np.random.default_rng().random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, as functions, so that they can be others in a test."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    spread: Callable[[], float] = _spread


def back_off(failed: int, failure: Failure, clock: Clock) -> float:
    """Seconds to wait after attempt number `failed`, counted from 1.

    What the endpoint asked for goes first; else it doubles each time, up to 8 s, a
    quarter more or less.
    """
    if failure.wait_seconds is not None:
        return failure.wait_seconds
    doubled = min(_FIRST_WAIT_SECONDS * 2 ** (failed - 1), _LONGEST_BACK_OFF_SECONDS)
    return doubled * (1 + _JITTER * (clock.spread() - 0.5))


@dataclass(slots=True)
class Sent:
    """One request in the account of the last minute."""

    at: float
    tokens: int


@dataclass(slots=True, kw_only=True)
class Pace:
    """Bounds on what is asked of one address: at once, and in any 60 seconds."""

    concurrency: int
    requests: int = 0
    """In a minute; 0: as many as come."""
    tokens: int = 0
    """In a minute; 0: as many as come."""
    clock: Clock = field(default_factory=Clock)
    _recent: deque[Sent] = field(default_factory=deque[Sent], init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _room: threading.BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        self._room = threading.BoundedSemaphore(self.concurrency)

    @contextmanager
    def turn(self, tokens: int) -> Generator[Sent]:
        """Wait until a request of about `tokens` may go out, and hold its place.

        The account can be corrected by setting `tokens` of what is yielded. A request
        larger than the limit goes out when nothing else counts.
        """
        with self._room:
            yield self._enter(tokens)

    def _enter(self, tokens: int) -> Sent:
        while True:
            with self._lock:
                now = self.clock.now()
                while self._recent and now - self._recent[0].at >= _WINDOW_SECONDS:
                    self._recent.popleft()
                if self._fits(tokens):
                    sent = Sent(now, tokens)
                    self._recent.append(sent)
                    return sent
                wait = self._recent[0].at + _WINDOW_SECONDS - now
            self.clock.sleep(max(wait, 0.001))

    def _fits(self, tokens: int) -> bool:
        if not self._recent:
            return True
        if self.requests and len(self._recent) >= self.requests:
            return False
        used = sum(sent.tokens for sent in self._recent)
        return not self.tokens or used + tokens <= self.tokens


_PACES: dict[tuple[str, int, int, int], Pace] = {}
_PACES_LOCK = threading.Lock()


def shared_pace(remote: RemoteModel) -> Pace:
    """The pace of an address, the same for all that ask it under the same limits."""
    asked = remote.settings
    limits = (asked.concurrency, asked.requests_a_minute, asked.tokens_a_minute)
    with _PACES_LOCK:
        return _PACES.setdefault(
            (remote.url, *limits),
            Pace(concurrency=limits[0], requests=limits[1], tokens=limits[2]),
        )
