"""A small embedder without a model, and the real one. Child processes load this too."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.config.splitter import SplitterSettings
from groundtune.core.values import Document, Span
from groundtune.retrieve.index import KnowledgeBase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.retrieve.embed import OpenVinoEmbedder

SPLITTER = SplitterSettings(target=20, maximum=24, minimum=2)
"""Small, so that short texts have several passages."""


class WordTokenizer:
    """Words and marks as tokens."""

    def encode(self, text: str) -> list[int]:
        return [zlib.crc32(text[a:b].lower().encode()) for a, b in self.offsets(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(r"\w+|[^\w\s]", text)]


class WordEmbedder:
    """Adds up a fixed random direction for each word. Counts what it embeds."""

    max_tokens = 256

    def __init__(self, *, name: str = "words@0", dim: int = 64) -> None:
        self.name = name
        self.dim = dim
        self.tokenizer = WordTokenizer()
        self.embedded = 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.embedded += len(texts)
        rows = np.zeros((len(texts), self.dim), np.float32)
        for number, text in enumerate(texts):
            words = [0, *self.tokenizer.encode(text)]
            total = sum(_direction(word, self.dim) for word in words)
            rows[number] = total / np.linalg.norm(total)
        return rows


@lru_cache(maxsize=10_000)
def _direction(word: int, dim: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(word).standard_normal(dim)


def make_document(name: str, *paragraphs: str, title: str = "") -> Document:
    return Document(
        id=name, text="\n\n".join(paragraphs), title=title, metadata={"path": name}
    )


def open_base(path: Path, embedder: WordEmbedder | None = None) -> KnowledgeBase:
    return KnowledgeBase.create_or_open(
        path, embedder=embedder or WordEmbedder(), splitter=SPLITTER
    )


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def kb(tmp_path: Path, embedder: WordEmbedder) -> KnowledgeBase:
    return open_base(tmp_path / "kb", embedder)


@pytest.fixture
def document() -> Callable[..., Document]:
    """Makes a document of paragraphs."""
    return make_document


@pytest.fixture
def other_embedder() -> type[WordEmbedder]:
    """Makes embedders of another name or size."""
    return WordEmbedder


@pytest.fixture
def open_words() -> Callable[[Path], KnowledgeBase]:
    """Opens a knowledge base with the small embedder."""
    return open_base


@pytest.fixture(scope="session")
def minilm() -> OpenVinoEmbedder:
    """The default embedder, fetched once into the person's cache."""
    from groundtune.retrieve.embed import open_embedder
    from groundtune.store.models import open_model

    return open_embedder(open_model("all-minilm-l6-v2", kind="embedder"))
