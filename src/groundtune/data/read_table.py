"""CSV and TSV: each row a line that names its columns."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.compose import Composer
from groundtune.data.read_text import decode
from groundtune.data.tables import table_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_LINES = 20


def read_csv(raw: bytes, *, name: str, where: str) -> Document:
    """Read a table separated by commas, or by what its first lines hold most evenly.

    Raises:
        DataError: It is not UTF-8, empty, or its quotes do not match.
    """
    text = decode(raw, where=where)
    return _document(text, _separator(text), name=name, where=where)


def read_tsv(raw: bytes, *, name: str, where: str) -> Document:
    """Read a table separated by tabs.

    Raises:
        DataError: See `read_csv`.
    """
    return _document(decode(raw, where=where), "\t", name=name, where=where)


def _document(text: str, separator: str, *, name: str, where: str) -> Document:
    # Tabs have no agreed quoting: a lone quote in a cell is a quote.
    quoting = csv.QUOTE_NONE if separator == "\t" and '"' in text else csv.QUOTE_MINIMAL
    if separator == "\t" and '\t"' in text:
        quoting = csv.QUOTE_MINIMAL
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, quoting=quoting
    )
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DataError(
            f"not readable as a table: {error}",
            fix="check the quotes, and double each quote inside a quoted cell",
            where=f"{where}:{reader.line_num}",
        ) from error
    composer = Composer()
    composer.add("table", "\n".join(table_lines(rows)))
    return Document(
        id=name,
        text=composer.text,
        blocks=tuple(composer.blocks),
        metadata={"path": name, "source_format": "csv"},
    )


def _separator(text: str) -> str:
    """The separator that divides the first lines into the same number of cells."""
    lines = [line for line in text.splitlines()[:_SAMPLE_LINES] if line.strip()]
    return max(_SEPARATORS, key=lambda mark: _evenness(lines, mark))


def _evenness(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """Share of lines with as many cells as the first, and how many those are."""
    try:
        counts = [
            len(next(csv.reader([line], delimiter=separator), [])) for line in lines
        ]
    except csv.Error:
        return (0.0, 0)
    if not counts or counts[0] < 2:
        return (0.0, 0)
    return (counts.count(counts[0]) / len(counts), counts[0])
