"""CoNLL columns: a token a line with its tag last, a blank line after each sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.rows import Row, RowError, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundtune.data.rows import Report

TAG = re.compile(r"O|[BIESLU]-\S+")
_DOCUMENT = "-DOCSTART-"
_PEEK_LINES = 500


def looks_like_columns(text: str) -> bool:
    """Whether nearly all lines end in a tag, and some are blank."""
    lines = text.split("\n")[:_PEEK_LINES]
    filled = [line for line in lines if line.strip()]
    cells = [_cells(line) for line in filled]
    tagged = sum(len(c) > 1 and bool(TAG.fullmatch(c[-1])) for c in cells)
    has_outside = any(len(c) > 1 and c[-1] == "O" for c in cells)
    return has_outside and tagged >= 0.8 * len(filled) > 0


def column_rows(text: str, path: Path, *, report: Report = refuse) -> Iterator[Row]:
    """One row a sentence: `tokens` and `tags`, placed at its first line.

    A document mark and comment lines are passed over. A line without a tag is reported
    and its sentence left out.
    """
    tokens: list[str] = []
    tags: list[str] = []
    start = 0
    is_whole = True
    for number, raw in enumerate([*text.split("\n"), ""], start=1):
        line = raw.rstrip("\r")
        if not line.strip() or line.startswith(_DOCUMENT):
            if tokens and is_whole:
                yield Row({"tokens": tokens, "tags": tags}, f"{path}:{start}")
            tokens, tags, is_whole = [], [], True
            continue
        cells = _cells(line)
        if line.startswith("# ") and "\t" not in line and not _is_tagged(cells):
            continue
        start = start if tokens else number
        if len(cells) < 2:
            is_whole = False
            report(
                RowError(
                    f"one column: {line.strip()!r:.40}",
                    "write the token, a tab and its tag, such as O or B-PER",
                    f"{path}:{number}",
                    "tags",
                    "missing_tag",
                )
            )
        tokens.append(cells[0])
        tags.append(cells[-1])


def _cells(line: str) -> list[str]:
    """Columns; tabs divide where there are any, so that a token may hold a space."""
    if "\t" in line:
        return [cell.strip() for cell in line.strip("\r\n").split("\t")]
    return line.split()


def _is_tagged(cells: list[str]) -> bool:
    return len(cells) == 2 and bool(TAG.fullmatch(cells[1]))
