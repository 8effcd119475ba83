"""The lines of a PDF with their places, as PDFium finds them.

What the lines mean, which are headings, paragraphs or tables, is decided in `read_pdf`.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, NamedTuple

from groundtune.core.errors import DataError
from groundtune.data.metadata import from_fields

_MAX_PAGES = 10_000
"""About what can be read in the time that one file has."""
_CELL_GAP = 1.2
"""Between two cells of a row, at least, in font sizes; a space is about 0.3."""
_LOOSE = 1.15
"""Width of a row over that of as many characters of the page's text, at least."""
_SPACES = re.compile(r"(?<=\S) +(?=\S)")
_SOFT_BREAK = "\ufffe"
"""What PDFium puts where a word was hyphenated at the end of a line."""
_INFORMATION = {"title": "Title", "author": "Author", "date": "CreationDate"}
_NO_NAMES = frozenset({"untitled", "(anonymous)", "anonymous", "unspecified"})


class Line(NamedTuple):
    """A line, with its place in the units of the page: y grows upwards."""

    text: str
    left: float
    right: float
    baseline: float
    size: float
    page: int
    starts: int = 0
    """Where it begins in the text of its page, in the units of PDFium."""
    cells: tuple[Cell, ...] = ()
    """Pieces between wide gaps, if the line has such gaps."""
    row: int = 0
    """In a table: the number of its row, from 1."""


class Cell(NamedTuple):
    """A piece of a line that stands apart from the others."""

    text: str
    left: float
    right: float


class PdfLines(NamedTuple):
    """What PDFium finds."""

    pages: list[list[Line]]
    fields: dict[str, str]
    """Of the document's own information."""


def pdf_lines(raw: bytes, *, where: str) -> PdfLines:
    """The lines of every page.

    Raises:
        DataError: It needs a password, is damaged, or has too many pages.
    """
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        file = pypdfium2.PdfDocument(raw)
        if len(file) > _MAX_PAGES:
            raise DataError(
                f"{len(file)} pages, at most {_MAX_PAGES} are read",
                fix="divide it, for example: qpdf --split-pages=1000 in.pdf out.pdf",
                where=where,
            )
        pages = [_page_lines(file[number], number) for number in range(len(file))]
        said = {
            name: str(file.get_metadata_value(key)).strip()
            for name, key in _INFORMATION.items()
        }
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise DataError(
                "encrypted: a password is needed to read it",
                fix="save a copy without a password, for example: "
                "qpdf --decrypt --password=... in.pdf out.pdf",
                where=where,
            ) from error
        raise DataError(
            f"not a readable PDF: {error}",
            fix="fetch it again, or repair it, for example: qpdf in.pdf out.pdf",
            where=where,
        ) from error
    # Word processors name a file there, not a title.
    is_name = said["title"].casefold() in _NO_NAMES or "." in said["title"][-5:]
    said["title"] = "" if is_name else said["title"]
    said["author"] = "" if said["author"].casefold() in _NO_NAMES else said["author"]
    return PdfLines(
        pages, from_fields({key: text for key, text in said.items() if text})
    )


def _page_lines(page: Any, number: int) -> list[Line]:  # noqa: ANN401 (untyped library)
    import pypdfium2.raw as pdfium

    view = page.get_textpage()
    text: str = view.get_text_range()
    lines: list[Line] = []
    position = 0
    for piece in text.split("\r\n"):
        # PDFium counts in UTF-16 units.
        units = len(piece.encode("utf-16-le", "surrogatepass")) // 2
        clean = piece.replace(_SOFT_BREAK, "").replace("\0", "").strip()
        if clean:
            lead = len(piece) - len(piece.lstrip())
            tail = len(piece) - len(piece.rstrip())
            first = pdfium.FPDFText_GetCharIndexFromTextIndex(view.raw, position + lead)
            last = pdfium.FPDFText_GetCharIndexFromTextIndex(
                view.raw, position + units - 1 - tail
            )
            x, y = ctypes.c_double(), ctypes.c_double()
            pdfium.FPDFText_GetCharOrigin(view.raw, first, x, y)
            box = pdfium.FS_RECTF()
            pdfium.FPDFText_GetLooseCharBox(view.raw, last, box)
            size = pdfium.FPDFText_GetFontSize(view.raw, first)
            matrix = pdfium.FS_MATRIX()
            if pdfium.FPDFText_GetMatrix(view.raw, first, matrix):
                size *= (matrix.b**2 + matrix.d**2) ** 0.5
            clean = clean.encode("utf-16-le", "surrogatepass").decode(
                "utf-16-le", "replace"
            )
            lines.append(
                Line(
                    clean,
                    x.value,
                    box.right,
                    y.value,
                    size,
                    number,
                    starts=(position + lead),
                )
            )
        position += units + 2
    return _with_cells(lines, view)


def _with_cells(lines: list[Line], view: Any) -> list[Line]:  # noqa: ANN401 (the same)
    """The lines, those with wide gaps divided there.

    Only lines that are wide for their text are looked at: asking for the place of each
    space would take half as long again as reading the page.
    """
    widths = [
        (line.right - line.left) / (len(line.text) * line.size)
        for line in lines
        if line.size > 0 and len(line.text) > 1
    ]
    if not widths:
        return lines
    usual = sorted(widths)[len(widths) // 4]
    return [
        line._replace(cells=_cells(line, view))
        if line.size > 0
        and " " in line.text
        and (line.right - line.left) > _LOOSE * usual * len(line.text) * line.size
        else line
        for line in lines
    ]


def _cells(line: Line, view: Any) -> tuple[Cell, ...]:  # noqa: ANN401 (the same)
    """Pieces of a line between gaps that no space of its text has."""
    import pypdfium2.raw as pdfium

    def box(offset: int) -> Any:  # noqa: ANN401 (a C structure)
        found = pdfium.FS_RECTF()
        index = pdfium.FPDFText_GetCharIndexFromTextIndex(
            view.raw, line.starts + offset
        )
        pdfium.FPDFText_GetLooseCharBox(view.raw, index, found)
        return found

    cells: list[Cell] = []
    start, left = 0, line.left
    for match in _SPACES.finditer(line.text):
        before, after = box(match.start() - 1), box(match.end())
        if after.left - before.right >= _CELL_GAP * line.size:
            cells.append(Cell(line.text[start : match.start()], left, before.right))
            start, left = match.end(), after.left
    cells.append(Cell(line.text[start:], left, line.right))
    return tuple(cells) if len(cells) > 1 else ()
