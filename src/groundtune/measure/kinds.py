"""Cases sorted into kinds, to see where each arm is good.

By what is asked, by label, by length, by document: read off the rows alone. No claim
rests on kinds.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.measure.corpus import with_corpus_scores
from groundtune.measure.summary import case_means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.measure.rows import Figure, Row
    from groundtune.measure.summary import Resampler

ASKING = ("qa", "dialogue")
"""Tasks whose cases are questions."""

LABELLING = ("sentiment", "classification", "fact_check")
"""Tasks whose answer is one label of a few."""

MOST_KINDS = 10
"""More are not shown: the largest are, and the rest together."""

UNANSWERABLE = "no answer in the documents"
REST = "all others"

_ASKS = re.compile(
    r"\b(who|whom|whose|what|when|where|which|why|how (?:many|much)|how)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may)\b",
    re.IGNORECASE,
)
_KNOWN_SHARE = 0.6
"""Share of questions that must ask in a known way, or kinds would tell nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """The primary measure of every arm, kind by kind."""

    by: str
    """What the kinds are, such as `question`, `label`, `length` or `document`."""
    sizes: Mapping[str, int]
    """Cases of each kind, in the order shown."""
    figures: Mapping[str, Mapping[str, Figure]]
    """By kind, then by arm."""


def break_down(
    systems: Mapping[str, Sequence[Row]],
    kinds: Mapping[str, str],
    *,
    by: str,
    measure: str,
    resampler: Resampler,
    groups: Mapping[str, str],
) -> Breakdown | None:
    """The primary measure by kind; None where all cases are of one kind.

    Args:
        systems: Rows of each arm, of the cases that all of them answered.
        kinds: The kind of each case.
        by: What the kinds are.
        measure: The primary measure.
        resampler: Makes the intervals.
        groups: What is resampled, by case; kinds that are groups take cases instead.
    """
    shown = {row.case for rows in systems.values() for row in rows}
    counted = Counter(kind for case, kind in kinds.items() if case in shown)
    if len(counted) < 2:
        return None
    order = sorted(counted, key=lambda kind: (-counted[kind], kind))
    if by == "length":
        order = sorted(counted, key=_least)
    kept = order if len(order) <= MOST_KINDS else order[: MOST_KINDS - 1]
    sizes = {kind: counted[kind] for kind in kept}
    if rest := sum(counted.values()) - sum(sizes.values()):
        sizes[REST] = rest

    def figure(rows: Sequence[Row], kind: str) -> Figure | None:
        own = [
            row
            for row in rows
            if (kinds[row.case] if kinds[row.case] in kept else REST) == kind
        ]
        if not own:
            return None
        values = case_means(
            with_corpus_scores(own, (measure,)),
            lambda row: row.scores.get(measure, 0.0),
        )
        units = {groups[case] for case in values}
        names = [groups[case] if len(units) > 1 else case for case in values]
        return resampler.figure(list(values.values()), names)

    return Breakdown(
        by=by,
        sizes=sizes,
        figures={
            kind: {
                name: found
                for name, rows in systems.items()
                if (found := figure(rows, kind)) is not None
            }
            for kind in sizes
        },
    )


def kinds_of(rows: Sequence[Row], *, task: str) -> tuple[str, dict[str, str]]:
    """What cases can be told apart by, and the kind of each case.

    Questions by their question word, where most have one; labelled texts by their
    label, where there are few; all else by length, in thirds.
    """
    cases = {row.case: row for row in rows}
    if task in ASKING:
        kinds = {case: _asked(row) for case, row in cases.items()}
        known = sum(kind != "other" for kind in kinds.values())
        if known >= _KNOWN_SHARE * len(kinds):
            return "question", kinds
    labels = {case: row.answers[0] for case, row in cases.items() if row.answers}
    if task in LABELLING and len(set(labels.values())) <= MOST_KINDS:
        return "label", {case: labels.get(case, UNANSWERABLE) for case in cases}
    return "length", _thirds({case: len(row.question) for case, row in cases.items()})


def _asked(row: Row) -> str:
    if not row.answerable:
        return UNANSWERABLE
    text = row.question.strip()
    if _YES_NO.match(text):
        return "yes or no"
    found = _ASKS.search(text)
    word = found[0].lower() if found else "other"
    return {"whom": "who", "whose": "who", "how much": "how many"}.get(word, word)


def _least(kind: str) -> int:
    """The shortest text of a kind that `_thirds` made."""
    if kind.startswith("below"):
        return 0
    return int(kind.split(maxsplit=1)[0].replace(",", ""))


def _thirds(sizes: Mapping[str, int]) -> dict[str, str]:
    ranked = sorted(sizes.values())
    low, high = ranked[len(ranked) // 3], ranked[2 * len(ranked) // 3]
    if low == high:
        return dict.fromkeys(sizes, "any length")
    names = (
        f"below {low:,} characters",
        f"{low:,} to {high - 1:,}",
        f"{high:,} and more",
    )
    return {case: names[(size >= low) + (size >= high)] for case, size in sizes.items()}
