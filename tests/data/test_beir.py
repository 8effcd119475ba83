"""BEIR folders as they are, and as they should not be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import DataError
from groundtune.data.beir import read_beir

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = (
    {"_id": "1", "title": "Owls", "text": "Owls hunt at night."},
    {"_id": "2", "title": "", "text": "Bats\u2028sleep by day."},
    {"_id": "3", "title": "A title alone", "text": " "},
    {"_id": "4", "title": "", "text": ""},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    lines = (json.dumps(raw, ensure_ascii=False) for raw in CORPUS)
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n\n", "utf-8")
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "who hunts?"}\n{"_id": "q2", "text": "who sleeps?"}\n'
    )
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\t1\t2\nq1\t2\t0\nq2\t2\t1\n"
    )
    return tmp_path


def test_reads_documents_queries_and_judgements(folder: Path) -> None:
    found = read_beir(folder)

    assert found.queries == {"q1": "who hunts?", "q2": "who sleeps?"}
    assert found.judged("test") == {"q1": {"1": 2.0, "2": 0.0}, "q2": {"2": 1.0}}
    documents = {document.id: document for document in found.documents()}
    assert documents["1"].title == "Owls"
    assert documents["2"].text == "Bats\u2028sleep by day."


def test_a_title_alone_is_a_text_and_nothing_is_no_document(folder: Path) -> None:
    documents = {d.id: d for d in read_beir(folder).documents()}

    assert documents["3"].text == "A title alone"
    assert documents["3"].title == ""
    assert "4" not in documents


@pytest.mark.parametrize(
    ("file", "line", "problem", "place"),
    [
        ("corpus.jsonl", "{", "not JSON", "corpus.jsonl:6"),
        ("corpus.jsonl", "[1]", "not a JSON object", "corpus.jsonl:6"),
        ("corpus.jsonl", '{"_id": "1", "text": "x"}', "used before", "corpus.jsonl:6"),
        ("corpus.jsonl", '{"text": "x"}', "_id is None", "corpus.jsonl:6"),
        ("queries.jsonl", '{"_id": "q3"}', "text is None", "queries.jsonl:3"),
        ("qrels/test.tsv", "q1\t1", "not a judgement", "test.tsv:5"),
        ("qrels/test.tsv", "q9\t1\t1", "'q9'", "test.tsv:5"),
    ],
)
def test_a_bad_line_is_named(
    folder: Path, file: str, line: str, problem: str, place: str
) -> None:
    with (folder / file).open("a") as stream:
        stream.write(line + "\n")

    with pytest.raises(DataError) as caught:
        list(read_beir(folder).documents())
    assert problem in caught.value.problem
    assert caught.value.where.endswith(place)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(DataError, match=name):
        read_beir(folder)


def test_a_missing_split_names_those_there_are(folder: Path) -> None:
    with pytest.raises(DataError, match="use one of test"):
        read_beir(folder).judged("train")


def test_no_judgements_at_all(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n")

    with pytest.raises(DataError, match="judges nothing"):
        read_beir(folder)
