"""Metadata of documents, and the language that they seem to be in."""

from __future__ import annotations

# ruff: noqa: RUF001 (letters of many scripts are meant)
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import DataError
from groundtune.data.languages import guess_language
from groundtune.data.metadata import (
    Sidecar,
    find_sidecar,
    from_fields,
    front_matter,
    is_sidecar,
    iso_date,
    language_code,
    read_sidecar,
)
from groundtune.data.read import read_document

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sidecar_wins_over_front_matter_and_that_over_the_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "---\ntitle: From above\ndate: 2024-03-01\nauthors:\n - Ada\n - Bob\n---\n"
        "# Heading\n\nThis is what is said in the text of it.\n"
    )
    (tmp_path / "a.md.meta.yaml").write_text("date: 2025-01-01\npath: /etc\nn: 3\n")

    document = read_document(path, root=tmp_path)

    assert document.title == "From above"
    assert document.text.startswith("---\ntitle")
    assert document.metadata == {
        "path": "a.md",
        "source_format": "markdown",
        "title": "From above",
        "author": "Ada, Bob",
        "date": "2025-01-01",
        "n": "3",
        "lang": "en",
    }


def test_a_broken_sidecar_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    beside = tmp_path / "a.txt.meta.json"
    beside.write_text("[1]")

    with pytest.raises(DataError, match="not a mapping") as error:
        read_document(path, root=tmp_path)
    assert error.value.where == str(beside)


def test_a_sidecar_needs_its_document(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    beside = tmp_path / "a.pdf.meta.json"
    beside.write_text("{}")

    assert not is_sidecar(beside)
    path.write_text("x")
    assert is_sidecar(beside)
    assert find_sidecar(path) == beside


def test_fields_become_flat_texts() -> None:
    fields = {
        "Title": "  A\n B ",
        "tags": ["x", 1, None, {"no": 1}],
        "a": {"b": {"c": True}},
        "language": "de_AT",
        "published": "01 Mar 2024 10:00 +0100",
        "source_format": "mine",
        "long": "y" * 5000,
    }

    assert from_fields(fields) == {
        "title": "A B",
        "tags": "x, 1",
        "a.b.c": "true",
        "lang": "de",
        "date": "2024-03-01",
        "long": "y" * 1000,
    }


def test_a_date_that_is_none_is_kept_under_another_name() -> None:
    assert from_fields({"date": "in spring"}) == {"date_text": "in spring"}


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-03-01T10:00:00Z", "2024-03-01"),
        ("2024-03", "2024-03"),
        ("2024", "2024"),
        ("D:20240301120000+01'00'", "2024-03-01"),
        ("2024/03/01", "2024-03-01"),
        ("Fri, 01 Mar 2024 10:00:00 +0100", "2024-03-01"),
        ("2024-13-01", ""),
        ("soon", ""),
        ("", ""),
    ],
)
def test_dates(value: str, day: str) -> None:
    assert iso_date(value) == day


def test_language_tags() -> None:
    assert language_code("en-GB") == "en"
    assert language_code("English") == ""


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nJust prose between two rules.\n\n---\n",
        "---\na: [\n---\n",
        "---\n- a\n- b\n---\n",
        "text\n---\na: b\n---\n",
        "---\na: b\n",
    ],
)
def test_what_is_no_front_matter_gives_none(text: str) -> None:
    assert front_matter(text) == {}


def test_yaml_makes_nothing_but_texts() -> None:
    raw = b"a: !!python/object/apply:os.system ['true']\nb: 2024-01-01\nc: yes\n"

    found = read_sidecar(Sidecar(raw, "a.meta.yaml"))

    assert found == {"a": "true", "b": "2024-01-01", "c": "yes"}


def test_yaml_that_doubles_itself_stays_small() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    found = read_sidecar(Sidecar("\n".join(lines).encode(), "a.meta.yaml"))

    assert sum(map(len, found.values())) < 100


def test_a_sidecar_as_large_as_a_document_is_refused() -> None:
    raw = json.dumps({"a": "x" * 70_000}).encode()

    with pytest.raises(DataError, match="at most 65536"):
        read_sidecar(Sidecar(raw, "a.meta.json"))


SENTENCES = {
    "en": "The committee will decide whether it can be done with what there is.",
    "de": "Der Ausschuss wird entscheiden, ob es mit dem, was da ist, auch geht.",
    "fr": "Le comité décidera dans les jours qui viennent si cela est possible.",
    "es": "El comité decidirá si es posible con lo que hay en el país este año.",
    "it": "Il comitato deciderà nei prossimi giorni se è possibile con quello che c'è.",
    "pt": "O comité vai decidir se é possível com o que existe no país não agora.",
    "nl": "De commissie zal besluiten of het mogelijk is met wat er nu in het land is.",
    "sv": "Kommittén ska besluta om det är möjligt med det som finns i landet nu.",
    "da": "Udvalget skal nu beslutte, om det er muligt med det, som de har fra os.",
    "fi": "Valiokunta päättää, onko se mahdollista, mutta se ei ole vielä varma, että.",
    "hu": "A bizottság dönt arról, hogy ez lehetséges-e, de az nem biztos, és kell.",
    "ro": "Comitetul va decide dacă este posibil cu ce există în țară și nu mai mult.",
    "tr": "Komite bunun mümkün olup olmadığına karar verecek ve bu çok önemli bir şey.",
    "ru": "Комитет решит, можно ли это сделать, и не только это, но и то, что было.",
    "el": "Η επιτροπή θα αποφασίσει αν είναι δυνατόν με ό,τι υπάρχει στη χώρα τώρα.",
    "ar": "سوف تقرر اللجنة في هذا الأسبوع ما إذا كان ذلك من الممكن على أن لا يكون هذا",
    "zh": "委员会将决定这是否可能，以及需要多少时间。",
    "ja": "委員会はこれが可能かどうかを決定します。",
}


@pytest.mark.parametrize("lang", SENTENCES)
def test_languages_are_told_apart(lang: str) -> None:
    assert guess_language(SENTENCES[lang] * 3) == lang


@pytest.mark.parametrize("text", ["", "x = 1\ny = 2\n", "Lorem ipsum dolor " * 9, "12"])
def test_no_guess_rather_than_a_wrong_one(text: str) -> None:
    assert guess_language(text) == ""


@pytest.mark.parametrize("lang", ["en", "de"])
def test_captions_of_pictures_are_in_their_language(
    shared_data: Path, lang: str
) -> None:
    raw = (shared_data / f"multi30k/val.{lang}.gz").read_bytes()
    lines = gzip.decompress(raw).decode().splitlines()
    texts = [" ".join(lines[start : start + 5]) for start in range(0, 1000, 5)]

    guesses = [guess_language(text) for text in texts]

    assert guesses.count(lang) >= 0.97 * len(texts)
    assert sum(1 for guess in guesses if guess not in {lang, ""}) <= 2
