"""Labels: their spelling, their balance, and texts that give them away."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from groundtune.data.examination.diagnosis import Diagnosis, Spot, by_share, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MIN_ROWS = 3
"""One for each side of a split."""
_MOST_CLASSES = 1_000
"""Above that they are hardly classes, and each would be compared with each."""
_EDITS = 2
_TYPO_CHARACTERS = 5
_TYPO_FACTOR = 10
_LONG_LABEL_WORDS = 8
_DOMINANT = 0.95
_MISSING = frozenset({"nan", "null", "none", "n/a", "na", "?", "-", "undefined", "tbd"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORD = re.compile(r"\w+")


class Labelled(NamedTuple):
    """A row as labels are looked at."""

    where: str
    text: str
    label: str


def check_labels(
    rows: Sequence[Labelled], *, columns: Mapping[str, str], file: str
) -> Iterator[Diagnosis]:
    """Look at the labels of a file, and at the texts for them.

    Args:
        rows: At least one.
        columns: The columns of the roles `text` and `label`.
        file: The file, for what no row is to blame for.
    """
    counts = Counter(row.label for row in rows)
    column = columns["label"]
    yield from _wrong_rows(rows, counts, columns=columns)
    if len(counts) <= _MOST_CLASSES:
        yield from _spelling(rows, counts, column=column)
        yield from _missing_marks(rows, counts, column=column)
        yield from _given_away(rows, counts, column=columns["text"])
    yield from _balance(rows, counts, column=column, file=file)


def _wrong_rows(
    rows: Sequence[Labelled], counts: Counter[str], *, columns: Mapping[str, str]
) -> Iterator[Diagnosis]:
    """Rows in which something stands in the wrong column."""
    names = (columns["text"].casefold(), columns["label"].casefold())
    headers = [r for r in rows if (r.text.casefold(), r.label.casefold()) == names]
    swapped = [
        row
        for row in rows
        if row.text in counts and counts[row.text] > 1 and counts[row.label] == 1
    ]
    known = {row.where for row in (*headers, *swapped)}
    usual = sum(len(row.label.split()) for row in rows) / len(rows)
    long = [
        row
        for row in rows
        if row.where not in known
        and len(row.label.split()) > max(_LONG_LABEL_WORDS, 3 * usual)
    ]
    same = [
        row
        for row in rows
        if row.text.casefold() == row.label.casefold() and row.where not in known
    ]
    found = (
        ("header_as_row", headers, "rows repeat the header", "delete them"),
        (
            "swapped_columns",
            swapped,
            "rows have the label in the text's column",
            "put text and label into their own columns",
        ),
        (
            "label_is_text",
            long,
            "labels are as long as texts",
            "give the name of a class; a longer answer belongs to another task",
        ),
        (
            "text_is_label",
            same,
            "texts are nothing but their label",
            "write the text, or delete the rows",
        ),
    )
    for kind, wrong, message, fix in found:
        if wrong:
            yield Diagnosis(
                kind=kind,
                severity=by_share(len(wrong), len(rows))
                if kind == "text_is_label"
                else "error",
                message=f"{len(wrong)} {message}",
                fix=fix,
                spots=_spots(wrong, columns["label"]),
            )


def _spelling(
    rows: Sequence[Labelled], counts: Counter[str], *, column: str
) -> Iterator[Diagnosis]:
    """Labels that are another one's in other letters, or one slip away from it."""
    forms: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        forms[re.sub(r"[\s_-]+", "_", label.casefold())].append(label)
    variants: dict[str, str] = {}
    for labels in forms.values():
        kept = max(labels, key=lambda label: (counts[label], label))
        variants |= {label: kept for label in labels if label != kept}
    typos: dict[str, str] = {}
    for label in counts:
        if label not in variants and (meant := _meant(label, counts)):
            typos[label] = meant
    for kind, found, message in (
        ("label_variants", variants, "differ from another only in case or spaces"),
        ("label_typos", typos, "are rare and one slip away from a frequent one"),
    ):
        wrong = [row for row in rows if row.label in found]
        if wrong:
            pairs = ", ".join(f"{a!r} for {b!r}" for a, b in list(found.items())[:5])
            yield Diagnosis(
                kind=kind,
                severity="error" if kind == "label_variants" else "warning",
                message=f"{len(found)} labels {message}: {pairs}",
                fix="write each label in one way; a model takes each for a class",
                spots=_spots(wrong, column),
            )


def _meant(label: str, counts: Counter[str]) -> str:
    """The frequent label that a rare one is most likely a slip of; empty if none."""
    if len(label) < _TYPO_CHARACTERS or counts[label] > _MIN_ROWS:
        return ""
    if _NUMBER.search(label):
        return ""
    near = [
        other
        for other, times in counts.items()
        if times >= _TYPO_FACTOR * counts[label]
        and not _NUMBER.search(other)
        and within_edits(label.casefold(), other.casefold(), most=_EDITS)
    ]
    return max(near, key=lambda other: counts[other], default="")


def within_edits(one: str, other: str, *, most: int) -> bool:
    """Whether at most so many characters change one text into another."""
    if abs(len(one) - len(other)) > most:
        return False
    before = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
        if min(row) > most:
            return False
        before = row
    return before[-1] <= most


def _missing_marks(
    rows: Sequence[Labelled], counts: Counter[str], *, column: str
) -> Iterator[Diagnosis]:
    marks = {label for label in counts if label.casefold() in _MISSING}
    if marks:
        wrong = [row for row in rows if row.label in marks]
        yield Diagnosis(
            kind="missing_labels",
            severity="warning",
            message=f"{len(wrong)} labels say that there is none: "
            + ", ".join(sorted(marks)),
            fix="label these rows, or delete them",
            spots=_spots(wrong, column),
        )
    numbers = {label for label in counts if _NUMBER.fullmatch(label)}
    odd = [row for row in rows if row.label in numbers]
    if odd and len(numbers) < len(counts) and len(odd) < _MIN_ROWS + len(rows) / 20:
        yield Diagnosis(
            kind="numbers_among_labels",
            severity="warning",
            message=f"{len(odd)} labels are numbers, the others are names",
            fix="give these rows the name of their class",
            spots=_spots(odd, column),
        )


def _given_away(
    rows: Sequence[Labelled], counts: Counter[str], *, column: str
) -> Iterator[Diagnosis]:
    """Texts in which the label is written, and marks that stand for a label."""
    names = "|".join(re.escape(label) for label in sorted(counts, key=len)[::-1])
    written = re.compile(
        r"(?:\b(?:label|sentiment|category|class|intent|topic|tag)\s*[:=]\s*|__label__)"
        rf"(?P<named>{names})(?!\w)|[\[<(]\s*(?P<marked>{names})\s*[\])>]",
        re.IGNORECASE,
    )
    told = [
        row
        for row in rows
        if (match := written.search(row.text))
        and (match["named"] or match["marked"]).casefold() == row.label.casefold()
        and not (match["marked"] and _NUMBER.fullmatch(match["marked"]))
    ]
    if told:
        yield Diagnosis(
            kind="label_in_text",
            severity="warning",
            message=f"{len(told)} texts say their label",
            fix="remove it from the text: at prediction it will not stand there",
            spots=tuple(Spot(r.where, column, shown(r.text[:80])) for r in told),
        )
    if marks := _marks(rows, counts):
        pairs = ", ".join(f"{word!r} for {label!r}" for label, word in marks[:5])
        yield Diagnosis(
            kind="one_word_tells",
            severity="warning",
            message=f"one word gives away each of {len(marks)} labels: {pairs}",
            fix="remove these words if they came from how the data was collected",
            spots=tuple(
                Spot(row.where, column, shown(row.text[:80]))
                for row in rows
                if row.label == marks[0][0]
            )[:1],
        )


def _marks(rows: Sequence[Labelled], counts: Counter[str]) -> list[tuple[str, str]]:
    """Label and word, where every label has a word that only its rows have."""
    frequent = [label for label, times in counts.items() if times >= 10]
    if len(frequent) < 2 or len(frequent) < len(counts):
        return []
    having: Counter[str] = Counter()
    within: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        words = {word.casefold() for word in _WORD.findall(row.text)}
        having.update(words)
        within[row.label].update(words)
    marks: list[tuple[str, str]] = []
    for label in frequent:
        for word, times in within[label].most_common(20):
            if times >= _DOMINANT * counts[label] and times >= _DOMINANT * having[word]:
                marks.append((label, word))
                break
        else:
            return []
    return marks


def _balance(
    rows: Sequence[Labelled], counts: Counter[str], *, column: str, file: str
) -> Iterator[Diagnosis]:
    most, top = counts.most_common(1)[0]
    if len(counts) == 1:
        yield Diagnosis(
            kind="one_label",
            severity="error",
            message=f"every row has the label {most!r}",
            fix="add rows of at least one other class",
            spots=(Spot(file, column),),
        )
        return
    if len(counts) > max(20, len(rows) / 2):
        yield Diagnosis(
            kind="too_many_labels",
            severity="error",
            message=f"{len(counts)} labels in {len(rows)} rows",
            fix="check which column holds the label: --role label=COLUMN",
            spots=(Spot(file, column),),
        )
        return
    small = [row for row in rows if counts[row.label] < _MIN_ROWS]
    if small:
        names = dict.fromkeys(row.label for row in small)
        yield Diagnosis(
            kind="small_classes",
            severity="warning",
            message=f"{len(names)} classes have fewer than {_MIN_ROWS} rows, too few "
            "to train, choose and test on",
            fix="add rows, join the classes to others, or delete them",
            spots=_spots(small, column),
        )
    if top > _DOMINANT * len(rows):
        yield Diagnosis(
            kind="dominant_class",
            severity="warning",
            message=f"{100 * top / len(rows):.0f} % of the rows are {most!r}: who "
            "always says that is right as often",
            fix="add rows of the others, weight the classes, and look at macro F1",
            spots=(Spot(file, column),),
        )
    rarest, least = counts.most_common()[-1]
    yield Diagnosis(
        kind="class_balance",
        severity="note",
        message=f"{len(counts)} classes; the largest, {most!r}, has {top} rows, the "
        f"smallest, {rarest!r}, {least}",
    )
    if all(_NUMBER.fullmatch(label) for label in counts):
        yield Diagnosis(
            kind="labels_are_numbers",
            severity="note",
            message="the labels are numbers: predictions will be too",
            fix="write the names of the classes, if you know them",
        )
    if _is_sorted(rows, counts):
        yield Diagnosis(
            kind="sorted_by_label",
            severity="note",
            message="the rows stand sorted by label; splits and batches are drawn from "
            "all of them",
        )


def _is_sorted(rows: Sequence[Labelled], counts: Counter[str]) -> bool:
    changes = sum(a.label != b.label for a, b in pairwise(rows))
    return len(rows) >= 50 and changes < 2 * len(counts)


def _spots(rows: Sequence[Labelled], column: str) -> tuple[Spot, ...]:
    return tuple(
        Spot(row.where, column, f"{shown(row.label)}: {shown(row.text[:60])}")
        for row in rows
    )
