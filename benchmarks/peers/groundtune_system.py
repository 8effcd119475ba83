"""groundtune as a person gets it: the public recipe and retriever, with defaults."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from groundtune.recipes.ingest import ingest, open_embedding_model
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from pathlib import Path


class System:
    """See `worker.System`."""

    def __init__(self, model: Path) -> None:
        # groundtune loads these in its first second of work, the others at once, before
        # the clock starts. Here they start alike.
        for library in ("lancedb", "pyarrow"):
            importlib.import_module(library)
        self._embedder = open_embedding_model(str(model))
        self._retriever: HybridRetriever | None = None

    def build(self, documents: Path, index: Path) -> int:
        """See `worker.System.build`."""
        report = ingest([documents], kb=index, model=self._embedder)
        assert not report.failed, report.failed[0]
        return report.passages

    def open(self, index: Path) -> None:
        """See `worker.System.open`."""
        kb = KnowledgeBase.open(index, embedder=self._embedder)
        self._retriever = HybridRetriever(kb, self._embedder)

    def search(self, query: str, k: int) -> list[str]:
        """See `worker.System.search`."""
        assert self._retriever is not None, "open comes first"
        hits = self._retriever.search(query, k=k)
        return [hit.passage.document for hit in hits]
