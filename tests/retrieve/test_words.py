from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from groundtune.retrieve.words import language_code, terms


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "flooding rivers", "floods river"),
        ("de", "Häuser", "Haus"),
        ("fr", "continuellement", "continuelle"),
        ("es", "canciones", "canción"),
        ("ru", "книги", "книга"),
    ],
)
def test_word_forms_meet_in_one_stem(language: str, one: str, other: str) -> None:
    assert terms(one, [language]) == terms(other, [language])


def test_accents_case_and_width_make_no_difference() -> None:
    assert terms("CAFÉ", ["en"]) == terms("cafe", ["en"]) == "cafe"
    assert terms("ＡＢＣ", ["en"]) == "abc"  # noqa: RUF001 (wide letters are meant)
    assert terms("snake_case x-ray", ["en"]) == "snake case x ray"


def test_a_query_is_stemmed_by_every_language_that_is_present() -> None:
    found = terms("running houses", ["de", "en"]).split()

    assert {*terms("running houses", ["en"]).split()} <= {*found}
    assert {*terms("running houses", ["de"]).split()} <= {*found}
    assert len(found) == len(set(found))


def test_scripts_without_spaces_become_pairs() -> None:
    assert terms("東京都庁", ["ja"]) == "東京 京都 都庁"
    assert terms("東 京", ["zh"]) == "東 京"
    assert {*terms("京都", ["ja"]).split()} <= {*terms("東京都へ", ["ja"]).split()}


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("DE_at", "de"),
        ("nb", "no"),
        ("eng", ""),
        ("", ""),
    ],
)
def test_language_tags_are_cut_to_two_letters(tag: str, code: str) -> None:
    assert language_code(tag) == code


@given(text=st.text(max_size=80), language=st.sampled_from(["en", "de", "zh", "xx"]))
def test_terms_are_words_that_a_space_divides(text: str, language: str) -> None:
    found = terms(text, [language])

    assert found == " ".join(found.split())
    assert all(len(term) <= 60 for term in found.split())


def in_english(text: str) -> str:
    return terms(text, ["en"])


def test_threads_stem_alike() -> None:
    words = [f"nation{end}{n}x{end}" for n in range(500) for end in ("al", "s", "ing")]
    stemmer: Any = Stemmer.Stemmer("english")

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(in_english, words))

    assert together == [stemmer.stemWord(word) for word in words]
