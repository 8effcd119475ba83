"""LlamaIndex's query engine over an endpoint, as its documentation has it.

Retrieval as in `llamaindex_system`, below a `RetrieverQueryEngine` that streams, with
its default response mode; `OpenAILike` is its client for endpoints other than OpenAI's.
`dense` is `index.as_query_engine(streaming=True)`, what its first example shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ask_worker import MODEL_NAME
from llama_index.core import Settings  # pyright: ignore[reportMissingImports]
from llama_index.core.query_engine import (  # pyright: ignore[reportMissingImports]
    RetrieverQueryEngine,
)
from llama_index.llms.openai_like import (  # pyright: ignore[reportMissingImports]
    OpenAILike,
)
from llamaindex_system import System, hybrid_retriever

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Asking(System):
    """See `ask_worker.Asking`."""

    def open_asking(
        self, index: Path, *, mode: str, k: int, url: str, tokens: int
    ) -> None:
        """See `ask_worker.Asking`."""
        self.open(index)
        Settings.llm = OpenAILike(
            model=MODEL_NAME,
            api_base=url,
            api_key="none",
            is_chat_model=True,
            context_window=4096,
            max_tokens=tokens,
            temperature=0,
        )
        self._engine: Any
        if mode == "dense":
            self._engine = self._vectors.as_query_engine(
                streaming=True, similarity_top_k=k
            )
        else:
            self._engine = RetrieverQueryEngine.from_args(
                hybrid_retriever(self._vectors, self._words, k), streaming=True
            )

    def ask(self, question: str, on_text: Callable[[str], None]) -> None:
        """See `ask_worker.Asking`."""
        for piece in self._engine.query(question).response_gen:
            on_text(piece)
