"""The label and text tasks: order of outputs, targets, what a model may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.core.values import (
    EntityCase,
    LabelCase,
    Message,
    SupportCase,
    TranslationCase,
)
from groundtune.tasks import classification, ner, sentiment, support, translation

if TYPE_CHECKING:
    from types import ModuleType


def labelled(*names: str) -> list[LabelCase]:
    return [LabelCase(id=name, text="", label=name) for name in names]


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (classification, "classification"),
        (sentiment, "sentiment"),
        (ner, "ner"),
        (translation, "translation"),
        (support, "support"),
    ],
)
def test_a_task_names_itself_and_its_measures(task: ModuleType, name: str) -> None:
    assert name == task.NAME
    assert task.PRIMARY_MEASURE not in task.OTHER_MEASURES


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("b", "a", "b"), ("a", "b")),
        (("10", "9", "1"), ("1", "9", "10")),
        (("v2", "V2", "v10"), ("V2", "v2", "v10")),
        (("a1b2", "a1b10", "a"), ("a", "a1b2", "a1b10")),
        (("2nd", "first"), ("2nd", "first")),
    ],
)
def test_labels_keep_their_text_and_sort_as_people_would(
    names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert classification.label_names(labelled(*names)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("positive", "negative"), ("negative", "positive")),
        (("Pos", "Neg", "Neu"), ("Neg", "Neu", "Pos")),
        (
            ("very_positive", "neutral", "very negative", "positive"),
            ("very negative", "neutral", "positive", "very_positive"),
        ),
        (("1", "0"), ("0", "1")),
        (("joy", "anger"), ("anger", "joy")),
    ],
)
def test_opinions_sort_from_bad_to_good_where_their_names_say_so(
    names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert sentiment.label_names(labelled(*names)) == expected


def test_a_label_becomes_its_place_and_an_unknown_one_is_a_bug() -> None:
    (case,) = labelled("b")

    assert classification.target(case, ("a", "b")) == 1
    with pytest.raises(ValueError, match="not in"):
        classification.target(case, ("a",))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("NUM:dist", "num dist"),
        ("lostCard", "lost card"),
        ("???", "???"),
    ],
)
def test_labels_are_put_in_words(label: str, words: str) -> None:
    assert classification.described(label) == words


def test_opinions_are_put_in_sentences_and_numbers_stay() -> None:
    assert "good" in sentiment.described("POS")
    assert sentiment.described("1") == "1"


def test_every_type_can_begin_and_go_on() -> None:
    case = EntityCase(id="", tokens=("a", "b", "c"), tags=("I-LOC", "O", "B-PER"))
    tags = ner.tag_names([case])

    assert tags == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert [tags[i] for i in ner.target(case, tags)] == list(case.tags)


def test_a_translation_is_its_target() -> None:
    case = TranslationCase(id="", source="a dog", target="ein Hund")

    assert translation.target(case) == "ein Hund"


def test_a_reply_is_the_last_of_the_assistant_and_is_not_shown() -> None:
    turns = (
        Message("system", "be kind"),
        Message("user", "where is it"),
        Message("assistant", "which one"),
        Message("user", "the red one"),
        Message("assistant", "on its way"),
    )
    case = SupportCase(id="s1", messages=turns, intent="track_order", group="g")

    assert support.target(case) == "on its way"
    assert support.history(case) == turns[:4]
    assert support.intent_case(case) == LabelCase(
        id="s1", text="the red one", label="track_order", group="g"
    )


@pytest.mark.parametrize(
    ("turns", "intent", "missing"),
    [
        ((Message("user", "hello"), Message("assistant", "hi")), "", "intent"),
        ((Message("assistant", "hi"),), "greet", "turn of the user"),
    ],
)
def test_a_case_without_intent_or_question_has_no_label(
    turns: tuple[Message, ...], intent: str, missing: str
) -> None:
    case = SupportCase(id="s2", messages=turns, intent=intent)
    with pytest.raises(ValueError, match=f"case s2 has no {missing}"):
        support.intent_case(case)
