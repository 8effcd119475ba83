"""CSV, TSV, JSON and JSON Lines: rows and records that can be understood alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from groundtune.core.errors import DataError
from groundtune.data.read_json import read_json, read_json_lines
from groundtune.data.read_table import read_csv, read_tsv
from groundtune.data.tables import first_row_names


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_row_names_its_columns(separator: str, show: Any) -> None:
    rows = [
        ["name", "born", "note"],
        ["Ada", "1815", '"first, of all;\ttwo|parts"'],
        ["Alan", "1912", ""],
    ]
    text = "\r\n".join(separator.join(row) for row in rows)

    document = read_csv(text.encode(), name="a.csv", where="a.csv")

    assert show(document) == [
        (
            "table",
            0,
            "name: Ada; born: 1815; note: first, of all; two|parts\n"
            "name: Alan; born: 1912",
        )
    ]


def test_a_table_without_names_has_none_invented() -> None:
    document = read_csv(b"1,2\n3,4\n", name="a.csv", where="a.csv")

    assert document.text == "1 | 2\n3 | 4"


def test_tabs_and_lone_quotes() -> None:
    raw = b'size\ttext\n5" pipe\tgood\n'

    assert read_tsv(raw, name="a", where="a").text == 'size: 5" pipe; text: good'


def test_a_broken_table_names_its_line() -> None:
    raw = b'a,b\n1,"' + b"x" * 200_000 + b'"\n'

    with pytest.raises(DataError, match="field larger") as error:
        read_csv(raw, name="a", where="a.csv")
    assert error.value.where == "a.csv:2"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["a", "b"], ["1", "2"]], True),
        ([["a", "b"]], False),
        ([["a", "a"], ["1", "2"]], False),
        ([["a", "2020"], ["1", "2"]], False),
        ([["A title", "", "", ""], ["a", "b", "c", "d"]], False),
        ([["", "Kiel", "Ulm"], ["rain", "9", "8"]], True),
    ],
)
def test_which_first_rows_are_names(rows: list[list[str]], *, expected: bool) -> None:
    assert first_row_names(rows) is expected


def test_records_become_sections(show: Any) -> None:
    records = [
        {"title": "Leave", "id": 7, "tags": ["a", "b"], "text": "Long.\n\nLonger."},
        {"name": "Pay", "by": {"first": "Ada", "x": [{"y": None}, {"y": 1.5}]}},
    ]

    (document,) = read_json(json.dumps(records).encode(), name="a.json", where="a")

    assert show(document) == [
        ("heading", 1, "Leave"),
        ("list", 0, "id: 7\ntags: a, b"),
        ("paragraph", 0, "Long."),
        ("paragraph", 0, "Longer."),
        ("heading", 1, "Pay"),
        ("list", 0, "by.first: Ada\nby.x.y: 1.5"),
    ]


def test_json_lines(show: Any) -> None:
    raw = '{"title": "A", "text": "x\u2028y"}\n\n{"title": "B", "n": true}\n'.encode()

    (document,) = read_json_lines(raw, name="a.jsonl", where="a.jsonl")

    assert [text for _, _, text in show(document)] == ["A", "x\u2028y", "B", "n: true"]


@pytest.mark.parametrize("key", ["_id", "doc_id", "document_id"])
def test_records_that_name_their_document_are_documents(show: Any, key: str) -> None:
    raw = (
        f'{{"{key}": "a#1", "title": "A", "text": "One.", "lang": "en"}}\n'
        f'{{"{key}": "b#2", "title": "B", "text": "Two."}}\n'
        f'{{"{key}": "c#3", "title": "", "text": ""}}\n'
    ).encode()

    documents = read_json_lines(raw, name="sub/c.jsonl", where="c.jsonl")

    assert [document.id for document in documents] == ["a#1", "b#2"]
    assert [document.title for document in documents] == ["A", "B"]
    assert [text for _, _, text in show(documents[0])] == ["A", "lang: en", "One."]
    assert documents[0].metadata["path"] == "sub/c.jsonl"


@pytest.mark.parametrize(
    "second",
    ['{"_id": "a", "text": "Two."}', '{"text": "Two."}', '{"_id": 7, "text": "Two."}'],
    ids=["the same name", "no name", "a number"],
)
def test_records_of_which_one_has_no_name_of_its_own_are_one(second: str) -> None:
    raw = f'{{"_id": "a", "text": "One."}}\n{second}\n'.encode()

    (document,) = read_json_lines(raw, name="c.jsonl", where="c.jsonl")

    assert document.id == "c.jsonl"


def test_squad_is_still_one_document_an_article() -> None:
    article = {"title": "T", "paragraphs": [{"context": "C.", "qas": []}]}
    raw = json.dumps({"data": [article, {**article, "title": "U"}]}).encode()

    documents = read_json(raw, name="sub/s.json", where="s.json")

    assert [document.id for document in documents] == ["T", "U"]
    assert documents[0].metadata == {"path": "sub/s.json", "source_format": "squad"}


@pytest.mark.parametrize(
    ("raw", "problem", "where"),
    [
        (b'{"a": 1}\n{"a": }\n', "not JSON at column 7", "a:2"),
        (b"[" * 100_000, "nested too deeply", "a:1"),
        (b"1" * 5000, "not JSON that can be read", "a:1"),
        (b"{}\n[]\n", "holds no text", "a"),
    ],
)
def test_broken_json_names_its_line(raw: bytes, problem: str, where: str) -> None:
    with pytest.raises(DataError, match=problem) as error:
        read_json_lines(raw, name="a", where="a")
    assert error.value.where == where


def test_a_list_that_holds_the_body_again_is_read_once() -> None:
    sentences = [f"Sentence {number} says what it says." for number in range(20)]
    other = ["This stands  nowhere else in the record.", *sentences]
    record = {
        "_id": "a",
        "text": " ".join(sentences),
        "sentences": sentences,
        "keywords": ["Sentence", "says"],
        "notes": other,
    }

    (document,) = read_json_lines(
        json.dumps(record).encode(), name="a.jsonl", where="a.jsonl"
    )

    assert document.text.count("Sentence 7 says") == 2  # the body, and the notes
    assert "sentences:" not in document.text
    assert "keywords: Sentence, says" in document.text
    assert "nowhere else" in document.text
