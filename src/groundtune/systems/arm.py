"""An arm for knowledge tasks: evidence or none, weights published or tuned.

All four arms, and the diagnostics beside them, are this one class with other parts:
what differs is where evidence comes from and which weights answer. So a difference in
their scores is a difference in the parts, never in the code around them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from groundtune.augment.untrusted import as_passage
from groundtune.core.protocols import ChatEngine, Comparer, CopyingEngine
from groundtune.core.values import Answer, Timing
from groundtune.generate.citations import CHECK, ground
from groundtune.generate.echo import without_echo
from groundtune.retrieve.narrow import NET
from groundtune.tasks.qa import MAX_ANSWER_TOKENS, NOT_IN_DOCUMENTS, is_abstention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.augment.prompt import Prompt, PromptBuilder, PromptStyle
    from groundtune.core.protocols import Engine, Generation, Retriever
    from groundtune.core.values import Hit, QaCase
    from groundtune.retrieve.narrow import Narrower

_NOT_FOUND = "the documents hold nothing on this"
_DECLINED = "the model found no answer in the passages"


class EvidenceSource(Protocol):
    """Where the passages for a case come from."""

    def find(self, case: QaCase, *, least: int = 0) -> list[Hit]:
        """Evidence for one case, best first: `least` passages, or as many as set."""
        ...


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Evidence from the real retriever, by the question alone."""

    retriever: Retriever
    k: int

    def find(self, case: QaCase, *, least: int = 0) -> list[Hit]:
        """See `EvidenceSource.find`."""
        return self.retriever.search(case.question, k=max(self.k, least))

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """See `Comparer.likeness`; nothing where the retriever cannot tell."""
        one = self.retriever
        return one.likeness(text, others) if isinstance(one, Comparer) else []


@dataclass(frozen=True, slots=True)
class Given:
    """Evidence chosen beforehand, by case id: the diagnostics' way in."""

    hits: Mapping[str, Sequence[Hit]]

    def find(self, case: QaCase, *, least: int = 0) -> list[Hit]:  # noqa: ARG002
        """See `EvidenceSource.find`; a case without any has no evidence."""
        return list(self.hits.get(case.id, ()))


class KnowledgeSystem:
    """Answers a question with an engine, from evidence where it has a source of it."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        builder: PromptBuilder,
        *,
        evidence: EvidenceSource | None = None,
        narrower: Narrower | None = None,
        max_tokens: int = MAX_ANSWER_TOKENS,
    ) -> None:
        """Compose the parts.

        Args:
            name: As rows name it.
            engine: The generator.
            builder: Makes its prompts, in a style.
            evidence: Where passages come from; None: it answers alone.
            narrower: Picks sentences of them; for styles that read sentences.
            max_tokens: Bound of an answer.
        """
        self._name = name
        self._engine = engine
        self._builder = builder
        self._evidence = evidence
        self._narrower = narrower
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        """As rows name it."""
        return self._name

    @property
    def can_copy(self) -> bool:
        """Whether its engine serves styles that copy."""
        return isinstance(self._engine, CopyingEngine)

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """See `Comparer.likeness`; nothing where there is no retriever."""
        source = self._evidence
        return source.likeness(text, others) if isinstance(source, Comparer) else []

    def with_style(self, style: PromptStyle) -> KnowledgeSystem:
        """The same system told what to do in another way; nothing is loaded again."""
        return KnowledgeSystem(
            self._name,
            self._engine,
            self._builder.with_style(style),
            evidence=self._evidence,
            narrower=self._narrower,
            max_tokens=self._max_tokens,
        )

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """See `System.answer`.

        Abstains without asking the model when there is a source of evidence and it
        finds nothing. A model's own refusal is an abstention too.
        """
        start = time.perf_counter()
        least = NET if self._builder.style.sentences else 0
        hits = self._evidence.find(case, least=least) if self._evidence else None
        shown = self._narrowed(case.question, hits)
        retrieved = time.perf_counter()
        retrieve_ms = (retrieved - start) * 1000 if self._evidence else 0.0
        if hits is not None and not hits:
            timing = Timing(retrieve_ms=retrieve_ms, total_ms=retrieve_ms)
            return Answer(text="", abstained=True, reason=_NOT_FOUND, timing=timing)
        budget = self._engine.context_length - self._max_tokens
        prompt = self._builder.build(case.question, shown, budget=budget)
        made = self._generate(case.question, prompt, on_text)
        text, citations, unsupported = without_echo(made.text.strip()), (), ()
        abstained = is_abstention(text)
        if prompt.hits and not abstained:
            text, citations, unsupported = ground(text, prompt.hits)
        return Answer(
            text=text,
            citations=citations,
            hits=tuple(hits or ()),
            read=prompt.hits,
            abstained=abstained,
            reason=_DECLINED if abstained else "",
            unsupported=unsupported,
            check=CHECK if prompt.hits and not abstained else "",
            logprob=made.logprob,
            usage=made.usage,
            timing=Timing(
                retrieve_ms=retrieve_ms,
                first_token_ms=made.first_token_ms,
                total_ms=(time.perf_counter() - start) * 1000,
            ),
        )

    def _narrowed(
        self, question: str, hits: Sequence[Hit] | None
    ) -> Sequence[Hit] | None:
        """What of the hits is read."""
        sentences = self._builder.style.sentences
        if not hits or not sentences:
            return hits
        assert self._narrower is not None, "a style that reads sentences needs one"
        return self._narrower.nearest(question, hits, sentences=sentences)

    def _generate(
        self, question: str, prompt: Prompt, on_text: Callable[[str], None] | None
    ) -> Generation:
        engine, most = self._engine, self._max_tokens
        copies = self._builder.style.copies and prompt.hits
        if copies and isinstance(engine, CopyingEngine):
            return engine.copy(
                prompt.tokens,
                texts=[as_passage(hit.passage.text) for hit in prompt.hits],
                question=question,
                otherwise=NOT_IN_DOCUMENTS,
                max_tokens=most,
                on_text=on_text,
            )
        if isinstance(engine, ChatEngine):  # it has a template of its own
            return engine.chat(prompt.messages, max_tokens=most, on_text=on_text)
        return engine.generate(prompt.tokens, max_tokens=most, on_text=on_text)
