"""Labelled files to cases, and what is said about broken ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import DataError
from groundtune.core.values import QaCase
from groundtune.data.cases import read_cases, write_cases
from groundtune.data.squad import is_squad, read_squad_cases, read_squad_documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"id": "1", "question": "Who?", "answers": ["Ada", "Ada L."], "source": "a.md"},
    {"id": "2", "question": "Why, when?", "answers": [], "answerable": False},
]
SQUAD: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {
            "title": "Blue_Moon",
            "paragraphs": [
                {
                    "context": " The moon is blue. It is. ",
                    "qas": [
                        {
                            "id": "q1",
                            "question": "What colour? ",
                            "answers": [
                                {"text": "blue", "answer_start": 999},
                                {"text": "blue", "answer_start": 13},
                            ],
                            "is_impossible": False,
                        },
                        {
                            "id": "q2",
                            "question": "How heavy?",
                            "answers": [],
                            "plausible_answers": [{"text": "blue", "answer_start": 1}],
                            "is_impossible": True,
                        },
                    ],
                }
            ],
        },
        {"title": "Blue_Moon", "paragraphs": [{"context": "Other.", "qas": []}]},
    ],
}


def jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def array(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")


def comma(path: Path) -> None:
    path.write_text(
        "id,question,answers,source,answerable,note\r\n"
        '1,Who?,"[""Ada"", ""Ada L.""]",a.md,,x\r\n'
        '2,"Why, when?",,,no,y\r\n',
        encoding="utf-8",
    )


def tab(path: Path) -> None:
    path.write_text(
        "\ufeffid\tquestion\tanswers\tsource\tanswerable\n"
        '1\tWho?\t["Ada", "Ada L."]\ta.md\ttrue\n\n2\tWhy, when?\t\t\tfalse\n'.replace(
            '["Ada", "Ada L."]', '"[""Ada"", ""Ada L.""]"'
        ),
        encoding="utf-8",
    )


def parquet(path: Path) -> None:
    rows = [{"answerable": None, **row} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize("write", [jsonl, array, comma, tab, parquet])
def test_every_format_is_recognised_by_content(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    path = tmp_path / "cases.dat"
    write(path)

    assert read_cases(path) == [
        QaCase(
            id="1",
            question="Who?",
            answers=("Ada", "Ada L."),
            source="a.md",
            group="a.md",
        ),
        QaCase(id="2", question="Why, when?", answers=(), answerable=False),
    ]


def test_squad_is_recognised_and_answer_start_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")

    cases = read_cases(path)
    documents = read_squad_documents(path)

    assert cases == [
        QaCase(
            id="q1",
            question="What colour?",
            answers=("blue",),
            source="Blue_Moon",
            evidence=("The moon is blue. It is.",),
            group="Blue_Moon",
        ),
        QaCase(
            id="q2",
            question="How heavy?",
            answers=(),
            source="Blue_Moon",
            answerable=False,
            group="Blue_Moon",
        ),
    ]
    assert [document.id for document in documents] == ["Blue_Moon", "Blue_Moon (2)"]
    assert documents[0].text == "Blue Moon\n\nThe moon is blue. It is."
    assert documents[0].title == "Blue Moon"


PARAGRAPHS = SQUAD["data"][0]["paragraphs"]
QUESTION = {"id": "q1", "question": "Q?", "answers": []}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"version": "1"}, "'data' is missing"),
        ({"data": ["x"]}, r"data\[0\]: not a JSON object"),
        ({"data": []}, "no articles"),
        ({"data": [{"title": 7, "paragraphs": []}]}, "'title' is a int"),
        (
            {"data": [{"title": "T", "paragraphs": [*PARAGRAPHS, {"qas": []}]}]},
            r"data\[0\]\.paragraphs\[1\]: 'context' is missing",
        ),
        (
            {
                "data": [
                    {
                        "title": "T",
                        "paragraphs": [{"context": "C", "qas": [QUESTION]}],
                    }
                ]
            },
            r"paragraphs\[0\]\.qas\[0\]: question 'q1' has no answer",
        ),
    ],
)
def test_broken_squad_says_where(tmp_path: Path, raw: object, message: str) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(raw), encoding="utf-8")

    with pytest.raises(DataError, match=message):
        read_cases(path, format="squad")


def test_real_squad(shared_data: Path) -> None:
    path = shared_data / "squad" / "v2.0.json"
    texts = {document.id: document.text for document in read_squad_documents(path)}
    cases = read_squad_cases(path)

    assert is_squad(path)
    assert len(cases) == 4186
    assert len(texts) == 11
    for case in cases:
        assert bool(case.answers) == case.answerable
        for quote in case.evidence:
            assert quote in texts[case.source]
            assert any(answer in quote for answer in case.answers)


def test_broken_json_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"question": "Q", "answers": ["A"]}\n{"question": "Q2", "ans\n')

    with pytest.raises(DataError) as error:
        read_cases(path)

    assert str(error.value) == (
        f"{path}:2: not JSON at column 20: Unterminated string starting at\n"
        "  fix: correct or delete this line: each line is one JSON object"
    )


def test_cases_without_answers(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('\n{"question": "Q", "anwsers": ["A"]}\n')

    with pytest.raises(DataError) as error:
        read_cases(path)

    assert str(error.value) == (
        f"{path}:2: no answers, and not marked as unanswerable\n"
        '  fix: give "answers", or mark the case "answerable": false; '
        "this row has: anwsers, question"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty file"),
        ("[]", "no cases in it"),
        ("hello world", "not a known format of cases"),
        ('{"q": 1}', ':1: no "question"'),
        ("[1]", r"\[0\]: not a JSON object"),
        ('{"question": "Q", "answers": [["A"]]}', "'answers' is list"),
        ('{"question": {"a": 1}, "answers": "A"}', "'question' is dict"),
        ('{"question": "Q", "answers": "A", "answerable": "maybe"}', "'answerable'"),
        (
            '{"question": "Q", "answers": "A", "answerable": false}',
            "marked as unanswerable, and has answers",
        ),
        (
            '{"id": 7, "question": "Q", "answers": "A"}\n'
            '{"id": "7", "question": "R", "answers": "A"}',
            ":2: id '7' was used before, at .*:1",
        ),
        ("question,answers\nQ,A,B\n", ":2: 3 cells, the header has 2"),
        ('question,answers\n"a\nb",A\nQ,A,B\n', ":4: 3 cells"),
        ('question,answers\n"Q,A\n', ":2: not readable as a table"),
        (
            r'{"question": "Half \ud83d", "answers": "A"}',
            ":1: 'question' holds half of a character",
        ),
        ("[" * 100_000, "not a JSON object|not JSON"),
    ],
)
def test_bad_files_say_what_and_where(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "cases"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(DataError, match=message) as error:
        read_cases(path)

    assert error.value.fix
    assert str(path) in error.value.where


def test_not_utf8_and_missing_and_unknown_format(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes("question,answers\nWo?,Köln\n".encode("latin-1"))

    with pytest.raises(DataError, match="not UTF-8 at byte 22"):
        read_cases(path)
    with pytest.raises(DataError, match="No such file"):
        read_cases(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="unknown format 'xml'") as error:
        read_cases(path, format="xml")
    assert "jsonl, json, csv, tsv, parquet, squad" in error.value.fix


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    path.write_bytes(b"PAR1 and nothing more")

    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_cases(path)


def test_hub_layout_of_squad_answers(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    answers = {"text": ["A", "A", "B"], "answer_start": [1, 1, 2]}
    pq.write_table(pa.Table.from_pylist([{"question": "Q", "answers": answers}]), path)

    assert read_cases(path)[0].answers == ("A", "B")


def test_rows_without_id_get_one_that_stays(tmp_path: Path) -> None:
    row = '{"question": "Q", "answer": "A"}\n'
    path = tmp_path / "cases.jsonl"
    path.write_text(row * 2 + '{"question": "R", "answer": 42}\n')

    first, second, third = read_cases(path)

    assert second.id == f"{first.id}-2"
    assert third.answers == ("42",)
    path.write_text(row)
    assert read_cases(path)[0].id == first.id


TEXT = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)
CASES = st.lists(
    st.builds(
        QaCase,
        id=TEXT,
        question=TEXT,
        answers=st.lists(TEXT, min_size=1, unique=True).map(tuple),
        source=TEXT,
        evidence=st.lists(TEXT, max_size=2, unique=True).map(tuple),
        group=TEXT,
    ),
    min_size=1,
    unique_by=lambda case: case.id,
)


@settings(deadline=None, max_examples=40)
@given(cases=CASES)
def test_written_cases_read_back_the_same(
    cases: list[QaCase], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if any("\0" in case.question for case in cases):
        return
    path = tmp_path_factory.mktemp("cases") / "cases.jsonl"

    write_cases(path, cases)

    assert read_cases(path) == cases
