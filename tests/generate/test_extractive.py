"""Extracts: sentences of the documents, of the length asked for, none twice."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.values import Hit, Passage
from groundtune.generate.extractive import Wanted, extract, sentences_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

TERNS = "Terns breed in the dunes."
FERRY = (
    "Ferry\n\nThe ferry leaves the harbour at nine. It takes an hour to cross. "
    "Bicycles travel on the ferry without charge. See:\n\nx = cross(ferry)\n\n"
    "The ferry does not cross in a storm."
)


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Bags of words: texts that share words are alike."""
    vectors = np.full((len(texts), 64), 1e-3, np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w{4,}", text.lower()):
            vectors[row, zlib.crc32(word.encode()) % 64] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hit(text: str, *, document: str = "ferry.md", start: int = 0) -> Hit:
    passage = Passage(
        id=f"{document}{start}",
        document=document,
        start=start,
        end=start + len(text),
        text=text,
    )
    return Hit(passage=passage, score=1.0)


def test_headings_and_code_are_no_sentences() -> None:
    found = sentences_of([hit(FERRY, start=40)])

    assert [one.text for one in found] == [
        "The ferry leaves the harbour at nine.",
        "It takes an hour to cross.",
        "Bicycles travel on the ferry without charge.",
        "The ferry does not cross in a storm.",
    ]
    for one in found:
        assert FERRY[one.span.start - 40 : one.span.end - 40] == one.text


def test_notes_without_full_stops_count_by_the_line() -> None:
    found = sentences_of([hit("milk and bread\n\n---\n\neggs")])

    assert [one.text for one in found] == ["milk and bread", "eggs"]


def test_what_several_documents_say_is_taken_once_and_in_order() -> None:
    copy = "Bicycles travel on the ferry without charge. The bakery opens at six today."
    hits = [hit(FERRY), hit(copy, document="copy.md")]

    found = extract(hits, wanted=Wanted(40, 10), encode=encode)

    texts = [one.text for one in found]
    assert len(texts) == len(set(texts))
    places = [(hits[one.hit].passage.document, one.span.start) for one in found]
    assert places == sorted(places, key=lambda place: (place[0] == "copy.md", place[1]))


def test_only_what_is_on_the_topic_is_taken() -> None:
    hits = [hit(FERRY), hit(f"{TERNS} Nobody may walk there.", document="birds.md")]

    found = extract(
        hits,
        wanted=Wanted(12, 10),
        encode=encode,
        topic="terns in the dunes",
        least_likeness=0.3,
    )

    assert [one.text for one in found] == [TERNS]
    nothing = extract(
        hits, wanted=Wanted(12, 10), encode=encode, topic="opera", least_likeness=0.3
    )
    assert nothing == []


def test_a_sentence_that_is_longer_than_asked_for_is_better_than_none() -> None:
    long = "The wardens of the island lead a walk along the northern beach at nine."

    (found,) = extract([hit(long)], wanted=Wanted(2, 1), encode=encode)

    assert found.text == long
    assert extract([], wanted=Wanted(2, 1), encode=encode) == []


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(5, 20), min_size=40, max_size=60),
    wanted=st.integers(30, 150),
)
def test_the_length_asked_for_is_given(lengths: list[int], wanted: int) -> None:
    text = " ".join(
        " ".join(f"Word{number}x{n}" for n in range(length)) + "."
        for number, length in enumerate(lengths)
    )
    limit = Wanted(wanted, max(10, round(0.15 * wanted)))

    found = extract([hit(text)], wanted=limit, encode=encode)

    assert limit.holds(sum(one.words for one in found))
    assert len({one.span for one in found}) == len(found)


def test_a_sentence_is_exchanged_where_that_gives_the_length() -> None:
    def told(word: str, count: int) -> str:
        return " ".join([word.capitalize(), *[word] * (count - 1)]) + "."

    # The best two have 42 words together, and no other is short enough to join them.
    ferry, harbour, island = told("ferry", 30), told("harbour", 12), told("island", 20)
    limit = Wanted(50, 5)

    found = extract(
        [hit(f"{ferry} {harbour} {island}")],
        wanted=limit,
        encode=encode,
        topic="ferry harbour",
    )

    assert [one.words for one in found] == [30, 20]


@pytest.mark.parametrize("words", [60, 90, 110])
def test_tolerance_holds_words(words: int) -> None:
    assert Wanted(100, 15).holds(words) == (words >= 85)
