"""Scores of one answer, against expectations written by hand from the SQuAD rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.measure.answers import (
    contains,
    exact_match,
    normalise,
    score_answer,
    token_f1,
)
from groundtune.measure.citations import citation_precision, citation_recall, grounded
from groundtune.measure.retrieval import (
    first_rank,
    hit_at,
    hit_rate,
    mean_reciprocal_rank,
)
from groundtune.measure.rows import Place, Row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Eiffel Tower!", "eiffel tower"),
        ("U.S.A.", "usa"),
        ("an apple, a day; the end.", "apple day end"),
        ("theatre of Athens", "theatre of athens"),
        ("  two\t\nlines  ", "two lines"),
        ("the a an", ""),
        ("", ""),
        ("!?", ""),
        ("anti-hero", "antihero"),
        ("a-b", "ab"),
        ("Café Ångström", "café ångström"),
        ("«Nein», sagte er", "«nein» sagte er"),
        ("1,234.5", "12345"),
        ("日本 の 首都", "日本 の 首都"),
        ("ÉCOLE", "école"),
    ],
)
def test_normalisation_follows_the_official_rules(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("prediction", "references", "f1", "exact"),
    [
        ("the Denver Broncos", ["Denver Broncos"], 1.0, 1.0),
        ("Denver", ["Denver Broncos"], 2 / 3, 0.0),
        ("Broncos of Denver", ["Denver Broncos"], 0.8, 0.0),
        ("Denver Denver", ["Denver Broncos"], 0.5, 0.0),
        ("Paris", ["London", "in Paris"], 2 / 3, 0.0),
        ("Paris", ["London", "paris."], 1.0, 1.0),
        ("", ["Paris"], 0.0, 0.0),
        ("the", ["Paris"], 0.0, 0.0),
        ("the", ["a"], 1.0, 1.0),
        ("Paris", [], 0.0, 0.0),
        ("Łódź", ["łódź"], 1.0, 1.0),
    ],
)
def test_scores_by_hand(
    prediction: str, references: list[str], f1: float, exact: float
) -> None:
    assert token_f1(prediction, references) == pytest.approx(f1)
    assert exact_match(prediction, references) == exact


@pytest.mark.parametrize(
    ("text", "references", "expected"),
    [
        ("It was Neil Armstrong, in 1969.", ["Neil Armstrong"], 1.0),
        ("It was Neil A. Armstrong", ["Neil Armstrong"], 1.0),
        ("Armstrong, Neil", ["Neil Armstrong"], 0.0),
        ("a party", ["art"], 0.0),
        ("anything", ["the"], 0.0),
        ("anything", [], 0.0),
    ],
)
def test_contains_whole_words_in_order(
    text: str, references: list[str], expected: float
) -> None:
    assert contains(text, references) == expected


def test_unanswerable_is_right_only_by_abstaining() -> None:
    right = score_answer("", [], answerable=False, abstained=True)
    wrong = score_answer("Paris", [], answerable=False, abstained=False)
    assert set(right.values()) == {1.0}
    assert set(wrong.values()) == {0.0}
    assert right.keys() == wrong.keys()


def test_abstaining_from_an_answerable_case_scores_nothing() -> None:
    scores = score_answer(
        "not in the documents", ["the documents"], answerable=True, abstained=True
    )
    assert set(scores.values()) == {0.0}


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_scores_are_shares_and_agree(prediction: str, references: list[str]) -> None:
    f1 = token_f1(prediction, references)
    assert 0 <= f1 <= 1
    if exact_match(prediction, references):
        assert f1 == 1
    for reference in references:
        assert token_f1(reference, references) == 1
        assert token_f1(prediction, [reference]) == pytest.approx(
            token_f1(reference, [prediction])
        )


@given(st.text(max_size=60))
def test_normalising_keeps_no_ascii_capitals_or_double_spaces(text: str) -> None:
    found = normalise(text)
    assert "  " not in found
    assert found == found.strip()
    assert not any("A" <= char <= "Z" for char in found)


def _row(
    *, prediction: str = "Rome", cited: tuple[Place, ...] = (), **extra: object
) -> Row:
    base: dict[str, object] = {
        "case": "c",
        "system": "rag",
        "seed": 0,
        "group": "g",
        "question": "?",
        "answers": ("Rome",),
        "answerable": True,
        "prediction": prediction,
        "scores": {},
        "citations": cited,
    }
    return Row(**{**base, **extra})  # pyright: ignore[reportArgumentType]


_GOOD = Place(document="d", start=0, end=16, text="Rome is the seat")
_BAD = Place(document="d", start=50, end=60, text="Milan is so")


def test_citations_are_right_by_text_or_by_gold_passage() -> None:
    row = _row(cited=(_GOOD, _BAD))
    assert citation_precision(row) == 0.5
    assert citation_recall(row) == 1.0
    gold = _row(cited=(_BAD,), gold=(Place(document="d", start=40, end=90),))
    assert citation_precision(gold) == 1.0
    elsewhere = _row(cited=(_BAD,), gold=(Place(document="e", start=40, end=90),))
    assert citation_precision(elsewhere) == 0.0


def test_citing_nothing_has_no_precision_and_no_recall() -> None:
    assert citation_precision(_row()) is None
    assert citation_recall(_row()) == 0.0
    assert citation_recall(_row(answerable=False, answers=())) is None


def test_grounded_is_the_share_of_words_borne_out() -> None:
    assert grounded(_row(cited=(_GOOD,))) == 1.0
    assert grounded(_row(prediction="It's Rome", cited=(_GOOD,))) == 0.5
    assert grounded(_row(cited=(_BAD,))) == 0.0
    assert grounded(_row()) == 0.0
    assert grounded(_row(abstained=True)) is None


def test_retrieval_measures_count_misses() -> None:
    ranks = [1, 2, None, 4]
    assert hit_rate(ranks, k=3) == 0.5
    assert hit_rate(ranks, k=4) == 0.75
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 0.5 + 0 + 0.25) / 4)
    assert first_rank([False, False]) is None
    with pytest.raises(ValueError, match="k is 0"):
        hit_at(1, 0)
    with pytest.raises(ValueError, match="no queries"):
        hit_rate([], k=1)
