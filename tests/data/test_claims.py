"""Files of claims become cases, and say which documents decide them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import DataError
from groundtune.data.claims import fact_label, read_claims
from groundtune.data.rows import RowError

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str, *rows: dict[str, Any]) -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_claim_with_its_evidence(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "claims.jsonl",
        {
            "id": "a",
            "claim": "The ferry  sails\nat six.",
            "label": "Supported",
            "evidence": "The first boat\nleaves at 6:00.",
            "source": "timetable.md",
        },
        {"claim": "It has a bar.", "label": "not enough info"},
    )

    data = read_claims(file)

    first, second = data.cases
    assert (first.id, first.claim, first.label) == (
        "a",
        "The ferry sails at six.",
        "SUPPORTED",
    )
    assert first.evidence == ("The first boat leaves at 6:00.",)
    assert first.source == first.group == "timetable.md"
    (known,) = data.evidence["a"]
    assert known == ("timetable.md", ("The first boat leaves at 6:00.",), True)
    assert second.id
    assert second.label == "NOT_ENOUGH_INFO"
    assert data.evidence[second.id] == ()
    assert data.format == "claims"


def test_a_table_of_claims(tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text('claim,label,evidence\n"It sails, daily.",REFUTES,"[""No.""]"\n')

    data = read_claims(file)

    assert data.format == "csv"
    assert data.cases[0].label == "REFUTED"
    assert data.cases[0].evidence == ("No.",)


SCIFACT = {
    "id": 7,
    "claim": "Zinc cures colds.",
    "evidence": {"12": [{"sentences": [1], "label": "CONTRADICT"}]},
    "cited_doc_ids": [12, 15],
}


def test_scifact_names_sentences_of_the_corpus_beside_it(tmp_path: Path) -> None:
    write(
        tmp_path, "corpus.jsonl", {"_id": "12", "sentences": ["A trial.", "No cure.\n"]}
    )
    undecided = {"id": 8, "claim": "Zinc is blue.", "evidence": {}}
    file = write(
        tmp_path, "claims_train.jsonl", SCIFACT, {**undecided, "cited_doc_ids": [15]}
    )

    data = read_claims(file)

    assert [case.label for case in data.cases] == ["REFUTED", "NOT_ENOUGH_INFO"]
    assert data.evidence["7"] == (("12", ("No cure.",), True), ("15", (), False))
    assert data.evidence["8"] == (("15", (), False),)
    assert data.cases[0].evidence == ("No cure.",)


def test_scifact_without_its_corpus_knows_the_documents(tmp_path: Path) -> None:
    data = read_claims(write(tmp_path, "claims.jsonl", SCIFACT))

    assert data.evidence["7"][0] == ("12", (), True)


def test_the_real_file_has_its_published_counts(shared_data: Path) -> None:
    data = read_claims(shared_data / "scifact" / "claims_dev.jsonl")

    labels = [case.label for case in data.cases]
    assert [labels.count(name) for name in ("SUPPORTED", "REFUTED")] == [124, 64]
    assert labels.count("NOT_ENOUGH_INFO") == 112
    assert all(case.evidence for case in data.cases if case.label != "NOT_ENOUGH_INFO")


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"claim": "A.", "label": "perhaps"}, "unknown_label"),
        ({"claim": "A."}, "unknown_label"),
        ({"claim": " ", "label": "SUPPORTED"}, "empty_text"),
        ({"claim": "A.", "label": "REFUTED", "evidence": [3]}, "bad_evidence"),
        (
            {
                "claim": "A.",
                "evidence": {
                    "1": [{"sentences": [0], "label": "SUPPORT"}],
                    "2": [{"sentences": [0], "label": "CONTRADICT"}],
                },
            },
            "label_conflict",
        ),
    ],
)
def test_a_row_that_is_no_claim_is_told(
    tmp_path: Path, row: dict[str, Any], kind: str
) -> None:
    file = write(tmp_path, "claims.jsonl", row)

    with pytest.raises(RowError) as stop:
        read_claims(file)

    assert stop.value.kind == kind
    assert stop.value.fix
    assert stop.value.where.endswith("claims.jsonl:1")


def test_ids_are_given_once(tmp_path: Path) -> None:
    row = {"id": 1, "claim": "A.", "label": "SUPPORTED"}

    with pytest.raises(DataError, match="used before"):
        read_claims(write(tmp_path, "claims.jsonl", row, {**row, "claim": "B."}))


def test_names_of_labels() -> None:
    assert fact_label("SUPPORTS") == "SUPPORTED"
    assert fact_label("not_enough_info") == "NOT_ENOUGH_INFO"
    assert fact_label(None) is None
