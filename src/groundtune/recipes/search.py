"""The job `search`: passages for a query, out of a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.recipes.ingest import DEFAULT_EMBEDDER, open_embedding_model

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import Hit


def search(
    query: str,
    *,
    kb: Path,
    k: int = 10,
    model: str | Embedder = DEFAULT_EMBEDDER,
    where: str = "",
    settings: RetrievalSettings | None = None,
    progress: Progress = silent,
) -> list[Hit]:
    """Find the passages that most likely hold the answer to a query, best first.

    Args:
        query: A question, or words.
        kb: Folder of the knowledge base.
        k: Most hits to return.
        model: The embedding model that made the knowledge base.
        where: Which documents may be found, as `retrieve.filter` describes; empty: all.
        settings: How to rank; its own `k` does not count here. None: as it was chosen
            for this knowledge base.
        progress: Told about a model that has to be fetched.

    Raises:
        ConfigError: The query is empty, `k` below 1, or `where` is no filter.
        StoreError: There is no knowledge base, or another model made it.
        ModelLoadError: The model cannot be opened.
        DownloadError: The model is not here and cannot be fetched.
    """
    from groundtune.recipes.optimization.switching import embedder_of
    from groundtune.retrieve.filter import parse_filter
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.search import HybridRetriever
    from groundtune.retrieve.settings import read_settings

    if not query.strip():
        raise ConfigError("the query is empty", fix="say what to look for")
    if k < 1:
        raise ConfigError(f"k is {k}", fix="use at least 1 hit", where="search -k")
    # The cheap checks first: a wrong path or filter should not wait for a model.
    only = parse_filter(where) if where.strip() else None
    base = KnowledgeBase.open(kb)
    settings = settings or read_settings(kb)
    embedder = open_embedding_model(embedder_of(kb, model), progress=progress)
    return HybridRetriever(base, embedder, settings).search(query, k=k, where=only)
