"""Rows of a table to lines that can be understood one by one.

A passage may begin in the middle of a table. So each row is written with the names of
its columns, `name: Ada; age: 36`, where the table has names; else as `Ada | 36`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NAME_CHARACTERS = 80
_SAMPLE_ROWS = 20
_NUMBER = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d.,:/\s-]*\)?\s?[%\w]{0,3}")
_SPACE = re.compile(r"\s+")


def table_lines(
    rows: Sequence[Sequence[str]], *, has_header: bool | None = None
) -> list[str]:
    """One line for each row that is not empty.

    Args:
        rows: Cells as text.
        has_header: Whether the first row names the columns; None: judged by the cells.
    """
    kept = [[_SPACE.sub(" ", cell).strip() for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    if has_header is None:
        has_header = first_row_names(kept)
    if not has_header or len(kept) < 2:
        return [" | ".join(cell for cell in row if cell) for row in kept]
    return list(named_lines(kept[0], kept[1:]))


def named_lines(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows as `name: cell; name: cell`; empty cells are left out."""
    for row in rows:
        cells = [
            f"{names[number]}: {cell}"
            if number < len(names) and names[number]
            else cell
            for number, cell in enumerate(row)
            if cell
        ]
        if cells:
            yield "; ".join(cells)


def first_row_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row reads like names of columns: short, distinct, no number."""
    if len(rows) < 2:
        return False
    names = [cell for cell in rows[0] if cell]
    sample = rows[1 : 1 + _SAMPLE_ROWS]
    width = max(
        (number + 1 for row in sample for number, cell in enumerate(row) if cell),
        default=0,
    )
    if not names or len(names) != len(set(names)) or len(names) < min(width, 2):
        return False
    # A title above the table stands alone in its row.
    if 2 * len(names) < width:
        return False
    return not any(
        len(name) > _NAME_CHARACTERS or _NUMBER.fullmatch(name) for name in names
    )
