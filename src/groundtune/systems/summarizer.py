"""Systems that sum up: a document, or all that a knowledge base says of a topic.

Every sentence of a summary has its source. A model's summary is taken where the
documents bear it out; where they do not, or no model is named, the summary is made of
sentences of the documents, and says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from groundtune.config.retrieval import RetrievalSettings
from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError
from groundtune.core.protocols import silent
from groundtune.core.values import (
    Answer,
    Citation,
    Document,
    Hit,
    Span,
    Timing,
    Usage,
)
from groundtune.data.splitter import split_document
from groundtune.generate.citations import CHECK
from groundtune.generate.extractive import Wanted, extract
from groundtune.retrieve.embed import open_named_embedder
from groundtune.retrieve.filter import parse_filter
from groundtune.retrieve.fuse import diversify
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.search import HybridRetriever
from groundtune.systems.drafts import Drafter, Said
from groundtune.tasks.summarization import DEFAULT_WORDS, tolerance, within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.protocols import Embedder, Progress, Retriever
    from groundtune.core.values import SummaryCase
    from groundtune.systems.drafts import Draft

Method = Literal["extractive", "abstractive", ""]

_PASSAGES = 24
"""Passages that are retrieved for a topic, unlike each other."""
_RELEVANCE = 0.7
"""Weight of relevance in choosing them; the rest is being unlike the others."""
_OF_THE_BEST = 0.5
"""Share of the best passage's score that a passage on the topic has."""
_ON_TOPIC = 0.3
"""Cosine with the topic from which a sentence is on it."""
_SPREAD_PASSAGES = 64
"""Passages of a long document whose sentences may stand in an extract."""
_BORNE_OUT = 0.5
"""Share of a model's sentences that the documents must bear out."""
_NOTHING = "the documents hold nothing on this"


class Material(NamedTuple):
    """What is to be summed up."""

    hits: tuple[Hit, ...]
    """Best first for a topic; else all passages of a document in order."""
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary, how it was made, and how long it is."""

    answer: Answer
    method: Method
    """Empty where there is nothing to sum up."""
    why: str
    """Why it was made in this way."""
    words: int
    wanted: int | None
    """Words that were asked for; None: the length that the model learned."""
    parts: int = 0
    """How many texts a model read the material in."""
    rounds: int = 0
    """How often summaries were summed up again."""


class Summarizer:
    """Sums up documents and topics, with a model or without one."""

    def __init__(
        self,
        name: str,
        embedder: Embedder,
        *,
        retriever: Retriever | None = None,
        drafter: Drafter | None = None,
        words: int | None = None,
        keeps_unsupported: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            name: As rows name it.
            embedder: Compares sentences; the one of the retriever.
            retriever: Finds what a base says of a topic; None: documents only.
            drafter: Writes; None: extracts only.
            words: Length of a summary; None: 100, or what the model learned.
            keeps_unsupported: Whether sentences that nothing bears out stay, marked as
                such, and with them the model's summary; else they are dropped.
        """
        self._name = name
        self._embedder = embedder
        self._retriever = retriever
        self._drafter = drafter
        self._words = words
        self._keeps_unsupported = keeps_unsupported

    @property
    def name(self) -> str:
        """As rows name it."""
        return self._name

    def answer(
        self, case: SummaryCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Sum up one case without looking at its summaries; see `System.answer`.

        Raises:
            ConfigError: It is a topic, and there is no base to look it up in.
            GenerationError: The engine failed.
        """
        made = self.summarize(
            self.on_topic(case.query)
            if case.query
            else self.of_document(Document(id=case.id, text=case.document))
        )
        if on_text is not None:
            on_text(made.answer.text)
        return made.answer

    def of_document(self, document: Document) -> Material:
        """All passages of a document."""
        passages = split_document(
            document,
            tokenizer=self._embedder.tokenizer,
            settings=SplitterSettings(),
        )
        return Material(tuple(Hit(passage=one, score=0.0) for one in passages))

    def on_topic(self, topic: str) -> Material:
        """What the base says of a topic: passages on it, none like another.

        Raises:
            ConfigError: There is no base.
        """
        if self._retriever is None:
            raise ConfigError(
                "a topic, and no knowledge base to look it up in",
                fix="give a knowledge base, or a document",
                where="summarize",
            )
        found = self._retriever.search(topic, k=_PASSAGES)
        best = max((hit.score for hit in found), default=0.0)
        near = [hit for hit in found if hit.score >= _OF_THE_BEST * best]
        return Material(tuple(near), topic)

    def summarize(self, material: Material, *, progress: Progress = silent) -> Summary:
        """Sum up; every sentence of the text has a citation, or is marked.

        Raises:
            GenerationError: The engine failed.
        """
        start = time.perf_counter()
        hits, topic = material
        usage, draft, why = Usage(), None, "no model was named"
        if self._drafter is not None and hits:
            draft = self._drafter.draft(
                hits, words=self._words or DEFAULT_WORDS, topic=topic, progress=progress
            )
            usage = draft.usage
            said = self._kept(draft)
            why = self._problem(draft, said)
            if not why:
                count = sum(bool(one.citations) for one in said)
                told = f"{count} of {len(said)} sentences borne out"
                made = self._made(said, "abstractive", told)
                made = replace(made, parts=draft.parts, rounds=draft.rounds)
                return _timed(made, hits, usage, start)
        made = self._extracted(material, why, progress=progress)
        if draft is not None:
            made = replace(made, parts=draft.parts, rounds=draft.rounds)
        return _timed(made, hits, usage, start)

    @property
    def _wanted(self) -> int | None:
        """Words asked for; None where a tuned model says as much as it learned."""
        learned = self._drafter is not None and self._drafter.is_tuned
        return self._words or (None if learned else DEFAULT_WORDS)

    def _kept(self, draft: Draft) -> list[Said]:
        """The sentences that stay, up to the length asked for."""
        said = [one for one in draft.said if one.citations or self._keeps_unsupported]
        if (wanted := self._wanted) is None:
            return said
        while len(said) > 1 and _words(said) > wanted + tolerance(wanted):
            said.pop()
        return said

    def _problem(self, draft: Draft, said: Sequence[Said]) -> str:
        """Why a model's summary is not taken; empty where it is."""
        if not said:
            return "the documents bear out nothing that the model wrote"
        if self._keeps_unsupported:
            return ""
        borne_out = sum(bool(one.citations) for one in draft.said)
        if borne_out < _BORNE_OUT * len(draft.said):
            return (
                f"the documents bear out {borne_out} of {len(draft.said)} sentences "
                "that the model wrote"
            )
        if (wanted := self._wanted) is not None and not within(_words(said), wanted):
            return (
                f"what the documents bear out of the model's text has {_words(said)} "
                f"words, and {wanted} were asked for"
            )
        return ""

    def _extracted(
        self, material: Material, why: str, *, progress: Progress
    ) -> Summary:
        """A summary of the documents' own sentences."""
        hits, topic = material
        wanted = self._words or DEFAULT_WORDS
        progress("reading", 0, None)
        if not topic:
            hits = self._spread(hits)
        chosen = extract(
            hits,
            wanted=Wanted(wanted, tolerance(wanted)),
            encode=self._embedder.encode,
            topic=topic,
            least_likeness=_ON_TOPIC if topic else -1.0,
        )
        said = [Said(one.text, (_cited(hits[one.hit], one.span),)) for one in chosen]
        if not said:
            answer = Answer(text="", abstained=True, reason=_NOTHING)
            return Summary(answer=answer, method="", why=why, words=0, wanted=wanted)
        made = self._made(said, "extractive", why)
        return replace(made, wanted=wanted, answer=replace(made.answer, check="span"))

    def _spread(self, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        """The passages of a document that stand for it, in order."""
        if len(hits) <= _SPREAD_PASSAGES:
            return hits
        vectors_P_D = self._embedder.encode([hit.passage.text for hit in hits])
        central_P = vectors_P_D @ vectors_P_D.mean(axis=0)
        order = np.argsort(-central_P, kind="stable")
        places = diversify(
            [float(central_P[place]) for place in order],
            vectors_P_D[order],
            k=_SPREAD_PASSAGES,
            weight=_RELEVANCE,
        )
        return tuple(hits[place] for place in sorted(int(order[n]) for n in places))

    def _made(self, said: Sequence[Said], method: Method, why: str) -> Summary:
        """Sentences as one text, each citation with the sentence that it bears out."""
        text, citations, unsupported = "", list[Citation](), list[Span]()
        for one in said:
            start = len(text) + bool(text)
            text = f"{text} {one.text}" if text else one.text
            span = Span(start, len(text))
            citations += [replace(cited, sentence=span) for cited in one.citations]
            if not one.citations:
                unsupported.append(span)
        answer = Answer(
            text=text,
            citations=tuple(citations),
            unsupported=tuple(unsupported),
            check=CHECK,
        )
        return Summary(
            answer=answer,
            method=method,
            why=why,
            words=len(text.split()),
            wanted=self._wanted,
        )


def _cited(hit: Hit, span: Span) -> Citation:
    """A sentence of a passage as what it is: its own source."""
    passage = hit.passage
    text = passage.text[span.start - passage.start : span.end - passage.start]
    return Citation(
        document=passage.document, start=span.start, end=span.end, text=text
    )


def _timed(made: Summary, hits: Sequence[Hit], usage: Usage, start: float) -> Summary:
    timing = Timing(total_ms=(time.perf_counter() - start) * 1000)
    answer = replace(made.answer, hits=tuple(hits), usage=usage, timing=timing)
    return replace(made, answer=answer)


def _words(said: Sequence[Said]) -> int:
    return sum(len(one.text.split()) for one in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizerSpec:
    """What a system that sums up is made of. JSON types only."""

    name: str
    embedder: str
    model: str = ""
    """Generator: a catalog name or a folder; empty: sentences of the documents."""
    kb: str = ""
    """Knowledge base in which topics are looked up; empty: documents only."""
    retrieval: dict[str, Any] = field(default_factory=dict[str, Any])
    """A `RetrievalSettings` as `dataclasses.asdict` gives it."""
    where: str = ""
    """Which documents may be found, as `retrieve.filter` describes; empty: all."""
    words: int | None = None
    keeps_unsupported: bool = False
    runtime: str = "openvino"


def build_summarizer(spec: SummarizerSpec) -> Summarizer:
    """Load everything that the spec names. Nothing is fetched from the network.

    Raises:
        GroundtuneError: A model or the knowledge base cannot be opened.
    """
    embedder = open_named_embedder(spec.embedder, offline=True)
    retriever: Retriever | None = None
    if spec.kb:
        chosen = RetrievalSettings(**spec.retrieval)
        settings = replace(
            chosen,
            k=_PASSAGES,
            candidates=max(chosen.candidates, _PASSAGES),
            mmr=chosen.mmr if chosen.mmr is not None else _RELEVANCE,
            # Widened hits overlap in what they say, and say more than is on the topic.
            widen="none",
        )
        kb = KnowledgeBase.open(Path(spec.kb), embedder=embedder)
        where = parse_filter(spec.where) if spec.where.strip() else None
        retriever = HybridRetriever(kb, embedder, settings, where=where)
    drafter = None
    if spec.model:
        drafter = Drafter.open(spec.model, runtime=spec.runtime)
    return Summarizer(
        spec.name,
        embedder,
        retriever=retriever,
        drafter=drafter,
        words=spec.words,
        keeps_unsupported=spec.keeps_unsupported,
    )
