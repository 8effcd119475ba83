"""groundtune as a person gets it, over an endpoint: the recipe `ask`, opened once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ask_worker import MODEL_NAME
from groundtune_system import System

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import QaCase
from groundtune.recipes.ask import open_ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.retrieval import SearchMode
    from groundtune.core.protocols import System as Arm


class Asking(System):
    """See `ask_worker.Asking`."""

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        self._model = str(model)
        self._arm: Arm | None = None

    def open_asking(
        self, index: Path, *, mode: SearchMode, k: int, url: str, tokens: int
    ) -> None:
        """See `ask_worker.Asking`. The endpoint ends its answers at `tokens` itself."""
        del tokens
        self._arm = open_ask(
            kb=index,
            model=f"{url}#{MODEL_NAME}",
            embedder=self._model,
            settings=RetrievalSettings(mode=mode, k=k),
        )

    def ask(self, question: str, on_text: Callable[[str], None]) -> None:
        """See `ask_worker.Asking`."""
        assert self._arm is not None, "open comes first"
        case = QaCase(id="ask", question=question, answers=())
        self._arm.answer(case, on_text=on_text)
