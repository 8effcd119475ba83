from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.core.values import Citation, Hit, Passage
from groundtune.generate.citations import ground

MOON = (
    "The mission left on 16 July. Dr. Neil Armstrong was the first person to walk on "
    'the Moon. He said: "That\u2019s one small step for man." Buzz Aldrin followed.'
)
OTHER = "The lander was called Eagle. Michael Collins stayed in orbit."


def hits(*texts: str, start: int = 0) -> list[Hit]:
    """Passages of one document each, cut out of it at `start`."""
    return [
        Hit(
            passage=Passage(
                id=f"p{number}",
                document=f"d{number}",
                start=start,
                end=start + len(text),
                text=text,
            ),
            score=1.0 / number,
        )
        for number, text in enumerate(texts, start=1)
    ]


def only(text: str, *texts: str) -> Citation:
    (citation,) = ground(text, hits(*texts)).citations
    return citation


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Neil Armstrong [1]", "Neil Armstrong"),
        ("Neil Armstrong [1].", "Neil Armstrong."),
        ("Neil Armstrong.[1]", "Neil Armstrong."),
        ("[1] Neil Armstrong", "Neil Armstrong"),
        ("Neil [2][1] Armstrong [1, 2]", "Neil Armstrong"),
        ("Neil Armstrong [ 1 ; 2 ]\n", "Neil Armstrong"),
    ],
)
def test_marks_are_taken_out(text: str, clean: str) -> None:
    found = ground(text, hits(MOON, OTHER))

    assert found.text == clean
    assert "Neil Armstrong was the first" in found.citations[0].text


def test_a_bracket_that_is_no_mark_stays() -> None:
    assert ground("an array x[i] of [many] things", []).text == (
        "an array x[i] of [many] things"
    )


def test_a_citation_is_the_sentence_and_resolves_in_the_document() -> None:
    document = "Preface. " + MOON
    found = ground("Neil Armstrong [1]", hits(MOON, start=len("Preface. ")))

    (citation,) = found.citations
    assert citation.text == (
        "Dr. Neil Armstrong was the first person to walk on the Moon."
    )
    assert document[citation.start : citation.end] == citation.text


def test_quotes_and_case_do_not_hide_the_place() -> None:
    assert "small step" in only('"that\'s One Small Step for man" [1]', MOON).text


@pytest.mark.parametrize("mark", ["[2]", "[7]", "[0]", ""])
def test_a_wrong_or_absent_mark_gives_way_to_where_the_answer_stands(
    mark: str,
) -> None:
    citation = only(f"Neil Armstrong {mark}", MOON, OTHER)

    assert citation.document == "d1"


def test_the_named_passage_is_kept_where_several_hold_the_answer() -> None:
    assert only("Eagle [2]", OTHER, OTHER).document == "d2"
    assert only("Eagle", OTHER, OTHER).document == "d1"


def test_an_answer_in_other_words_is_cited_by_what_it_shares() -> None:
    citation = only("Collins stayed behind in lunar orbit [2].", MOON, OTHER)

    assert citation.text == "Michael Collins stayed in orbit."


def test_an_answer_that_stands_nowhere_is_not_cited() -> None:
    assert ground("Yuri Gagarin, in 1961 [1]", hits(MOON, OTHER)).citations == ()
    assert ground("It was the [1]", hits(OTHER)).citations == ()


def test_each_sentence_of_a_long_answer_is_cited_once() -> None:
    answer = (
        "Neil Armstrong was the first person to walk on the Moon [1]. "
        "The lander was called Eagle [1][2]. Neil Armstrong [1]."
    )

    found = ground(answer, hits(MOON, OTHER))

    assert [citation.document for citation in found.citations] == ["d1", "d2", "d1"]
    sentences = [citation.sentence for citation in found.citations]
    assert [found.text[s.start : s.end] for s in sentences if s] == [
        "Neil Armstrong was the first person to walk on the Moon.",
        "The lander was called Eagle.",
        "Neil Armstrong.",
    ]
    assert not found.unsupported


def test_an_answer_over_two_sentences_cites_both() -> None:
    found = ground("walk on the Moon. He said", hits(MOON))

    assert [citation.text[:8] for citation in found.citations] == [
        "Dr. Neil",
        "He said:",
    ]


@pytest.mark.parametrize("text", ["", " ", "[1]", "[1][2]", "..."])
def test_nothing_said_is_nothing_cited(text: str) -> None:
    found = ground(text, hits(MOON))

    assert found.citations == ()
    assert "[" not in found.text


prose = st.text(alphabet="ab AB.!?\n'\"[]12\u00e9\u2019", max_size=60)


@given(answer=prose, texts=st.lists(prose, max_size=4), start=st.integers(0, 50))
def test_citations_always_resolve(answer: str, texts: list[str], start: int) -> None:
    found = ground(answer, hits(*texts, start=start))

    for citation in found.citations:
        passage = texts[int(citation.document[1:]) - 1]
        assert citation.text
        assert passage[citation.start - start : citation.end - start] == citation.text
    assert len(set(found.citations)) == len(found.citations)
    assert not re.search(r"\[\d+\]", found.text) or re.search(r"\[.*\[", answer)


def test_of_words_that_differ_in_case_the_ones_written_alike_are_cited() -> None:
    passage = "May I go? You may. The bill is due in May."

    assert [c.text for c in ground("may [1]", hits(passage)).citations] == ["You may."]
    assert [c.text for c in ground("MAY [1]", hits(passage)).citations] == ["May I go?"]


@given(passage=prose.filter(str.strip), data=st.data())
def test_an_answer_copied_from_a_passage_is_found_in_it(
    passage: str, data: st.DataObject
) -> None:
    words = [word for word in re.findall(r"[^\W_]+", passage) if word not in "aA"]
    if not words:
        return
    word = data.draw(st.sampled_from(words))

    (citation,) = ground(f"{word} [1]", hits(passage)).citations

    assert word in citation.text


@given(answer=prose)
def test_grounding_a_clean_text_changes_nothing_more(answer: str) -> None:
    once = ground(answer, hits(MOON)).text

    if not re.search(r"\[\s*\d", once):
        assert ground(once, hits(MOON)).text == once


def test_a_quotation_and_what_stands_around_it_are_looked_up_apart() -> None:
    text = (
        'Mira Holt was the first to climb the tower. She said: "The river is so small."'
    )
    passage = Passage(id="p", document="d", start=7, end=7 + len(text), text=text)

    grounded = ground(
        "The first to climb the tower was Mira Holt, who famously said, "
        "\u201cThe river is so small.\u201d",
        [Hit(passage=passage, score=1.0)],
    )

    assert [citation.text for citation in grounded.citations] == [
        "Mira Holt was the first to climb the tower.",
        'She said: "The river is so small."',
    ]


def test_sentences_without_support_are_named() -> None:
    found = ground(
        "The lander was called Eagle. Its seats were green velvet.", hits(MOON, OTHER)
    )

    assert [found.text[s.start : s.end] for s in found.unsupported] == [
        "Its seats were green velvet."
    ]
    assert len(found.citations) == 1


@pytest.mark.parametrize(
    ("said", "supported"),
    [
        ("A drill may be kept at home for five days.", True),
        ("A drill may be kept at home for four days.", False),
        ("A drill may not be kept at home for five days.", False),
        ("A drill may be kept at home for 5 days.", False),
    ],
)
def test_other_numbers_and_a_no_are_not_borne_out(said: str, supported: bool) -> None:
    passage = "A drill, being a power tool, may be kept for five days at home."
    found = ground(said, hits(passage))
    assert bool(found.citations) == supported
    assert bool(found.unsupported) != supported
