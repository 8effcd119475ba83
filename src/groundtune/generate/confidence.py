"""How sure one may be of an answer: what speaks for it, in one number.

Signals are read off the question, the evidence and the answer. What they are worth is
learned from labelled cases by `recipes.calibrate`; here it is only applied.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.core.values import Answer, Hit

    Likeness = Callable[[str, Sequence[str]], Sequence[float]]

SIGNALS_VERSION = "signals-1"
"""Bump when a signal changes: what was learned from others does not apply."""

_WORD = re.compile(r"[^\W_]+")
_STEM = 5
"""Letters by which words count as one: "forecast", "forecasting"."""
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        """a about an and any are as at be been but by can could did do does for from
        had has have how i if in into is it its list many may me much my no not of on or
        our out should so some than that the their them then there these they this those
        to up us was we were what when where which who whom whose why will with would
        you your"""
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """A logistic model of signals, as `calibrate` fitted it."""

    means: Mapping[str, float]
    """Of each signal on the labelled cases: stands in where a signal is missing."""
    scales: Mapping[str, float]
    weights: Mapping[str, float]
    """Per standard deviation; positive speaks for the answer."""
    bias: float

    def of(self, signals: Mapping[str, float | None]) -> float:
        """The score to expect of an answer with these signals, 0 to 1."""
        total = self.bias
        for name, weight in self.weights.items():
            value = signals.get(name)
            if value is not None:
                total += weight * (value - self.means[name]) / self.scales[name]
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total))))


def answer_signals(
    question: str, answer: Answer, *, likeness: Likeness | None = None
) -> dict[str, float | None]:
    """What speaks for an answer or against it; None where that is not known.

    Args:
        question: As it was asked.
        answer: With its hits and citations.
        likeness: Cosine of a text and others, where there is an embedder.

    Returns:
        By name:
        `sureness`: mean log probability of the tokens written.
        `least_doubt`: log probability of the whole answer.
        `similarity`: greatest cosine of question and hit.
        `lead`: how far the best hit's cosine is above the others' mean.
        `words_found`: share of the question's words that one hit has, at best.
        `words_near`: the same for the sentences that are cited.
        `cited_similarity`: greatest cosine of the question and a text that is cited.
        `answer_similarity`: the same for the question with the answer behind it.
        `names_found`: share of the question's names and numbers that stand in any hit;
            1 where it has none.
        `cited`: 1 where a citation supports the answer, else 0.
        `cited_first`: 1 where it stands in the first hit.
        `length`: logarithm of the tokens written.
    """
    hits = answer.hits
    tokens = answer.usage.output_tokens + 1
    known = [hit.similarity for hit in hits if hit.similarity is not None]
    asked = _content(question)
    cited = _cited_hits(answer)
    near = " ".join(_cited_sentences(answer, cited))
    quoted = [citation.text for citation in answer.citations]
    return {
        "sureness": None if answer.logprob is None else answer.logprob / tokens,
        "least_doubt": answer.logprob,
        "similarity": max(known) if known else None,
        "lead": _lead(known),
        "words_found": max(
            (_share(asked, hit.passage.text) for hit in hits), default=0.0
        ),
        "words_near": _share(asked, near),
        "cited_similarity": _most_alike(question, quoted, likeness),
        "answer_similarity": _most_alike(f"{question} {answer.text}", quoted, likeness),
        "names_found": _names_found(question, hits),
        "cited": float(bool(answer.citations)),
        "cited_first": float(bool(cited) and cited[0] == 0),
        "length": math.log(tokens),
    }


def _most_alike(
    text: str, others: Sequence[str], likeness: Likeness | None
) -> float | None:
    """None where nothing can be compared; 0 where nothing is cited."""
    if likeness is None:
        return None
    return max(likeness(text, others), default=0.0)


def _lead(similarities: Sequence[float]) -> float | None:
    if len(similarities) < 2:
        return None
    best = max(similarities)
    return best - (sum(similarities) - best) / (len(similarities) - 1)


def _cited_hits(answer: Answer) -> list[int]:
    """Places of the hits that citations stand in, best first."""
    found = {
        place
        for citation in answer.citations
        for place, hit in enumerate(answer.hits)
        if hit.passage.document == citation.document
        and hit.passage.start <= citation.start
        and citation.end <= hit.passage.end
    }
    return sorted(found)


def _cited_sentences(answer: Answer, cited: Sequence[int]) -> list[str]:
    """What citations quote, and the sentence on each side of it."""
    found: list[str] = []
    for place in cited:
        passage = answer.hits[place].passage
        spans = sentence_spans(passage.text)
        for citation in answer.citations:
            if citation.document != passage.document:
                continue
            low, high = citation.start - passage.start, citation.end - passage.start
            touched = [
                n
                for n, span in enumerate(spans)
                if span.start < high and low < span.end
            ]
            if touched:
                first, last = max(0, touched[0] - 1), touched[-1] + 2
                found += [passage.text[s.start : s.end] for s in spans[first:last]]
    return found


def _names_found(question: str, hits: Sequence[Hit]) -> float:
    words = _WORD.findall(question)
    names = {
        _stem(word)
        for number, word in enumerate(words)
        if any(char.isdigit() for char in word)
        or (number and word[0].isupper() and word.lower() not in _FUNCTION_WORDS)
    }
    if not names:
        return 1.0
    have = {stem for hit in hits for stem in _content(hit.passage.text)}
    return len(names & have) / len(names)


def _share(asked: set[str], text: str) -> float:
    return len(asked & _content(text)) / len(asked) if asked and text else 0.0


def _content(text: str) -> set[str]:
    return {
        _stem(word)
        for word in _WORD.findall(text)
        if word.lower() not in _FUNCTION_WORDS
    }


def _stem(word: str) -> str:
    return word.casefold()[:_STEM]
