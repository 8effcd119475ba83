"""LlamaIndex as its documentation sets up hybrid retrieval in one process.

- Reading and splitting: `SimpleDirectoryReader` and the default sentence splitter
  (1,024 tokens), so an abstract is one passage.
- Storing: the default vector and document stores, in memory, persisted to a folder.
- Embedding: `HuggingFaceEmbedding` on sentence-transformers, its default batch of 10.
- Searching: the vector index and `BM25Retriever` (with stemming, persisted) below a
  `QueryFusionRetriever`, joined by reciprocal rank as its documentation has it. One
  query, because more would ask a language model for variants; no async, because there
  is nothing to wait for and an event loop only costs time.

The reader would by default embed the full path of each file with its text. Only the
file name is handed over, which it leaves out of the embedding: better for LlamaIndex.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core import (  # pyright: ignore[reportMissingImports]
    Settings,
    SimpleDirectoryReader,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.llms import MockLLM  # pyright: ignore[reportMissingImports]
from llama_index.core.retrievers import (  # pyright: ignore[reportMissingImports]
    QueryFusionRetriever,
)
from llama_index.embeddings.huggingface import (  # pyright: ignore[reportMissingImports]
    HuggingFaceEmbedding,
)
from llama_index.retrievers.bm25 import (  # pyright: ignore[reportMissingImports]
    BM25Retriever,
)

_BM25 = "bm25"


def _name_only(path: str) -> dict[str, str]:
    return {"file_name": Path(path).name}


def hybrid_retriever(vectors: Any, words: Any, k: int) -> Any:  # noqa: ANN401 (the library is not in this environment)
    """What finds `k` passages by words and vectors."""
    words.similarity_top_k = k
    return QueryFusionRetriever(
        [vectors.as_retriever(similarity_top_k=k), words],
        mode="reciprocal_rerank",
        similarity_top_k=k,
        num_queries=1,
        use_async=False,
    )


class System:
    """See `worker.System`."""

    def __init__(self, model: Path) -> None:
        Settings.embed_model = HuggingFaceEmbedding(model_name=str(model))
        # Never asked: the fusion retriever wants one to be there.
        Settings.llm = MockLLM()
        self._vectors: Any = None
        self._words: Any = None
        self._retriever: Any = None
        self._k = 0

    def build(self, documents: Path, index: Path) -> int:
        """See `worker.System.build`."""
        reader: Any = SimpleDirectoryReader(str(documents), file_metadata=_name_only)
        made: Any = VectorStoreIndex.from_documents(reader.load_data())
        made.storage_context.persist(str(index))
        words: Any = BM25Retriever.from_defaults(docstore=made.docstore)
        words.persist(str(index / _BM25))
        return len(made.docstore.docs)

    def open(self, index: Path) -> None:
        """See `worker.System.open`."""
        context: Any = StorageContext.from_defaults(persist_dir=str(index))
        self._vectors = load_index_from_storage(context)
        self._words = BM25Retriever.from_persist_dir(str(index / _BM25))

    def search(self, query: str, k: int) -> list[str]:
        """See `worker.System.search`."""
        if k != self._k:
            self._retriever = hybrid_retriever(self._vectors, self._words, k)
            self._k = k
        hits: Any = self._retriever.retrieve(query)
        return [hit.node.metadata["file_name"] for hit in hits]
