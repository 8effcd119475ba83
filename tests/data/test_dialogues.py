"""Conversations that end with a question: ours and those of doc2dial."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import DataError
from groundtune.core.values import Message
from groundtune.data.dialogues import read_dialogue_documents, read_dialogues

if TYPE_CHECKING:
    from pathlib import Path

OURS: dict[str, Any] = {
    "id": "1",
    "messages": [
        {"role": "user", "content": " Is there a fee? "},
        {"role": "agent", "content": "Yes."},
        {"role": "user", "content": "How much?"},
    ],
    "answers": ["two crowns"],
    "source": "fees.md",
    "evidence": "The fee is two crowns.",
}
TURN: dict[str, Any] = {
    "id": "d_3",
    "doc_id": "dmv::Fees#1",
    "question": "How much?",
    "history_latest_first": ["agent:Yes: there is.", "user:", "user:Is there a fee?"],
    "answers": {"text": ["two crowns "], "answer_start": [11]},
}


def written(folder: Path, *rows: object) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_our_layout(tmp_path: Path) -> None:
    (case,) = read_dialogues(written(tmp_path, OURS))

    assert case.messages == (
        Message("user", "Is there a fee?"),
        Message("assistant", "Yes."),
        Message("user", "How much?"),
    )
    assert case.answers == ("two crowns",)
    assert case.evidence == ("The fee is two crowns.",)
    assert (case.source, case.group) == ("fees.md", "fees.md")


def test_the_layout_of_doc2dial(tmp_path: Path) -> None:
    (case,) = read_dialogues(written(tmp_path, TURN))

    assert case.messages == (
        Message("user", "Is there a fee?"),
        Message("assistant", "Yes: there is."),
        Message("user", "How much?"),
    )
    assert case.evidence == case.answers == ("two crowns",)
    assert case.source == "dmv::Fees#1"


def test_a_row_without_id_gets_one_from_its_content(tmp_path: Path) -> None:
    row = {key: value for key, value in OURS.items() if key != "id"}
    (first,) = read_dialogues(written(tmp_path, row))
    (other,) = read_dialogues(written(tmp_path, {**row, "source": "more.md"}))

    assert len(first.id) == 12
    assert first.id != other.id


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            {**OURS, "messages": OURS["messages"][:2]},
            "the last turn is the assistant's",
        ),
        ({**OURS, "messages": []}, "no turns"),
        ({**OURS, "messages": "Hello"}, "'messages' is a str"),
        ({**OURS, "messages": [{"role": "bird", "content": "tweet"}]}, "not a turn"),
        ({**OURS, "messages": [{"role": "user", "content": " "}]}, "says nothing"),
        ({**OURS, "answers": []}, "no answers"),
        ({**OURS, "answers": [3]}, "not a text or a list of texts"),
        ({**TURN, "history_latest_first": ["so there"]}, "nobody says"),
        ({**TURN, "question": ""}, "the last turn is the assistant's"),
        ({**OURS, "source": ["a"]}, "'source' is list"),
        ([1], "not a JSON object"),
    ],
)
def test_a_row_in_another_form_is_named_by_its_line(
    tmp_path: Path, row: object, problem: str
) -> None:
    path = written(tmp_path, OURS, row)

    with pytest.raises(DataError) as caught:
        read_dialogues(path)

    assert problem in caught.value.problem
    assert caught.value.where == f"{path}:2"


def test_ids_are_given_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was used before"):
        read_dialogues(written(tmp_path, OURS, OURS))


def test_a_file_without_cases_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text("[]\n")

    with pytest.raises(DataError, match="not a JSON object"):
        read_dialogues(path)


def test_documents_of_doc2dial(tmp_path: Path) -> None:
    row = {"doc_id": "dmv::Fees#1", "title": "Fees", "text": " The fee is 2 crowns.\n"}
    (document,) = read_dialogue_documents(written(tmp_path, row))

    # Not stripped: spans of answers count from the beginning of the text.
    assert document.text == row["text"]
    assert (document.id, document.title) == ("dmv::Fees#1", "Fees")
    for wrong in ({**row, "text": " "}, {"text": "x"}):
        with pytest.raises(DataError, match="no "):
            read_dialogue_documents(written(tmp_path, wrong))
    with pytest.raises(DataError, match="used before"):
        read_dialogue_documents(written(tmp_path, row, row))


def test_doc2dial_itself(shared_data: Path) -> None:
    cases = read_dialogues(shared_data / "doc2dial" / "val_questions.jsonl")
    found = read_dialogue_documents(shared_data / "doc2dial" / "docs.jsonl")
    texts = {document.id: document.text for document in found}

    assert (len(cases), len(found)) == (2789, 189)
    assert all(case.evidence[0] in texts[case.source] for case in cases)
    assert all(case.messages[-1].role == "user" for case in cases)
