"""Cases on which the arms disagree, with what each answered and what it rests on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.core.values import ARMS
from groundtune.measure.corpus import CORPUS_MEASURES
from groundtune.measure.entities import OUTSIDE, TAG_END, spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.measure.rows import Place, Row

RIGHT = 0.5
"""Score from which an answer counts as right when patterns are named."""

_BEFORE, _AFTER = 130, 170
"""Characters of a passage shown before and after the cited span."""

_TOGETHER = 420
"""A passage up to this length is shown whole."""

_LONGEST = 1200
"""Characters of a case that are shown; a text to sum up may be a book."""

MOST = 40
"""Cases that stand on the page; all others stand in `rows.jsonl`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A passage as shown: the cited span between what stands around it."""

    document: str
    start: int
    end: int
    before: str
    cited: str
    after: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one arm said to the case."""

    arm: str
    text: str
    score: float
    right: bool
    abstained: bool
    error: str
    retrieves: bool
    evidence: tuple[Evidence, ...]
    more: int = 0
    """Citations beyond those shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One case, and every arm's reply to it."""

    case: str
    question: str
    answers: tuple[str, ...]
    answerable: bool
    pattern: str
    """Who was right, as words."""
    right: tuple[str, ...]
    like_this: int
    """Cases with the same pattern."""
    replies: tuple[Reply, ...]


def disagreements(
    systems: Mapping[str, Sequence[Row]],
    passages: Mapping[tuple[str, int, int], str],
    *,
    measure: str,
    task: str = "qa",
    limit: int = MOST,
) -> list[Example]:
    """Pick cases that some arms got right and others wrong.

    Cases with the same arms right form a pattern; patterns take turns, the commonest
    first, and within one the widest gap comes first. The first training seed speaks.
    """
    answered: dict[str, dict[str, Row]] = defaultdict(dict)
    for arm in ARMS:
        for row in sorted(systems.get(arm, ()), key=lambda row: row.seed):
            answered[row.case].setdefault(arm, row)
    arms = [arm for arm in ARMS if arm in systems]
    patterns: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for case, rows in answered.items():
        right = tuple(
            arm for arm in arms if arm in rows and _is_right(rows[arm], measure)
        )
        if len(rows) == len(arms) and 0 < len(right) < len(arms):
            patterns[right].append(case)

    def width(case: str) -> float:
        scores = [score_of(row, measure) for row in answered[case].values()]
        return max(scores) - min(scores)

    queues = [
        (right, sorted(cases, key=lambda case: (-width(case), case)))
        for right, cases in sorted(
            patterns.items(), key=lambda item: (-len(item[1]), item[0])
        )
    ]
    turns = [
        (place, order, right, case)
        for order, (right, cases) in enumerate(queues)
        for place, case in enumerate(cases)
    ]
    return [
        _example(
            answered[case],
            passages,
            measure=measure,
            task=task,
            right=right,
            like_this=len(patterns[right]),
        )
        for _, _, right, case in sorted(turns)[:limit]
    ]


def _is_right(row: Row, measure: str) -> bool:
    return score_of(row, measure) >= RIGHT


def score_of(row: Row, measure: str) -> float:
    """The measure of one case; of a measure of whole sets, what it is of this case."""
    if measure not in CORPUS_MEASURES or row.error is not None:
        return row.scores.get(measure, 0.0)
    if row.prediction == row.answers[0]:
        return 1.0
    count, value = CORPUS_MEASURES[measure]
    return value(count([row]).sum(axis=1))


def readable(text: str, question: str, *, task: str) -> str:
    """An answer as a person reads it: the names that tags mark, all else as it is."""
    if task != "ner" or not text:
        return text
    words, tags = question.split(), text.split(TAG_END)
    if len(words) != len(tags):
        return " ".join(tag for tag in tags if tag != OUTSIDE) or "no name"
    found = [
        f"{' '.join(words[start:end])} ({kind})" for start, end, kind in spans(tags)
    ]
    return ", ".join(found) or "no name"


def _pattern(right: Sequence[str]) -> str:
    if len(right) == 1:
        return f"only {right[0]} is right"
    return f"{', '.join(right[:-1])} and {right[-1]} are right"


def _example(
    rows: Mapping[str, Row],
    passages: Mapping[tuple[str, int, int], str],
    *,
    measure: str,
    task: str,
    right: tuple[str, ...],
    like_this: int,
) -> Example:
    first = next(iter(rows.values()))
    question = first.question
    return Example(
        case=first.case,
        question=_head(question, _LONGEST),
        answers=tuple(readable(each, question, task=task) for each in first.answers),
        answerable=first.answerable,
        pattern=_pattern(right),
        right=right,
        like_this=like_this,
        replies=tuple(
            Reply(
                arm=arm,
                text=_head(readable(row.prediction, question, task=task), _LONGEST),
                score=score_of(row, measure),
                right=_is_right(row, measure),
                abstained=row.abstained,
                error=row.error or "",
                retrieves=bool(row.hits),
                evidence=_evidence(row, passages),
                more=max(0, len(row.citations) - 1),
            )
            for arm, row in rows.items()
        ),
    )


def _evidence(
    row: Row, passages: Mapping[tuple[str, int, int], str]
) -> tuple[Evidence, ...]:
    if row.citations:
        return (_cited(row.citations[0], row.hits, passages),)
    if not row.hits:
        return ()
    top = row.hits[0]
    text = passages.get((top.document, top.start, top.end), "")
    if not text:
        return ()
    return (
        Evidence(
            document=top.document,
            start=top.start,
            end=top.end,
            before=_head(text, _TOGETHER),
            cited="",
            after="",
            note="first hit, not cited",
        ),
    )


def _cited(
    citation: Place,
    hits: Sequence[Place],
    passages: Mapping[tuple[str, int, int], str],
) -> Evidence:
    """The citation inside the passage that it was taken from, if that is at hand."""
    before = after = ""
    note = "passage text not in the run"
    for hit in hits:
        text = passages.get((hit.document, hit.start, hit.end))
        if text is None or not hit.holds(citation):
            continue
        start, end = citation.start - hit.start, citation.end - hit.start
        if text[start:end] == citation.text:
            whole = len(text) <= _TOGETHER
            before = text[:start] if whole else _tail(text[:start], _BEFORE)
            after = text[end:] if whole else _head(text[end:], _AFTER)
            note = ""
            break
    return Evidence(
        document=citation.document,
        start=citation.start,
        end=citation.end,
        before=before,
        cited=citation.text,
        after=after,
        note=note,
    )


def _head(text: str, size: int) -> str:
    """The first words that fit, with a mark where something was cut."""
    if len(text) <= size:
        return text
    kept = text[:size]
    return (kept.rsplit(" ", 1)[0] if " " in kept.strip() else kept) + " …"


def _tail(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    kept = text[-size:]
    return "… " + (kept.split(" ", 1)[1] if " " in kept.strip() else kept)
