"""Narrowing what was found to the sentences nearest a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.values import Hit, Passage
from groundtune.data.sentences import sentences_of
from groundtune.retrieve.narrow import Narrower
from groundtune.retrieve.query_adapter import QueryAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

WORDS = ("midust", "velt", "tower", "river", "mayor", "high")


class Words:
    """Encodes a text as which of a few words it has."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.encoded += texts
        rows = [[float(word in text.lower()) for word in WORDS] for text in texts]
        found = np.array(rows, np.float32).reshape(len(texts), len(WORDS))
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def hit(text: str, *, heading: str, start: int = 10, score: float = 1.0) -> Hit:
    passage = Passage(
        id=f"{heading}{start}",
        document=f"{heading}.md",
        start=start,
        end=start + len(text),
        text=text,
        heading=heading,
    )
    return Hit(passage=passage, score=score, metadata={"lang": "en"})


MIDUST = hit("The tower is 58 ells high. The mayor is old.", heading="Midust")
VELT = hit("The tower is 12 ells high. A river flows by.", heading="Velt")


def test_the_nearest_sentence_is_that_of_the_thing_asked_about() -> None:
    question = "How high is the tower of Velt?"
    first, second = Narrower(Words().encode).nearest(
        question, [MIDUST, VELT], sentences=2
    )
    assert first.passage.text == "The tower is 12 ells high."
    assert first.passage.heading == "Velt"
    assert second.passage.text == "The tower is 58 ells high."
    assert first.score > second.score
    assert first.metadata == {"lang": "en"}


def test_a_sentence_stands_in_the_document_between_its_offsets() -> None:
    (found,) = Narrower(Words().encode).nearest(
        "the river", [MIDUST, VELT], sentences=1
    )
    whole = " " * 10 + VELT.passage.text
    assert whole[found.passage.start : found.passage.end] == "A river flows by."
    assert found.passage.id != VELT.passage.id


def test_where_passages_overlap_a_sentence_counts_once() -> None:
    again = hit("The mayor is old. The river is wide.", heading="Midust", start=37)
    found = Narrower(Words().encode).nearest("the mayor", [MIDUST, again], sentences=9)
    assert [one.passage.text for one in found].count("The mayor is old.") == 1
    assert len(found) == 3


def test_hits_without_a_sentence_are_given_as_they_are() -> None:
    scraps = [hit("# Velt", heading="Velt"), hit("58 ells", heading="Midust")]
    assert Narrower(Words().encode).nearest("how high", scraps, sentences=3) == scraps
    assert Narrower(Words().encode).nearest("how high", [], sentences=3) == []


def test_a_name_that_vectors_do_not_know_decides() -> None:
    texts = "The tower of Alm is high. The tower of Erle is high."
    towers = hit(texts, heading="Towers")
    (found,) = Narrower(Words().encode).nearest(
        "How high is the tower of Erle?", [towers], sentences=1
    )
    assert found.passage.text == "The tower of Erle is high."


def test_nearness_is_the_cosine_and_a_fifth_of_the_words() -> None:
    mayor, tower = sentences_of(
        hit("The mayor is old. The tower is new.", heading="").passage
    )
    near, far = Narrower(Words().encode).nearness("mayor, mayor?", [mayor, tower])
    assert near == pytest.approx(1.2)
    assert far == pytest.approx(0.0)


def test_what_was_encoded_is_remembered() -> None:
    words = Words()
    narrower = Narrower(words.encode)
    first = narrower.nearest("the mayor", [MIDUST, VELT], sentences=2)
    count = len(words.encoded)
    assert narrower.nearest("the mayor", [MIDUST, VELT], sentences=2) == first
    assert len(words.encoded) == count


def test_of_sentences_alike_that_of_the_better_passage_comes_first() -> None:
    worse = hit("The tower is tall.", heading="A", score=0.2)
    better = hit("The tower is tall.", heading="B", score=0.9)
    narrower = Narrower(Words().encode)
    found = narrower.nearest("the tower", [worse, better], sentences=2)
    assert [one.passage.heading for one in found] == ["B", "A"]
    assert found[0].score - found[1].score == pytest.approx(0.1)


def test_what_was_learned_turns_the_question() -> None:
    plain = Narrower(Words().encode)
    river, mayor = Words().encode(["river", "mayor"])
    turned = plain.adapted(QueryAdapter(np.outer(river, 5 * mayor)))
    hits = [hit("A river is here. The mayor is there.", heading="Velt")]
    assert plain.nearest("river", hits, sentences=1)[0].passage.text.startswith("A ri")
    assert turned.nearest("river", hits, sentences=1)[0].passage.text.startswith("The")


def test_what_is_remembered_is_shared_with_one_that_learned() -> None:
    words = Words()
    plain = Narrower(words.encode)
    plain.nearest("the mayor", [MIDUST], sentences=1)
    count = len(words.encoded)
    learned = QueryAdapter(np.zeros((len(WORDS), len(WORDS)), np.float32))
    plain.adapted(learned).nearest("the mayor", [MIDUST], sentences=1)
    assert len(words.encoded) == count
