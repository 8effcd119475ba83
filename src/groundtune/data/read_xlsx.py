"""XLSX to text and blocks: a sheet is a section, each row a line with column names.

openpyxl reads the cells: what a number means (a date, a share) stands in styles that it
knows. Formulas are read as the values that were saved with them. Hidden sheets are left
out and counted in the metadata.
"""

from __future__ import annotations

import io
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.archive import Archive
from groundtune.data.compose import Composer
from groundtune.data.ooxml import core_properties
from groundtune.data.tables import table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CELLS = 5_000_000
"""Of one sheet, empty ones included: a file may claim billions of them."""


def read_xlsx(raw: bytes, *, name: str, where: str) -> Document:
    """Read a workbook.

    Raises:
        DataError: It is damaged, made to do harm, needs a password or holds no text.
    """
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            "an old or encrypted Excel file",
            fix="save it as XLSX without a password",
            where=where,
        )
    archive = Archive(raw, where=where)
    archive.check_all_xml()
    composer = Composer()
    hidden = 0
    for sheet in _sheets(raw, where=where):
        if getattr(sheet, "sheet_state", "visible") != "visible":
            hidden += 1
            continue
        rows = list(_rows(sheet, where=where))
        lines = table_lines(rows)
        if lines:
            composer.add("heading", str(sheet.title), level=1)
            composer.add("table", "\n".join(lines))
    if not composer.blocks:
        raise DataError("holds no text", fix="leave this file out", where=where)
    properties = core_properties(archive)
    metadata = {"path": name, "source_format": "xlsx", **properties}
    if hidden:
        metadata["hidden_sheets"] = str(hidden)
    return Document(
        id=name,
        text=composer.text,
        title=properties.get("title", ""),
        blocks=tuple(composer.blocks),
        metadata=metadata,
    )


def _sheets(raw: bytes, *, where: str) -> list[Any]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(
            io.BytesIO(raw), read_only=True, data_only=True, keep_links=False
        )
        return list(book.worksheets)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"not a readable workbook: {type(error).__name__}: {error}",
            fix="save it again as XLSX with the program that made it",
            where=where,
        ) from error


def _rows(sheet: Any, *, where: str) -> Iterator[list[str]]:  # noqa: ANN401 (untyped library)
    # The size that a file claims for a sheet may be far from what it holds.
    sheet.reset_dimensions()
    seen = 0
    for row in sheet.iter_rows(values_only=True):
        seen += max(1, len(row))
        if seen > _MAX_CELLS:
            raise DataError(
                f"the sheet {sheet.title!r} has more than {_MAX_CELLS} cells",
                fix="divide it, or save the part that matters as CSV",
                where=where,
            )
        if any(value is not None for value in row):
            yield [_shown(value) for value in row]


def _shown(value: object) -> str:
    """A cell as a person would read it."""
    shown = "" if value is None else str(value)
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif isinstance(value, datetime):
        is_day = value.time() == time(0)
        shown = str(value.date()) if is_day else value.isoformat(" ", "minutes")
    elif isinstance(value, float):
        shown = f"{value:.12g}"
    return shown
