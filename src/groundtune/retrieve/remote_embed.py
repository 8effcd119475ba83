"""An embedder behind an endpoint: `URL#NAME`, on the embeddings route.

Vectors are scaled to length 1, as those of every embedder. The name that stamps an
index is the model with its address: what another address calls by the same name may be
another model.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from groundtune.core.errors import ModelLoadError
from groundtune.store.models import open_model
from groundtune.store.remote.answering import check_model
from groundtune.store.remote.client import EndpointClient, only_event
from groundtune.store.remote.estimate import PASSAGE_LETTERS, EstimatedTokenizer
from groundtune.store.remote.failures import FailedAttempt, malformed
from groundtune.store.remote.keys import find_key
from groundtune.store.remote.settings import open_remote_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Tokenizer

DEFAULT_MAX_TOKENS = 512
"""Tokens of a text where the settings state no `context`: what nearly all take."""
_MOST_TOKENS_A_LETTER = 4
_PROBE = "What is this about?"
"""A text whose vector says how long vectors are."""
_EMPTY = " "
"""Stands for a text without characters, which endpoints refuse."""


class RemoteEmbedder:
    """See `core.protocols.Embedder`. May be shared between threads."""

    def __init__(self, client: EndpointClient, tokenizer: Tokenizer) -> None:
        self._client = client
        self._remote = client.remote
        self._tokenizer = tokenizer
        self._dim = client.remote.settings.dimensions

    @property
    def name(self) -> str:
        """See `Embedder.name`."""
        asked = self._remote.settings.dimensions
        return f"{self._remote.spec}@{asked}" if asked else self._remote.spec

    @property
    def dim(self) -> int:
        """See `Embedder.dim`; found out by asking once, unless settings state it."""
        if not self._dim:
            self._dim = self._ask((_PROBE,)).shape[1]
        return self._dim

    @property
    def tokenizer(self) -> Tokenizer:
        """The named folder's, or one that estimates."""
        return self._tokenizer

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._remote.settings.context or DEFAULT_MAX_TOKENS

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `Embedder.encode`.

        Raises:
            EndpointError: The endpoint failed.
            ModelLoadError: Its vectors have another length than before.
        """
        size = self._remote.settings.batch
        seen = [self._cut(text) for text in texts]
        batches = [seen[start : start + size] for start in range(0, len(seen), size)]
        parts = self._side_by_side(batches)
        if parts and not self._dim:
            self._dim = parts[0].shape[1]  # no need to ask for it
        for part_T_D in parts:
            if part_T_D.shape[1] != self.dim:
                raise ModelLoadError(
                    f"vectors have {part_T_D.shape[1]} dimensions, and had {self.dim}",
                    fix="check which model the endpoint serves under this name",
                    where=self._remote.spec,
                )
        return np.concatenate([np.empty((0, self.dim), np.float32), *parts])

    def _side_by_side(
        self, batches: Sequence[Sequence[str]]
    ) -> list[npt.NDArray[np.float32]]:
        if len(batches) < 2:
            return [self._ask(batch) for batch in batches]
        workers = min(self._remote.settings.concurrency, len(batches))
        with ThreadPoolExecutor(workers) as pool:
            try:
                return list(pool.map(self._ask, batches))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # one failure is enough
                raise

    def _cut(self, text: str) -> str:
        """As much of a text as the model sees: endpoints refuse what is longer."""
        most = self.max_tokens
        if len(text) * _MOST_TOKENS_A_LETTER <= most:
            return text or _EMPTY
        spans = self._tokenizer.offsets(text)
        return text if len(spans) <= most else text[: spans[most - 1].end]

    def _ask(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        body: dict[str, Any] = {
            "model": self._remote.name,
            "input": list(texts),
            "encoding_format": "float",
        }
        if asked := self._remote.settings.dimensions:
            body["dimensions"] = asked

        def read(events: Iterator[dict[str, Any]]) -> npt.NDArray[np.float32]:
            event = only_event(events)
            check_model(self._remote, event)
            return _unit_vectors(event.get("data"), count=len(texts))

        tokens = sum(len(self._tokenizer.encode(text)) for text in texts)
        return self._client.ask("/embeddings", body, read=read, tokens=tokens)


def open_remote_embedder(spec: str) -> RemoteEmbedder:
    """The embedder behind an endpoint. Asks nothing yet.

    Raises:
        ConfigError: The name or a setting is wrong, or the key may not be sent there.
        ModelLoadError: The tokenizer that the settings name is not here.
    """
    remote = open_remote_model(spec)
    client = EndpointClient(remote, secret=find_key(remote))
    if remote.settings.tokenizer:
        folder = open_model(remote.settings.tokenizer, kind="embedder", offline=True)
        return RemoteEmbedder(client, folder.tokenizer())
    return RemoteEmbedder(client, EstimatedTokenizer(PASSAGE_LETTERS))


def _unit_vectors(data: object, *, count: int) -> npt.NDArray[np.float32]:
    """Rows of length 1, in the order of the texts.

    Raises:
        FailedAttempt: They are not one vector of numbers for each text.
    """
    entries = cast("list[Any]", data) if isinstance(data, list) else []
    by_index: dict[int, Any] = {}
    for place, entry in enumerate(entries):
        index = entry.get("index", place) if isinstance(entry, dict) else None
        if isinstance(index, int):
            by_index[index] = entry.get("embedding")
    if len(entries) != count or by_index.keys() != set(range(count)):
        raise FailedAttempt(malformed(f"{len(entries)} vectors for {count} texts"))
    try:
        rows_T_D = np.array([by_index[n] for n in range(count)], np.float64)
    except (TypeError, ValueError):
        raise FailedAttempt(malformed("vectors that are none")) from None
    if rows_T_D.ndim != 2 or rows_T_D.shape[1] == 0:
        raise FailedAttempt(malformed("vectors that are none"))
    lengths_T = np.linalg.norm(rows_T_D, axis=1, keepdims=True)
    if not np.isfinite(lengths_T).all() or not lengths_T.all():
        raise FailedAttempt(malformed("a vector without a direction"))
    return (rows_T_D / lengths_T).astype(np.float32)
