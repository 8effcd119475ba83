"""txtai as its documentation sets up a hybrid index with content.

- Reading and splitting: txtai takes texts, and cuts nothing by default, so an abstract
  is one passage.
- Storing: Faiss, its own BM25 and SQLite (`content`), saved to a folder. Content is on
  because a hit without its text cannot be put before a model; the others return it too.
- Embedding: sentence-transformers, the default batch of 32. txtai's other way, plain
  transformers, would read 512 tokens of each text where the model was trained on 256:
  slower.
- Searching: `hybrid`, a convex combination of BM25 and vectors, half and half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from txtai import Embeddings  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from pathlib import Path


class System:
    """See `worker.System`."""

    def __init__(self, model: Path) -> None:
        self._models: dict[str, Any] = {}
        self._embeddings: Any = Embeddings(
            path=str(model),
            method="sentence-transformers",
            hybrid=True,
            content=True,
            models=self._models,
        )

    def build(self, documents: Path, index: Path) -> int:
        """See `worker.System.build`."""
        files = sorted(documents.glob("*.txt"))
        texts = ((file.name, file.read_text(encoding="utf-8")) for file in files)
        self._embeddings.index(texts)
        self._embeddings.save(str(index))
        return self._embeddings.count()

    def open(self, index: Path) -> None:
        """See `worker.System.open`."""
        self._embeddings.load(str(index))

    def search(self, query: str, k: int) -> list[str]:
        """See `worker.System.search`."""
        return [hit["id"] for hit in self._embeddings.search(query, k)]
