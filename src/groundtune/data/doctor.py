"""The data doctor: what is wrong with labelled cases before anything is trained.

Pure: reads no files, changes nothing. A finding names its cases and the remedy. A leak
is a train or dev case that gives a test case away; two questions in like words with
different answers, such as a template makes, are no leak.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from groundtune.data.near import fingerprints, near_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from groundtune.core.values import Document, QaCase

Severity = Literal["info", "warning", "leak"]

_PUNCTUATION = re.compile(r"[^\w\s]", re.UNICODE)
_BROKEN = re.compile(r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f]|Ã[\x80-\xbf]|â€")
"""Replacement and control characters, and UTF-8 that was read as Latin-1."""
_GRAM_WORDS = 8
_LONG_QUESTION_WORDS = 200
_LONG_ANSWER_WORDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found, over all the cases that it concerns."""

    kind: str
    """Such as `exact_overlap`; stable, so that reports and tests can name it."""
    severity: Severity
    cases: tuple[str, ...]
    """Ids of the cases to look at or drop; for a leak those outside the test."""
    message: str
    fix: str = ""


def examine(
    train: Sequence[QaCase],
    dev: Sequence[QaCase],
    test: Sequence[QaCase],
    *,
    documents: Iterable[Document] | None = None,
) -> list[Finding]:
    """Examine the three sides; findings in a fixed order, leaks first.

    Args:
        train: Cases to be trained on; may be empty.
        dev: Cases to choose settings by; may be empty.
        test: Cases to be measured on.
        documents: Where the answers should stand; not looked at if not given.
    """
    everything = [*train, *dev, *test]
    found = [
        *_leaks(train, test, side="train"),
        *_leaks(dev, test, side="dev"),
        *_malformed(everything),
        *_repeated([("train", train), ("dev", dev), ("test", test)]),
        *_answers_in_training(train, test),
        *_lengths(everything),
    ]
    if documents is not None:
        texts = {document.id: normalise(document.text) for document in documents}
        found.extend(_not_in_documents(everything, texts))
    rank = {"leak": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda finding: rank[finding.severity])


def remove_leaks(
    cases: Sequence[QaCase], findings: Sequence[Finding]
) -> tuple[QaCase, ...]:
    """`cases` of train or dev without those that a leak names."""
    leaking = {
        identifier
        for finding in findings
        if finding.severity == "leak"
        for identifier in finding.cases
    }
    return tuple(case for case in cases if case.id not in leaking)


def normalise(text: str) -> str:
    """For comparing: compatibility forms, no case, no punctuation, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_PUNCTUATION.sub(" ", folded).split())


def _finding(
    kind: str, severity: Severity, ids: Iterable[str], message: str, fix: str = ""
) -> Finding:
    """A finding; `{n}` in the message becomes the number of cases."""
    cases = tuple(dict.fromkeys(ids))
    return Finding(
        kind=kind,
        severity=severity,
        cases=cases,
        message=message.replace("{n}", str(len(cases))),
        fix=fix,
    )


class _Asked(NamedTuple):
    """A case as leaks are looked for: normalised once."""

    id: str
    question: str
    answers: frozenset[str]
    source: str


def _asked(cases: Iterable[QaCase]) -> list[_Asked]:
    return [
        _Asked(
            case.id,
            normalise(case.question),
            frozenset(normalise(answer) for answer in case.answers),
            case.source,
        )
        for case in cases
    ]


def _leaks(
    cases: Sequence[QaCase], test: Sequence[QaCase], *, side: str
) -> Iterator[Finding]:
    """Cases that ask what a test case asks and have its answer."""
    seen, held_out = _asked(cases), _asked(test)

    def matters(left: int, right: int) -> bool:
        return _gives_away(seen[left], held_out[right])

    pairs = near_pairs(
        fingerprints(case.question for case in seen),
        fingerprints(case.question for case in held_out),
        matters=matters,
    )
    exact = [seen[left].id for left, _, similarity in pairs if similarity == 1]
    alike = [seen[left].id for left, _, similarity in pairs if similarity < 1]
    known = {(left, right) for left, right, _ in pairs}
    grams = [
        seen[left].id
        for left, right in _shared_grams(seen, held_out)
        if matters(left, right) and (left, right) not in known
    ]
    fix = f"drop them from {side}: they would measure memory"
    for kind, ids, what in (
        ("exact_overlap", exact, "repeat a test question and its answer"),
        ("near_overlap", alike, "nearly repeat a test question, with its answer"),
        (
            "gram_overlap",
            grams,
            f"share {_GRAM_WORDS} words in a row with a test question, and its answer",
        ),
    ):
        if ids:
            message = f"{{n}} {side} cases {what}"
            yield _finding(kind, "leak", ids, message, fix)


def _gives_away(one: _Asked, other: _Asked) -> bool:
    """Whether who knows the answer of one case knows the other's."""
    if one.answers and other.answers:
        return not one.answers.isdisjoint(other.answers)
    return one.answers == other.answers and one.source == other.source


def _shared_grams(
    seen: Sequence[_Asked], held_out: Sequence[_Asked]
) -> Iterator[tuple[int, int]]:
    """Pairs of questions that share a run of words."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, case in enumerate(held_out):
        for gram in _word_grams(case.question):
            places[gram].append(index)
    for index, case in enumerate(seen):
        shared = {
            i for gram in _word_grams(case.question) for i in places.get(gram, ())
        }
        for other in sorted(shared):
            yield index, other


def _word_grams(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    last = len(words) - _GRAM_WORDS + 1
    return {tuple(words[start : start + _GRAM_WORDS]) for start in range(last)}


def _malformed(cases: Sequence[QaCase]) -> Iterator[Finding]:
    broken = [
        case.id
        for case in cases
        if any(_BROKEN.search(text) for text in (case.question, *case.answers))
    ]
    if broken:
        yield _finding(
            "broken_characters",
            "warning",
            broken,
            "{n} cases hold characters that were decoded wrongly",
            "read the source as UTF-8 and write the cases again",
        )
    empty = [case.id for case in cases if not normalise(case.question)]
    if empty:
        yield _finding(
            "no_words",
            "warning",
            empty,
            "{n} questions have no words",
            "correct or delete them",
        )


def _repeated(
    sides: Sequence[tuple[str, Sequence[QaCase]]],
) -> Iterator[Finding]:
    for side, cases in sides:
        pairs = _same_question(cases)
        repeated = [other.id for first, other in pairs if _gives_away(first, other)]
        if repeated:
            yield _finding(
                "duplicate",
                "warning",
                repeated,
                f"{{n}} {side} cases repeat another one's question and answer",
                "delete them: they count a question twice",
            )
    pairs = _same_question([case for _, cases in sides for case in cases])
    conflicting = [other.id for first, other in pairs if not _gives_away(first, other)]
    if conflicting:
        yield _finding(
            "conflicting_answers",
            "warning",
            conflicting,
            "{n} cases contradict another one on the same question and source",
            "keep the right answer, or list both in one case",
        )


def _same_question(cases: Sequence[QaCase]) -> list[tuple[_Asked, _Asked]]:
    """Each case that repeats a question on a source, after the first that asks it."""
    first: dict[tuple[str, str], _Asked] = {}
    pairs: list[tuple[_Asked, _Asked]] = []
    for case in _asked(cases):
        before = first.setdefault((case.question, case.source), case)
        if before is not case:
            pairs.append((before, case))
    return pairs


def _answers_in_training(
    train: Sequence[QaCase], test: Sequence[QaCase]
) -> Iterator[Finding]:
    """A figure, no fault: seen facts asked in new words have the same answers."""
    if not train or not test:
        return
    targets = {normalise(answer) for case in train for answer in case.answers}
    hit = [
        case.id
        for case in test
        if any(normalise(answer) in targets for answer in case.answers)
    ]
    share = 100 * len(hit) / len(test)
    yield _finding(
        "answers_in_training",
        "info",
        hit,
        f"{{n}} of {len(test)} test cases ({share:.0f} %) have an answer that is "
        "also a training target",
    )


def _lengths(cases: Sequence[QaCase]) -> Iterator[Finding]:
    if not cases:
        return
    questions = {case.id: len(case.question.split()) for case in cases}
    answers = {
        case.id: max(len(answer.split()) for answer in case.answers)
        for case in cases
        if case.answers
    }
    message = f"questions: median {median(questions.values()):g} words, longest "
    message += f"{max(questions.values())}"
    if answers:
        message += f"; answers: median {median(answers.values()):g} words, longest "
        message += f"{max(answers.values())}"
    yield _finding("lengths", "info", (), message)
    for kind, lengths, bound in (
        ("long_question", questions, _LONG_QUESTION_WORDS),
        ("long_answer", answers, _LONG_ANSWER_WORDS),
    ):
        long = [case for case, words in lengths.items() if words > bound]
        if long:
            yield _finding(
                kind,
                "warning",
                long,
                f"{{n}} cases have more than {bound} words in the "
                f"{kind.removeprefix('long_')}",
                "shorten them, or expect them to be cut to the model's length",
            )


def _not_in_documents(
    cases: Sequence[QaCase], texts: Mapping[str, str]
) -> Iterator[Finding]:
    unknown = [case.id for case in cases if case.source and case.source not in texts]
    if unknown:
        yield _finding(
            "unknown_source",
            "warning",
            unknown,
            "{n} cases name a source that is not among the documents",
            "add the documents, or name them as they are named when ingested",
        )
    missing: list[str] = []
    checked = 0
    for case in cases:
        if not case.answerable:
            continue
        checked += 1
        where = [texts[case.source]] if case.source in texts else texts.values()
        answers = [normalise(answer) for answer in case.answers]
        if not any(answer in text for answer in answers for text in where):
            missing.append(case.id)
    if missing:
        yield _finding(
            "answer_not_in_documents",
            "warning",
            missing,
            f"{{n}} of {checked} answerable cases have an answer that stands in no "
            "document word for word",
            "check that the documents are the right ones; answers in other words "
            "are legal",
        )
