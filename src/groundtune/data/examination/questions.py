"""Questions with answers, as the doctor reports on them: what `data.doctor` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.data.doctor import examine
from groundtune.data.examination.diagnosis import (
    COMMON,
    RARE,
    Cell,
    Diagnosis,
    Severity,
    Spot,
)
from groundtune.data.examination.repeats import leak_severity
from groundtune.data.examination.writing import check_writing

if TYPE_CHECKING:
    from groundtune.data.cases import PlacedCases
    from groundtune.data.doctor import Finding

_COLUMNS = {
    "answer_not_in_documents": "answers",
    "conflicting_answers": "answers",
    "long_answer": "answers",
    "unknown_source": "source",
}


def examine_questions(
    placed: PlacedCases, *, test: PlacedCases | None = None
) -> list[Diagnosis]:
    """Examine cases of the task `qa`, and test cases against them."""
    held_out = test.cases if test else []
    where = {
        case.id: place
        for side in (test, placed)
        if side is not None
        for case, place in zip(side.cases, side.places, strict=True)
    }
    cells = [
        Cell(place, column, text, column == "answers")
        for case, place in zip(placed.cases, placed.places, strict=True)
        for column, texts in (("question", (case.question,)), ("answers", case.answers))
        for text in texts
    ]
    found = [
        Diagnosis(
            kind=finding.kind,
            severity=_severity(finding, len(placed.cases), len(held_out)),
            message=finding.message,
            fix=finding.fix,
            spots=tuple(
                Spot(where[case], _COLUMNS.get(finding.kind, "question"), case)
                for case in finding.cases
            )
            if finding.severity != "info"
            else (),
        )
        for finding in examine(placed.cases, [], held_out)
        # Looked for below, with what stands there.
        if finding.kind != "broken_characters"
    ]
    # An answer may be a number or a mark, so it is no placeholder.
    writing = check_writing(cells, rows=len(placed.cases), is_tokens=True)
    return [*found, *writing]


def _severity(finding: Finding, total: int, held_out: int) -> Severity:
    if finding.severity == "info":
        return "note"
    if finding.severity == "leak":
        return leak_severity(len(finding.cases), held_out)
    bound = COMMON if finding.kind == "duplicate" else RARE
    return "warning" if len(finding.cases) >= bound * total else "note"
