"""Summaries beside what they sum up: too long, or the text itself over again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import SummaryCase
from groundtune.data.doctor import normalise
from groundtune.data.examination.diagnosis import Diagnosis, Spot, by_share, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.data.labelled import LabelledData


def check_summaries(data: LabelledData) -> Iterator[Diagnosis]:
    """Look at each summary beside its document; queries have none to look at."""
    column = data.roles["summary"]
    copied: list[Spot] = []
    longer: list[Spot] = []
    for case, where in zip(data.cases, data.places, strict=True):
        if not isinstance(case, SummaryCase) or not case.document:
            continue
        words = len(case.document.split())
        for summary in case.summaries:
            if normalise(summary) == normalise(case.document):
                copied.append(Spot(where, column, shown(summary)))
            elif (said := len(summary.split())) >= words:
                longer.append(Spot(where, column, f"{said} words of {words}"))
    for kind, spots, what, fix in (
        (
            "copied_document",
            copied,
            "summaries are the whole document",
            "delete them: they teach to copy",
        ),
        (
            "summary_longer",
            longer,
            "summaries are no shorter than their document",
            "check that document and summary are not swapped: --role summary=COLUMN",
        ),
    ):
        if spots:
            yield Diagnosis(
                kind=kind,
                severity=by_share(len(spots), len(data.cases)),
                message=f"{len(spots)} {what}",
                fix=fix,
                spots=tuple(spots),
            )
