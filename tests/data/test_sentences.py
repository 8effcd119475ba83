"""Where sentences end."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.values import Passage
from groundtune.data.sentences import sentence_around, sentence_spans, sentences_of


def parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Ada met J. Smith. He left.", ["Dr. Ada met J. Smith.", "He left."]),
        ("It cost 3.50 euros, e.g. in May. Dear!", None),
        ('He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
        ("A heading\n\nA sentence that\nwraps.", None),
        ("It is known [2]. More.", ["It is known [2].", "More."]),
        ("今日は。元気です。", ["今日は。", "元気です。"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(
    text: str, expected: list[str] | None
) -> None:
    found = parts(text)

    if expected is not None:
        assert found == expected
    else:
        assert len(found) == 2


@settings(deadline=None)
@given(st.text(alphabet="aB .!?\n\r\t\"')]。é1", max_size=120))
def test_every_character_is_in_exactly_one_sentence(text: str) -> None:
    spans = sentence_spans(text)

    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert "".join("".join(parts(text)).split()) == "".join(text.split())
    assert all(piece == piece.strip() and piece for piece in parts(text))


def test_the_sentence_around_a_position() -> None:
    text = "First one. Second one. Third."

    start, end = sentence_around(text, text.index("Second") + 3)

    assert text[start:end] == "Second one."
    with pytest.raises(ValueError, match="blank"):
        sentence_around("  ", 0)


@pytest.mark.parametrize("unit", [".", " ", "\n ", "[1]", '"', ". ", "a."])
def test_no_text_takes_quadratic_time(unit: str) -> None:
    began = time.perf_counter()

    sentence_spans(unit * 200_000)

    assert time.perf_counter() - began < 10


def test_headings_and_scraps_are_no_sentences_of_a_passage() -> None:
    text = "# The tower\n\nIt is 58 ells high. Yes."
    whole = Passage(id="a", document="a", start=9, end=9 + len(text), text=text)
    (found,) = sentences_of(whole)
    assert found.text == "It is 58 ells high."
    assert (" " * 9 + text)[found.start : found.end] == found.text
    assert found.id != whole.id
