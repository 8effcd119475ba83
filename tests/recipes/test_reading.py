"""What the arm that learns to read is shown: sentences, or whole passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.config.training import ContextSettings
from groundtune.core.errors import ConfigError
from groundtune.core.values import Hit, Passage, QaCase
from groundtune.recipes.comparison.ranking import Ranking
from groundtune.recipes.comparison.reading import (
    MOST_SENTENCES,
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


OPEN = ContextSettings()


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
def ranking(tiny_bert: ModelFolder) -> Ranking:
    return Ranking(Narrower(open_embedder(tiny_bert).encode))


def test_answers_that_stand_in_a_sentence_are_read_in_sentences(
    ranking: Ranking,
) -> None:
    reading, (lesson,) = lessons_of([shown("Ida Holt")], ranking, k=2, reading=OPEN)
    assert reading.sentences == MOST_SENTENCES
    (right,) = lesson.right
    assert right.text == "Its mayor is Ida Holt."
    assert TEXT[right.start : right.end] == right.text
    assert {hit.passage.document for hit in lesson.hits} == {"Velt", "Midust"}
    assert len(lesson.hits) == 6
    evidence = read_evidence(lesson.as_json())
    assert evidence.gold is not None
    assert evidence.gold.passage.id in {hit.passage.id for hit in evidence.hits}


def test_only_what_a_question_gets_is_narrowed(ranking: Ranking) -> None:
    _, (lesson,) = lessons_of([shown("Ida Holt")], ranking, k=1, reading=OPEN)
    assert {hit.passage.document for hit in lesson.hits} == {"Midust"}


def test_answers_that_span_sentences_are_read_in_passages(ranking: Ranking) -> None:
    cases = [shown("Ida Holt"), shown("high. Its mayor")]
    reading, lessons = lessons_of(cases, ranking, k=2, reading=OPEN)
    assert reading.sentences == 0
    assert lessons == cases


def test_as_few_sentences_are_read_as_hold_the_right_one() -> None:
    plain = Narrower(lambda texts: np.zeros((len(texts), 1), np.float32))
    assert Ranking(plain, places=[1] * 96 + [3] * 4).needed(6) == 2
    assert Ranking(plain, places=[1] * 90 + [3] * 10).needed(6) == 3
    assert Ranking(plain, places=[6] * 90).needed(6) == 6
    assert Ranking(plain, places=[9] * 90).needed(6) == 2
    assert Ranking(plain).needed(6) == 6


def test_a_lone_answer_that_spans_sentences_keeps_its_passage(
    ranking: Ranking,
) -> None:
    settings = ContextSettings(sentences=3)
    reading, (lesson,) = lessons_of(
        [shown("high. Its mayor")], ranking, k=2, reading=settings
    )
    assert reading.sentences == 3
    assert list(lesson.right) == [RIGHT]


def test_whole_passages_are_read_where_that_is_wanted(ranking: Ranking) -> None:
    cases = [shown("Ida Holt")]
    wanted = ContextSettings(sentences=0)
    reading, lessons = lessons_of(cases, ranking, k=2, reading=wanted)
    assert reading.sentences == 0
    assert lessons == cases


def test_the_arm_is_asked_as_it_learned() -> None:
    five = reading_style(ContextSettings(sentences=5))
    whole = reading_style(ContextSettings(sentences=0))
    assert five.sentences == 5
    assert whole.with_evidence == five.with_evidence


@pytest.mark.parametrize("wrong", [-1, -5])
def test_fewer_sentences_than_none_are_refused(wrong: int) -> None:
    settings: dict[str, Any] = {"sentences": wrong}
    with pytest.raises(ConfigError, match="sentences is"):
        ContextSettings(**settings)
