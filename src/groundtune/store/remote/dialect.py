"""Which parameters an endpoint takes: learned from what it refuses.

Endpoints differ in what they know beside model and messages. Each optional parameter is
sent until the endpoint refuses it by name, and not again by the same client.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.store.remote.failures import Failure

_RENAMED = {"max_tokens": "max_completion_tokens"}
"""Models of OpenAI that reason take the second name alone."""
_OPTIONAL = ("stream_options", "seed", "temperature", "encoding_format", "stream")
_REFUSING = re.compile(
    r"unsupported|not supported|does not support|unknown|unrecogni[sz]ed|unexpected|"
    r"not permitted|not allowed|extra|invalid|forbidden",
    re.IGNORECASE,
)
_STATUSES = {400, 422}


class Dialect:
    """What one endpoint has refused so far. May be shared between threads."""

    def __init__(self) -> None:
        self._refused = set[str]()
        self._lock = threading.Lock()

    @property
    def refused(self) -> frozenset[str]:
        """Parameters that are no longer sent under their usual name."""
        return frozenset(self._refused)

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body without what the endpoint refused, or with another name for it."""
        said: dict[str, Any] = {}
        for name, value in body.items():
            if name not in self._refused:
                said[name] = value
            elif name in _RENAMED:
                said[_RENAMED[name]] = value
        if "stream" not in said:
            said.pop("stream_options", None)
        return said

    def learn(self, sent: Mapping[str, Any], failure: Failure) -> bool:
        """Take up a refusal; False if it blames nothing that could be left out.

        Args:
            sent: The body as it was spoken.
            failure: What came back.
        """
        if failure.status not in _STATUSES:
            return False
        for name in (*_RENAMED, *_OPTIONAL):
            if name in sent and _blames(failure, name):
                with self._lock:
                    self._refused.add(name)
                return True
        return False


def _blames(failure: Failure, name: str) -> bool:
    if failure.param:
        return failure.param.partition(".")[0] == name
    named = re.search(rf"(?<!\w){name}(?!\w)", failure.detail)
    return named is not None and _REFUSING.search(failure.detail) is not None
