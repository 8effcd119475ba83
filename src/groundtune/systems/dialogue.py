"""A system that answers the last turn of a conversation from documents.

Rewrite, retrieve, augment, generate, cite: the answering itself is `arm`'s, what is
searched for is `follow_ups`'s. The same system serves `chat` and is measured.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from groundtune.augment.prompt import PROMPT_VERSION, PromptBuilder
from groundtune.augment.rewriting import RewritePromptBuilder, by_rules
from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import QaCase
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.narrow import NET
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.widen import widen_hits
from groundtune.systems.arm import Given, KnowledgeSystem
from groundtune.systems.build import open_narrower, read_style
from groundtune.systems.follow_ups import (
    HISTORY_TOKENS,
    ModelRewriter,
    TurnFinder,
    as_asked,
)
from groundtune.systems.generators import open_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.augment.rewriting import RewriteMode
    from groundtune.core.protocols import Engine
    from groundtune.core.values import Answer, DialogueCase, Hit
    from groundtune.retrieve.narrow import Narrower
    from groundtune.systems.build import SystemSpec
    from groundtune.systems.follow_ups import Rewrite, Turn


class DialogueSystem:
    """Answers the last turn of a conversation; the turns before say what it means."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        builder: PromptBuilder,
        finder: TurnFinder,
        *,
        k: int,
        max_tokens: int,
        narrower: Narrower | None = None,
        widen: Callable[[Sequence[Hit]], list[Hit]] = list,
    ) -> None:
        """Compose the parts.

        Args:
            name: As rows name it.
            engine: The generator.
            builder: Makes its prompts.
            finder: Reads a turn and finds its passages.
            k: Passages that the generator reads.
            max_tokens: Bound of an answer.
            narrower: Picks sentences of hits; for styles that read sentences.
            widen: What is done with the hits before they are read.
        """
        self._found: dict[str, list[Hit]] = {}
        self._system = KnowledgeSystem(
            name,
            engine,
            builder,
            evidence=Given(self._found),
            narrower=narrower,
            max_tokens=max_tokens,
        )
        self._finder = finder
        self._k = k
        self._widen = widen

    @property
    def name(self) -> str:
        """As rows name it."""
        return self._system.name

    def answer(
        self,
        case: DialogueCase,
        *,
        on_text: Callable[[str], None] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Answer:
        """Answer the last turn without looking at its accepted answers.

        Its citations and hits are those of this turn. Rewriting counts as retrieval in
        the timing.

        Args:
            case: Ends with the user's turn.
            on_text: Called with each piece of the answer as it is written.
            on_turn: Called with what is searched for, before the search.

        Raises:
            GenerationError: No answer could be produced.
        """
        start = time.perf_counter()
        turn = self._finder.read(case.messages)
        if on_turn is not None:
            on_turn(turn)
        self._found[case.id] = self._widen(self._finder.find(turn, k=self._k))
        prepared_ms = (time.perf_counter() - start) * 1000
        asked = QaCase(id=case.id, question=turn.shown, answers=())
        try:
            made = self._system.answer(asked, on_text=on_text)
        finally:
            del self._found[case.id]
        timing = replace(
            made.timing,
            retrieve_ms=prepared_ms,
            total_ms=(time.perf_counter() - start) * 1000,
        )
        return replace(made, timing=timing)


def build_dialogue(
    spec: SystemSpec,
    *,
    rewrite: RewriteMode = "rules",
    history_tokens: int = HISTORY_TOKENS,
) -> DialogueSystem:
    """Load everything that a spec with a knowledge base names, for conversations.

    Nothing is fetched from the network.

    Args:
        spec: As `build_system` takes it.
        rewrite: How a follow-up question is made to stand alone; `none`: it is not.
        history_tokens: Budget of the history, in tokens of the generator.

    Raises:
        GroundtuneError: A model or the knowledge base cannot be opened.
    """
    cache = Path(spec.cache) if spec.cache else None
    engine, template = open_generator(
        spec.model, prompt_version=PROMPT_VERSION, runtime=spec.runtime, cache=cache
    )
    style = read_style(spec.style)
    builder = PromptBuilder(template, engine.tokenizer, style=style)
    embedder = open_named_embedder(spec.embedder, cache=cache, offline=True)
    kb = KnowledgeBase.open(Path(spec.kb), embedder=embedder)
    settings = RetrievalSettings(**spec.retrieval)
    # Two lists are joined by passage, so passages are widened afterwards.
    narrow = replace(settings, widen="none")
    where = parse_filter(spec.where) if spec.where.strip() else None
    writer = RewritePromptBuilder(template, engine.tokenizer)
    rewrites: dict[RewriteMode, Rewrite] = {
        "none": as_asked,
        "rules": by_rules,
        "model": ModelRewriter(engine, writer),
    }
    finder = TurnFinder(
        HybridRetriever(kb, embedder, narrow, where=where),
        engine.tokenizer,
        rewrite=rewrites[rewrite],
        history_tokens=history_tokens,
    )
    return DialogueSystem(
        spec.name,
        engine,
        builder,
        finder,
        k=max(settings.k, NET) if style.sentences else settings.k,
        max_tokens=spec.max_tokens,
        narrower=open_narrower(spec, embedder),
        widen=lambda hits: widen_hits(kb, hits, how=settings.widen),
    )
