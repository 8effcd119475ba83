"""What the arm that learns to read is shown: sentences, or whole passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.training import ContextSettings
from groundtune.core.errors import ConfigError
from groundtune.core.values import Hit, Passage, QaCase
from groundtune.recipes.comparison.reading import (
    SENTENCES_READ,
    Shown,
    lessons_of,
    read_evidence,
    reading_style,
)
from groundtune.retrieve.embed import open_embedder
from groundtune.retrieve.narrow import Narrower

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

TEXT = "Velt lies on a hill. Its tower is 12 ells high. Its mayor is Ida Holt."
OTHER = "Midust lies by a river. Its tower is 58 ells high. Its mayor is Jon Ness."


def passage(text: str, *, document: str) -> Passage:
    return Passage(
        id=document,
        document=document,
        start=0,
        end=len(text),
        text=text,
        heading=document,
    )


RIGHT, WRONG = passage(TEXT, document="Velt"), passage(OTHER, document="Midust")


def shown(answer: str) -> Shown:
    case = QaCase(id=answer, question="Who is mayor of Velt?", answers=(answer,))
    hits = [Hit(passage=one, score=1.0) for one in (WRONG, RIGHT)]
    return Shown(case, [RIGHT], hits)


@pytest.fixture
def narrower(tiny_bert: ModelFolder) -> Narrower:
    return Narrower(open_embedder(tiny_bert).encode)


def test_answers_that_stand_in_a_sentence_are_read_in_sentences(
    narrower: Narrower,
) -> None:
    count, (lesson,) = lessons_of([shown("Ida Holt")], narrower, k=2, wanted=None)
    assert count == SENTENCES_READ
    (right,) = lesson.right
    assert right.text == "Its mayor is Ida Holt."
    assert TEXT[right.start : right.end] == right.text
    assert {hit.passage.document for hit in lesson.hits} == {"Velt", "Midust"}
    assert len(lesson.hits) == 6
    evidence = read_evidence(lesson.as_json())
    assert evidence.gold is not None
    assert evidence.gold.passage.id in {hit.passage.id for hit in evidence.hits}


def test_only_what_a_question_gets_is_narrowed(narrower: Narrower) -> None:
    _, (lesson,) = lessons_of([shown("Ida Holt")], narrower, k=1, wanted=None)
    assert {hit.passage.document for hit in lesson.hits} == {"Midust"}


def test_answers_that_span_sentences_are_read_in_passages(narrower: Narrower) -> None:
    cases = [shown("Ida Holt"), shown("high. Its mayor")]
    count, lessons = lessons_of(cases, narrower, k=2, wanted=None)
    assert count == 0
    assert lessons == cases


def test_a_lone_answer_that_spans_sentences_keeps_its_passage(
    narrower: Narrower,
) -> None:
    count, (lesson,) = lessons_of([shown("high. Its mayor")], narrower, k=2, wanted=3)
    assert count == 3
    assert list(lesson.right) == [RIGHT]


def test_whole_passages_are_read_where_that_is_wanted(narrower: Narrower) -> None:
    cases = [shown("Ida Holt")]
    assert lessons_of(cases, narrower, k=2, wanted=0) == (0, cases)


def test_the_arm_is_asked_as_it_learned() -> None:
    assert reading_style(5).sentences == 5
    assert reading_style(0).with_evidence == reading_style(5).with_evidence


@pytest.mark.parametrize("wrong", [-1, -5])
def test_fewer_sentences_than_none_are_refused(wrong: int) -> None:
    settings: dict[str, Any] = {"sentences": wrong}
    with pytest.raises(ConfigError, match="sentences is"):
        ContextSettings(**settings)
