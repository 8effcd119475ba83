"""Haystack's question answering pipeline over an endpoint, as its documentation has it.

Retrieval as in `haystack_system`, then `ChatPromptBuilder` with the template of its
first tutorial and `OpenAIChatGenerator` with a streaming callback. `dense` is that
tutorial's own pipeline: the embedding retriever alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ask_worker import MODEL_NAME
from haystack.components.builders import (  # pyright: ignore[reportMissingImports]
    ChatPromptBuilder,
)
from haystack.components.generators.chat import (  # pyright: ignore[reportMissingImports]
    OpenAIChatGenerator,
)
from haystack.dataclasses import (  # pyright: ignore[reportMissingImports]
    ChatMessage,
)
from haystack.utils import (  # pyright: ignore[reportMissingImports]
    Secret,
)
from haystack_system import System

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TEMPLATE = """
Given the following information, answer the question.

Context:
{% for document in documents %}
    {{ document.content }}
{% endfor %}

Question: {{question}}
Answer:
"""


class Asking(System):
    """See `ask_worker.Asking`."""

    def open_asking(
        self, index: Path, *, mode: str, k: int, url: str, tokens: int
    ) -> None:
        """See `ask_worker.Asking`."""
        used: Any = self._pipeline
        if used is not None:  # a component may be of one pipeline only
            used.remove_component("text_embedder")
        self.open(index)
        pipeline: Any = self._pipeline
        self._asked = "joiner" if mode == "hybrid" else "dense"
        self._k = k
        if mode != "hybrid":
            for name in ("joiner", "words"):
                pipeline.remove_component(name)
        self._on_text: Callable[[str], None] | None = None
        parts: dict[str, Any] = {
            "prompt_builder": ChatPromptBuilder(
                template=[ChatMessage.from_user(_TEMPLATE)], required_variables="*"
            ),
            "llm": OpenAIChatGenerator(
                api_key=Secret.from_token("none"),
                model=MODEL_NAME,
                api_base_url=url,
                streaming_callback=self._piece,
                generation_kwargs={"max_tokens": tokens, "temperature": 0},
            ),
        }
        for name, part in parts.items():
            pipeline.add_component(name, part)
        pipeline.connect(self._asked, "prompt_builder.documents")
        pipeline.connect("prompt_builder.prompt", "llm.messages")

    def ask(self, question: str, on_text: Callable[[str], None]) -> None:
        """See `ask_worker.Asking`."""
        self._on_text = on_text
        inputs: dict[str, Any] = {
            "text_embedder": {"text": question},
            "dense": {"top_k": self._k},
            "prompt_builder": {"question": question},
        }
        if self._asked == "joiner":
            inputs["words"] = {"query": question, "top_k": self._k}
            inputs["joiner"] = {"top_k": self._k}
        self._pipeline.run(inputs)

    def _piece(self, piece: Any) -> None:  # noqa: ANN401 (the library is not here)
        assert self._on_text is not None
        self._on_text(piece.content)
