"""Lines of `label text`, as old data sets and fastText have them.

Where all labels are of the form `COARSE:fine`, both parts can be asked for as columns
of their own; the label is the whole unless the person says otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.rows import Row, RowError, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundtune.data.rows import Report

_LABEL = re.compile(r"[\w:+./-]{1,60}")
_FASTTEXT = "__label__"
_PEEK_LINES = 500
_MOST_LABELS = 200
_MOST_HOLDING = 0.3
"""Share of texts in which some label occurs as a word."""


def looks_like_label_lines(text: str) -> bool:
    """Whether the first word of each line looks like a label: few, and repeated."""
    lines = [line for line in text.split("\n")[:_PEEK_LINES] if line.strip()]
    firsts: set[str] = set()
    rests: list[str] = []
    bad = 0
    for line in lines:
        label, _, rest = line.strip().partition(" ")
        if rest.strip() and _LABEL.fullmatch(label):
            firsts.add(label)
            rests.append(rest)
        else:
            bad += 1
    good = len(lines) - bad
    is_marked = all(label.startswith(_FASTTEXT) for label in firsts)
    is_few = 2 <= len(firsts) <= min(_MOST_LABELS, good / 4)
    if good == 0 or bad > 0.05 * len(lines) or not (is_few or is_marked):
        return False
    # Sentences of one style begin alike as well, but with words that they also hold.
    words = {label.casefold() for label in firsts}
    holding = sum(not words.isdisjoint(rest.casefold().split()) for rest in rests)
    return is_marked or holding <= _MOST_HOLDING * good


def label_line_rows(text: str, path: Path, *, report: Report = refuse) -> Iterator[Row]:
    """One row a line: `label` and `text`, perhaps `coarse` and `fine`."""
    found: list[tuple[str, str, str]] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line:
            continue
        where = f"{path}:{number}"
        label, _, rest = line.partition(" ")
        if not rest.strip():
            report(
                RowError(
                    "a label without a text",
                    "write the label, a space and the text, or delete the line",
                    where,
                    "text",
                    "empty_text",
                )
            )
            continue
        found.append((label.removeprefix(_FASTTEXT), rest.strip(), where))
    is_fine = bool(found) and all(
        re.fullmatch(r"[^:]+:[^:]+", label) for label, _, _ in found
    )
    for label, rest, where in found:
        fields = {"label": label, "text": rest}
        if is_fine:
            fields["coarse"], fields["fine"] = label.split(":")
        yield Row(fields, where)
