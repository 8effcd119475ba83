"""The right passage of a case: found from spans and words, never from passage ids.

A case names its document and quotes; where it was cut into passages is no business of
a test set, so a new splitter breaks none.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from groundtune.core.values import Span
from groundtune.data.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from groundtune.core.values import Passage, QaCase


class GoldFinder:
    """Finds the right passages among those of a knowledge base."""

    def __init__(
        self, passages: Iterable[Passage], texts: Mapping[str, str] | None = None
    ) -> None:
        """Index the passages.

        Args:
            passages: All passages of the knowledge base.
            texts: Text of each document by id, to find quotes in; a quote is looked
                for in single passages where absent.
        """
        self._by_document: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            self._by_document[passage.document].append(passage)
        self._texts = texts or {}

    def find(self, case: QaCase) -> list[Passage]:
        """Passages that hold an accepted answer where the case's evidence stands.

        Without evidence, those of the source that hold an answer; without a source,
        none: a document that merely contains the words may be about anything.
        """
        passages = self._by_document.get(case.source, [])
        if not passages or not case.answerable:
            return []
        near = passages
        if spans := self._quotes(case):
            near = [p for p in passages if any(_overlap(p, span) for span in spans)]
        return [p for p in near if holds_answer(p.text, case.answers)]

    def _quotes(self, case: QaCase) -> list[Span]:
        text = self._texts.get(case.source, "")
        starts = [(text.find(quote), quote) for quote in case.evidence]
        return [Span(at, at + len(quote)) for at, quote in starts if at >= 0]


def holds_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether any accepted wording stands in `text`, whatever its case."""
    folded = text.casefold()
    return any(answer.casefold() in folded for answer in answers if answer)


def sentences_with(
    passages: Iterable[Passage], answers: Sequence[str]
) -> list[Passage]:
    """The sentences of passages that hold any accepted wording, in order."""
    return [
        sentence
        for passage in passages
        for sentence in sentences_of(passage)
        if holds_answer(sentence.text, answers)
    ]


def _overlap(passage: Passage, span: Span) -> bool:
    return passage.start < span.end and span.start < passage.end
