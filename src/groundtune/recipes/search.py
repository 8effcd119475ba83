"""The job `search`: passages for a query, out of a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import Hit


def search(
    query: str,
    *,
    kb: Path,
    k: int = 10,
    model: str | Embedder = DEFAULT_EMBEDDER,
    settings: RetrievalSettings | None = None,
    progress: Progress = silent,
) -> list[Hit]:
    """Find the passages that most likely hold the answer to a query, best first.

    Args:
        query: A question, or words.
        kb: Folder of the knowledge base.
        k: Most hits to return.
        model: The embedding model that made the knowledge base.
        settings: How to rank; its own `k` does not count here.
        progress: Told about a model that has to be fetched.

    Raises:
        ConfigError: The query is empty or `k` below 1.
        StoreError: There is no knowledge base, or another model made it.
        ModelLoadError: The model cannot be opened.
        DownloadError: The model is not here and cannot be fetched.
    """
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.search import HybridRetriever

    if not query.strip():
        raise ConfigError("the query is empty", fix="say what to look for")
    if k < 1:
        raise ConfigError(f"k is {k}", fix="use at least 1 hit", where="search -k")
    # The cheap check first: a wrong path should not wait for a model.
    base = KnowledgeBase.open(kb)
    embedder = open_embedding_model(model, progress=progress)
    retriever = HybridRetriever(base, embedder, settings or RetrievalSettings())
    return retriever.search(query, k=k)
