"""Documents and topics with their summaries: read, refused, examined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import DataError
from groundtune.core.values import SummaryCase
from groundtune.data.examination.examine import examine_labelled
from groundtune.data.labelled import LabelledData, read_labelled
from groundtune.data.rows import RowError
from groundtune.data.stratify import split_stratified

if TYPE_CHECKING:
    from pathlib import Path

LONG = "The ferry leaves at nine and comes back at ten, but for Sundays in winter."


def read(path: Path, *rows: dict[str, Any], **options: Any) -> LabelledData:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_labelled(path, task="summarization", **options)


def cases(data: LabelledData) -> list[SummaryCase]:
    found = [case for case in data.cases if isinstance(case, SummaryCase)]
    assert len(found) == len(data.cases)
    return found


def test_documents_and_topics_with_one_summary_or_several(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    one = read(path, {"document": LONG, "summary": ["A.", "B."], "id": "x"})
    assert one.reading == "document and summary"
    assert cases(one) == [SummaryCase(id="x", document=LONG, summaries=("A.", "B."))]

    two = read(path, {"query": "ferry", "summary": "A."})
    assert two.reading == "query and summary"
    (case,) = cases(two)
    assert (case.query, case.document, case.summaries) == ("ferry", "", ("A.",))

    (path.parent / "a.csv").write_text(
        f'article,highlights\n"{LONG}","[""A."",""B.""]"\n'
    )
    table = read_labelled(path.parent / "a.csv", task="summarization")
    assert cases(table)[0].summaries == ("A.", "B.")


def test_numbered_summaries_are_gathered_in_their_order(tmp_path: Path) -> None:
    row = {"fname": "t_0", "dialogue": LONG, "summary2": "B.", "summary1": "A."}
    row |= {"summary10": "", "topic1": "boats"}

    (case,) = cases(read(tmp_path / "a.jsonl", row))

    assert case.summaries == ("A.", "B.")
    assert case.id == "t_0"


def test_dialogsum_is_read_as_it_is(shared_data: Path) -> None:
    folder = shared_data / "dialogsum"
    test = cases(read_labelled(folder / "dialogsum.test.jsonl", task="summarization"))
    dev = cases(read_labelled(folder / "dialogsum.dev.jsonl", task="summarization"))

    assert (len(test), len(dev)) == (500, 500)
    assert {len(case.summaries) for case in test} == {3}
    assert {len(case.summaries) for case in dev} == {1}
    assert test[0].document.startswith("#Person1#: Ms. Dawson")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"document": LONG, "summary": []}, "'summary' is empty"),
        ({"document": LONG, "summary": ["A.", 3]}, "holds int 3"),
        ({"document": " ", "summary": "A."}, "'document' is empty"),
        ({"document": LONG, "summary": None}, "'summary' is empty"),
    ],
)
def test_a_row_that_is_no_case_names_its_column(
    tmp_path: Path, row: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RowError, match=problem):
        read(tmp_path / "a.jsonl", row)


def test_a_file_with_both_is_refused_until_it_is_said(tmp_path: Path) -> None:
    row = {"document": LONG, "query": "ferry", "summary": "A."}
    with pytest.raises(DataError, match="in 2 ways"):
        read(tmp_path / "a.jsonl", row)
    with pytest.raises(DataError, match="no summary"):
        read(tmp_path / "b.jsonl", {"document": LONG, "gist": "A."})


def test_sides_keep_the_same_document_together(tmp_path: Path) -> None:
    rows = [
        {"document": f"{LONG} {number // 2}", "summary": f"{number}."}
        for number in range(40)
    ]
    found = cases(read(tmp_path / "a.jsonl", *rows))

    sides = split_stratified(found, shares=(0.75, 0.25), seed=1)

    texts = [{case.document for case in side} for side in sides]
    assert len(sides[1]) == 10
    assert not texts[0] & texts[1]


def test_the_doctor_sees_copies_and_summaries_that_are_too_long(
    tmp_path: Path,
) -> None:
    words = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    rows = [
        {
            "document": " ".join(f"{word}{n}" for word in words) + f". Number {n}.",
            "summary": f"It tells of {words[n % 8]}{n}.",
        }
        for n in range(30)
    ]
    rows[3]["summary"] = rows[3]["document"].upper()
    rows[5]["summary"] = "word " * 20
    path = tmp_path / "a.jsonl"

    found = {
        one.kind: one for one in examine_labelled(read(path, *rows), file=str(path))
    }

    assert [spot.where for spot in found["copied_document"].spots] == [f"{path}:4"]
    assert [spot.where for spot in found["summary_longer"].spots] == [f"{path}:6"]
    assert {spot.column for spot in found["summary_longer"].spots} == {"summary"}
    assert "lengths" in found
