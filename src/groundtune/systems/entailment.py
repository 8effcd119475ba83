"""Citations held against their sentences by a verdict model, beside span and overlap.

Words in common are no proof: a sentence can share all of them with its source and say
the opposite. Where a judge of claims is configured, each cited sentence is a claim and
what it cites the evidence; a citation that does not support its sentence is taken away,
and the sentence is marked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.systems.fact_checker import Evidence, Sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.protocols import System
    from groundtune.core.values import Answer, Citation, QaCase, Span
    from groundtune.systems.fact_checker import Judge

_PHRASE_WORDS = 5
"""A shorter answer is no sentence; with the question before it, it is a claim."""


class CheckedSystem:
    """See `core.protocols.System`: the answers of another, with citations judged."""

    def __init__(self, system: System, judge: Judge) -> None:
        self._system = system
        self._judge = judge

    @property
    def name(self) -> str:
        """That of the system itself."""
        return self._system.name

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """See `System.answer`. `Answer.check` names both checks."""
        made = self._system.answer(case, on_text=on_text)
        kept: list[Citation] = []
        doubtful: set[Span] = set()
        for citation in made.citations:
            if self._supports(citation, made.text, case.question):
                kept.append(citation)
            elif citation.sentence is not None:
                doubtful.add(citation.sentence)
        # A sentence may have another citation that does bear it out.
        doubtful -= {one.sentence for one in kept if one.sentence is not None}
        return replace(
            made,
            citations=tuple(kept),
            unsupported=tuple(sorted({*made.unsupported, *doubtful})),
            check=", ".join(filter(None, (made.check, self._judge.check))),
        )

    def _supports(self, citation: Citation, text: str, question: str) -> bool:
        span = citation.sentence
        said = text[span.start : span.end] if span is not None else text
        if len(said.split()) < _PHRASE_WORDS:
            said = f"{question} {said}"
        source = Sentence(
            document=citation.document,
            start=citation.start,
            end=citation.end,
            text=citation.text,
            likeness=1.0,
        )
        evidence = Evidence(document=citation.document, sentences=(source,))
        return self._judge.judge(said, [evidence]).label == "SUPPORTED"
