"""Fact-checking: a claim is held against retrieved sentences, and a judge decides.

Whatever the judge is (a trained verdict model, a generator as published, a rule), it
sees the same evidence: the sentences of each retrieved document that are most like the
claim. What a judge is and how it decides stands in `judges`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from groundtune.core.values import Answer, Citation, Span, Timing
from groundtune.data.claims import single_spaced
from groundtune.data.sentences import sentence_spans
from groundtune.tasks.fact_check import DOCUMENTS, SENTENCES, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Embedder, Retriever
    from groundtune.core.values import FactLabel, Hit

    Floats = npt.NDArray[np.float32]

_LEAST_LETTERS = 12
"""A sentence with fewer letters, such as a heading's number, decides nothing."""
_NOTHING = "the documents hold nothing on this"
_UNDECIDED = "no sentence found decides it"
_KEPT = 20_000
"""Sentences whose vectors are remembered: some 30 MB."""
PASSAGES = 10
"""Passages that are retrieved for a claim; they make up `DOCUMENTS` or fewer."""


class Sentence(NamedTuple):
    """One sentence of a document."""

    document: str
    start: int
    end: int
    text: str
    """As it stands in the document."""
    likeness: float
    """Cosine with the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one document has to say to a claim."""

    document: str
    sentences: tuple[Sentence, ...]
    """In the order of the document; at least one."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences, white space made single."""
        return tuple(single_spaced(one.text) for one in self.sentences)

    @property
    def best(self) -> str:
        """The sentence that is most like the claim, white space made single."""
        found = max(self.sentences, key=lambda one: one.likeness)
        return single_spaced(found.text)

    @property
    def likeness(self) -> float:
        """Of the sentence that is most like the claim."""
        return max(one.likeness for one in self.sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge says."""

    label: FactLabel
    scores: Mapping[FactLabel, float]
    """Of each label, summing to 1; how far they can be trusted is the judge's."""
    deciding: tuple[Sentence, ...] = ()
    """Sentences it rests on; none where nothing decides."""


class Judge(Protocol):
    """Decides from evidence."""

    @property
    def check(self) -> str:
        """What it is, as `Answer.check` names it."""
        ...

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """The verdict on a claim, from the evidence of at least one document."""
        ...


@runtime_checkable
class SideJudge(Protocol):
    """A judge that was trained to tell what supports a claim from what refutes it."""

    def refutes(self, claim: str, sentences: Sequence[str]) -> bool:
        """Whether sentences that are known to decide a claim refute it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A claim that was checked."""

    label: FactLabel
    scores: Mapping[FactLabel, float]
    answer: Answer
    """Text, citations of the deciding sentences, hits, timings; it abstains where
    nothing decides the claim."""
    evidence: tuple[Evidence, ...] = ()
    """All that was held against the claim, best document first."""


class EvidenceFinder:
    """Retrieves documents for claims and picks the sentences to be held against them.

    Args:
        retriever: Of the knowledge base.
        embedder: What likeness of sentences is measured with.
        passages: How many are retrieved.
    """

    def __init__(
        self, retriever: Retriever, embedder: Embedder, *, passages: int = PASSAGES
    ) -> None:
        self._retriever, self._embedder = retriever, embedder
        self._passages = passages
        self._known: OrderedDict[str, Floats] = OrderedDict()

    def hits(self, claim: str) -> list[Hit]:
        """Passages for a claim, best first."""
        return self._retriever.search(claim, k=self._passages)

    def select(self, claim: str, hits: Sequence[Hit]) -> tuple[Evidence, ...]:
        """The best documents among hits, each with its sentences most like the claim.

        A title or heading that stands above the text is read as a sentence of its own
        only where it stands in the passage.
        """
        spans = _document_sentences(hits)
        texts = [text for found in spans.values() for text in found.values()]
        if not texts:
            return ()
        likeness = iter(self._likeness(claim, [single_spaced(one) for one in texts]))
        made: list[Evidence] = []
        for document, found in spans.items():
            rated = [
                Sentence(document, span.start, span.end, text, next(likeness))
                for span, text in found.items()
            ]
            best = sorted(rated, key=lambda one: -one.likeness)[:SENTENCES]
            chosen = tuple(sorted(best, key=lambda one: one.start))
            made.append(Evidence(document=document, sentences=chosen))
        return tuple(made)

    def _likeness(self, claim: str, texts: Sequence[str]) -> list[float]:
        """Cosine of each text with the claim.

        Claims on one subject meet the same texts again, so these are remembered.
        """
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        claim_D, *rows = self._embedder.encode([claim, *fresh])
        self._known |= dict(zip(fresh, rows, strict=True))
        found = [float(self._known[text] @ claim_D) for text in texts]
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found


class FactChecker:
    """A claim in, a verdict with its sentences out."""

    def __init__(self, name: str, finder: EvidenceFinder, judge: Judge) -> None:
        self.name = name
        self._finder, self._judge = finder, judge

    def check(self, claim: str) -> Checked:
        """Retrieve, select sentences, decide.

        Raises:
            GenerationError: The judge is a generator, and it failed.
        """
        start = time.perf_counter()
        hits = self._finder.hits(claim)
        evidence = self._finder.select(claim, hits)
        found = time.perf_counter()
        checked = decide(self._judge, claim, evidence)
        done = time.perf_counter()
        timing = Timing(
            retrieve_ms=(found - start) * 1000,
            first_token_ms=(done - found) * 1000,
            total_ms=(done - start) * 1000,
        )
        answer = replace(checked.answer, hits=tuple(hits), timing=timing)
        return replace(checked, answer=answer)


def decide(judge: Judge, claim: str, evidence: Sequence[Evidence]) -> Checked:
    """The verdict of a judge on evidence; without any there is not enough of it.

    Raises:
        GenerationError: The judge is a generator, and it failed.
    """
    if evidence:
        verdict = judge.judge(claim, evidence)
    else:
        verdict = Verdict(
            label="NOT_ENOUGH_INFO",
            scores={"SUPPORTED": 0.0, "REFUTED": 0.0, "NOT_ENOUGH_INFO": 1.0},
        )
    is_open = verdict.label == "NOT_ENOUGH_INFO"
    text = told(verdict.label)
    answer = Answer(
        text=text,
        citations=cited(verdict.deciding, text),
        abstained=is_open,
        reason=(_UNDECIDED if evidence else _NOTHING) if is_open else "",
        check=judge.check,
    )
    return Checked(
        label=verdict.label,
        scores=verdict.scores,
        answer=answer,
        evidence=tuple(evidence),
    )


def cited(sentences: Iterable[Sentence], text: str) -> tuple[Citation, ...]:
    """Sentences as citations of the whole of an answer's text."""
    return tuple(
        Citation(
            document=one.document,
            start=one.start,
            end=one.end,
            text=one.text,
            sentence=Span(0, len(text)),
        )
        for one in sentences
    )


def _document_sentences(hits: Sequence[Hit]) -> dict[str, dict[Span, str]]:
    """Sentences of the first documents among hits, by their place in the document."""
    found: dict[str, dict[Span, str]] = {}
    for hit in hits:
        passage = hit.passage
        if passage.document not in found and len(found) == DOCUMENTS:
            continue
        own = found.setdefault(passage.document, {})
        for start, end in sentence_spans(passage.text):
            text = passage.text[start:end]
            span = Span(passage.start + start, passage.start + end)
            # Passages may overlap: the same words are shown once.
            is_new = all(span.end <= s.start or s.end <= span.start for s in own)
            if is_new and sum(map(str.isalpha, text)) >= _LEAST_LETTERS:
                own[span] = text
    return {document: own for document, own in found.items() if own}
