from __future__ import annotations

from dataclasses import replace

from groundtune.core.values import Passage, QaCase
from groundtune.data.gold import GoldFinder, holds_answer

TEXT = "The tower was built by Mira. Mira sold the mill. The tower is tall."
CUTS = [(0, 28), (29, 48), (49, 67)]
PASSAGES = [
    Passage(id=str(n), document="d", start=start, end=end, text=TEXT[start:end])
    for n, (start, end) in enumerate(CUTS)
]
CASE = QaCase(id="c", question="Who sold it?", answers=("Mira",), source="d")


def found(case: QaCase) -> list[str]:
    finder = GoldFinder(PASSAGES, {"d": TEXT})
    return [passage.id for passage in finder.find(case)]


def test_evidence_says_which_of_the_passages_with_the_words_is_right() -> None:
    assert found(replace(CASE, evidence=("Mira sold the mill.",))) == ["1"]


def test_without_evidence_every_passage_of_the_source_with_the_answer_counts() -> None:
    assert found(CASE) == ["0", "1"]


def test_evidence_that_spans_passages_counts_where_the_answer_stands() -> None:
    case = replace(CASE, evidence=("Mira sold the mill. The tower is tall.",))

    assert found(case) == ["1"]
    assert found(replace(case, answers=("TALL",))) == ["2"]


def test_a_quote_that_is_not_there_is_passed_over() -> None:
    assert found(replace(CASE, evidence=("no such words",))) == ["0", "1"]


def test_nothing_is_right_without_source_or_for_the_unanswerable() -> None:
    assert found(replace(CASE, source="")) == []
    assert found(replace(CASE, source="other")) == []
    assert found(replace(CASE, answers=(), answerable=False)) == []


def test_an_empty_answer_is_held_by_nothing() -> None:
    assert not holds_answer("anything", [""])
    assert holds_answer("Straße", ["STRASSE"])
