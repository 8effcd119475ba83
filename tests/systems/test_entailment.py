"""Citations that a judge of claims does not bear out are taken away and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import Answer, Citation, QaCase, Span
from groundtune.systems.entailment import CheckedSystem
from groundtune.systems.judges import RuleJudge

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "Leave is 28 days a year. The office is never open on Sundays."
FIRST, SECOND = Span(0, 24), Span(25, 61)


class Spoken:
    """A system whose answer is known."""

    name = "rag"

    def __init__(self, *citations: Citation) -> None:
        self._citations = citations

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        assert on_text is None
        return Answer(text=TEXT, citations=self._citations, check="span, overlap")


def cited(text: str, sentence: Span) -> Citation:
    return Citation(
        document="a.md", start=0, end=len(text), text=text, sentence=sentence
    )


CASE = QaCase(id="1", question="How long is leave?", answers=())


def test_a_source_that_says_the_opposite_supports_nothing() -> None:
    right = cited("Leave is 28 days a year.", FIRST)
    other = cited("The office is open on Sundays.", SECOND)
    made = CheckedSystem(Spoken(right, other), RuleJudge()).answer(CASE)
    assert made.citations == (right,)
    assert made.unsupported == (SECOND,)
    assert made.check == "span, overlap, rule on wording, untuned"


def test_other_numbers_are_no_support() -> None:
    made = CheckedSystem(
        Spoken(cited("Leave is 20 days a year.", FIRST)), RuleJudge()
    ).answer(CASE)
    assert made.citations == ()
    assert made.unsupported == (FIRST,)


def test_one_good_citation_is_enough_for_a_sentence() -> None:
    good = cited("Leave is 28 days a year.", FIRST)
    bad = cited("Leave is 20 days a year.", FIRST)
    made = CheckedSystem(Spoken(bad, good), RuleJudge()).answer(CASE)
    assert made.citations == (good,)
    assert made.unsupported == ()


def test_an_answer_without_citations_stays_as_it_is() -> None:
    made = CheckedSystem(Spoken(), RuleJudge()).answer(CASE)
    assert made.text == TEXT
    assert made.unsupported == ()
