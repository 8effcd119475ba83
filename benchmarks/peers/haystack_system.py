"""Haystack as its documentation sets up a hybrid retrieval pipeline in one process.

- Reading and splitting: `TextFileToDocument`, `DocumentCleaner` and `DocumentSplitter`
  with their defaults (passages of 200 words).
- Storing: `InMemoryDocumentStore`, saved to a file as its documentation shows.
- Embedding: the sentence-transformers embedders with their default batch of 32.
- Searching: its BM25 and embedding retrievers, joined by `DocumentJoiner` with
  reciprocal rank fusion, as in its tutorial on hybrid retrieval. The reranker of that
  tutorial is left out: it is another model, many times slower than all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haystack import Pipeline  # pyright: ignore[reportMissingImports]
from haystack.components.converters import (  # pyright: ignore[reportMissingImports]
    TextFileToDocument,
)
from haystack.components.joiners import (  # pyright: ignore[reportMissingImports]
    DocumentJoiner,
)
from haystack.components.preprocessors import (  # pyright: ignore[reportMissingImports]
    DocumentCleaner,
    DocumentSplitter,
)
from haystack.components.retrievers.in_memory import (  # pyright: ignore[reportMissingImports]
    InMemoryBM25Retriever,
    InMemoryEmbeddingRetriever,
)
from haystack.components.writers import (  # pyright: ignore[reportMissingImports]
    DocumentWriter,
)
from haystack.document_stores.in_memory import (  # pyright: ignore[reportMissingImports]
    InMemoryDocumentStore,
)
from haystack_integrations.components.embedders.sentence_transformers import (  # pyright: ignore[reportMissingImports]
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

if TYPE_CHECKING:
    from pathlib import Path

_STORE = "store.json"


def _joined(components: dict[str, Any], links: list[tuple[str, str]]) -> Any:  # noqa: ANN401 (the library is not in this environment)
    pipeline: Any = Pipeline()
    for name, component in components.items():
        pipeline.add_component(name, component)
    for sender, receiver in links:
        pipeline.connect(sender, receiver)
    return pipeline


class System:
    """See `worker.System`."""

    def __init__(self, model: Path) -> None:
        options = {"model": str(model), "local_files_only": True, "progress_bar": False}
        self._document_embedder: Any = SentenceTransformersDocumentEmbedder(**options)
        self._text_embedder: Any = SentenceTransformersTextEmbedder(**options)
        # Opened now, as every system's model is; both embedders share one copy of it.
        self._document_embedder.warm_up()
        self._text_embedder.warm_up()
        self._pipeline: Any = None

    def build(self, documents: Path, index: Path) -> int:
        """See `worker.System.build`."""
        store: Any = InMemoryDocumentStore()
        pipeline = _joined(
            {
                "converter": TextFileToDocument(),
                "cleaner": DocumentCleaner(),
                "splitter": DocumentSplitter(),
                "embedder": self._document_embedder,
                "writer": DocumentWriter(document_store=store),
            },
            [
                ("converter", "cleaner"),
                ("cleaner", "splitter"),
                ("splitter", "embedder"),
                ("embedder", "writer"),
            ],
        )
        sources = sorted(documents.glob("*.txt"))
        pipeline.run({"converter": {"sources": sources}})
        index.mkdir(parents=True, exist_ok=True)
        store.save_to_disk(str(index / _STORE))
        return store.count_documents()

    def open(self, index: Path) -> None:
        """See `worker.System.open`."""
        store: Any = InMemoryDocumentStore.load_from_disk(str(index / _STORE))
        self._pipeline = _joined(
            {
                "text_embedder": self._text_embedder,
                "dense": InMemoryEmbeddingRetriever(document_store=store),
                "words": InMemoryBM25Retriever(document_store=store),
                "joiner": DocumentJoiner(join_mode="reciprocal_rank_fusion"),
            },
            [
                ("text_embedder.embedding", "dense.query_embedding"),
                ("dense", "joiner"),
                ("words", "joiner"),
            ],
        )

    def search(self, query: str, k: int) -> list[str]:
        """See `worker.System.search`."""
        found = self._pipeline.run(
            {
                "text_embedder": {"text": query},
                "dense": {"top_k": k},
                "words": {"query": query, "top_k": k},
                "joiner": {"top_k": k},
            }
        )
        return [hit.meta["file_path"] for hit in found["joiner"]["documents"]]
