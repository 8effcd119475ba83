"""The text of a PDF, with headings by font size and the page of every character.

A PDF holds lines, not paragraphs. Lines are joined where the next word would not have
fitted, and kept apart where it would. Lines with wide gaps that stand below each other
are rows of a table, `a | b | c`. Page numbers, running headers and tables of
contents are left out, and how many lines that were stands in the metadata.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document
from groundtune.data.pdf_lines import pdf_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.data.compose import Kind
    from groundtune.data.pdf_lines import Line

_HEADING_RATIO = 1.15
"""Font size of a heading, at least, over that of the body."""
_HEADING_CHARACTERS = 200
_GAP_RATIO = 1.5
"""Line distance that ends a paragraph, over the usual one."""
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"(?:[Pp]age )?(?:\d{1,4}|[ivxlc]{1,6})(?:(?: of |/)\d+)?")
_BULLET = re.compile(r"(?:[•▪‣◦·\u2013*-]|\d{1,2}[.)])\s")
_LEADER = re.compile(r"(?:\s?\.){5,}\s*\d*$")
"""The dots between an entry of a table of contents and its page."""
_RUNNING_PAGES = 3
_ALIGNED = 1.0
"""How far the cells of a column may begin from each other, in font sizes."""
_SENTENCE_ENDS = (".", "!", "?", ":", "”", '"')


def read_pdf(raw: bytes, *, name: str, where: str) -> Document:
    """Read a PDF.

    Metadata: `page_count`, `page_starts` (offset in the text at which each page begins,
    see `page_of`) and `dropped_lines`.

    Raises:
        DataError: It needs a password, is damaged, or holds no text.
    """
    if not raw:
        raise DataError(
            "empty file", fix="remove it, or fetch the PDF again", where=where
        )
    pages, fields = pdf_lines(raw, where=where)
    kept, dropped = _without_running_lines(pages)
    kept = [_with_tables(lines) for lines in kept]
    if not any(kept):
        raise DataError(
            f"no text on its {len(pages)} page(s): it may be a scan",
            fix="recognise the text first, for example: ocrmypdf in.pdf out.pdf",
            where=where,
        )
    text, blocks, page_starts = _compose(kept)
    first = next((block for block in blocks if block.kind == "heading"), None)
    return Document(
        id=name,
        text=text,
        title=fields.get("title", "")
        or (text[first.start : first.end] if first else ""),
        blocks=tuple(blocks),
        metadata={
            "path": name,
            "source_format": "pdf",
            "page_count": str(len(pages)),
            "page_starts": ",".join(map(str, page_starts)),
            "dropped_lines": str(dropped),
            **fields,
        },
    )


def page_of(metadata: dict[str, str], offset: int) -> int | None:
    """Number of the page, from 1, that holds the character; None if not a PDF."""
    raw = metadata.get("page_starts")
    if not raw:
        return None
    return max(1, bisect_right([int(start) for start in raw.split(",")], offset))


def _with_tables(lines: list[Line]) -> list[Line]:
    """The lines of a page, those marked that are rows of a table.

    Rows are neighbours with as many cells, which begin or end below each other. Three
    of two cells make a table, or two of more.
    """
    result = list(lines)
    start = 0
    while start < len(lines):
        stop = start + 1
        while stop < len(lines) and _same_columns(lines[stop - 1], lines[stop]):
            stop += 1
        if stop - start >= (3 if len(lines[start].cells) < 3 else 2):
            for number in range(start, stop):
                text = " | ".join(cell.text for cell in lines[number].cells)
                row = number - start + 1
                result[number] = lines[number]._replace(text=text, row=row)
        start = stop
    return result


def _same_columns(line: Line, following: Line) -> bool:
    if not line.cells or len(line.cells) != len(following.cells):
        return False
    near = _ALIGNED * line.size
    return line.baseline > following.baseline and all(
        abs(one.left - other.left) < near or abs(one.right - other.right) < near
        for one, other in zip(line.cells, following.cells, strict=True)
    )


def _without_running_lines(
    pages: Sequence[list[Line]],
) -> tuple[list[list[Line]], int]:
    """Drop page numbers, contents, and first and last lines that many pages share."""
    body = _body_size([line for lines in pages for line in lines])
    edges = [
        _DIGITS.sub("#", line.text)
        for lines in pages
        for line in {id(edge): edge for edge in (*lines[:1], *lines[-1:])}.values()
    ]
    counts = Counter(edges)
    dropped = 0
    kept: list[list[Line]] = []
    for lines in pages:
        start, stop = 0, len(lines)
        if stop > 1 and _is_running(lines[-1], counts, len(pages)):
            stop -= 1
        is_large = bool(lines) and lines[0].size >= _HEADING_RATIO * body
        if stop > 1 and not is_large and _is_running(lines[0], counts, len(pages)):
            start += 1
        content = lines[start:stop]
        entries = sum(1 for line in content if _LEADER.search(line.text))
        if 2 * entries > len(content):
            # Entries that wrap have lines without dots, so the page goes as a whole.
            content = []
        content = [line for line in content if not _LEADER.search(line.text)]
        dropped += len(lines) - len(content)
        kept.append(content)
    return kept, dropped


def _is_running(line: Line, counts: Counter[str], pages: int) -> bool:
    if pages >= _RUNNING_PAGES and _PAGE_NUMBER.fullmatch(line.text):
        return True
    return counts[_DIGITS.sub("#", line.text)] >= max(_RUNNING_PAGES, 0.05 * pages)


def _compose(pages: Sequence[list[Line]]) -> tuple[str, list[Block], list[int]]:
    """Join lines into blocks; also where each page begins in the text."""
    lines = [line for page in pages for line in page]
    body = _body_size(lines)
    pitch = _usual_pitch(lines, body)
    levels = _heading_levels(lines, body)
    parts: list[str] = []
    blocks: list[Block] = []
    starts: dict[int, int] = {}
    length = 0
    for number, line in enumerate(lines):
        level = levels.get(round(line.size * 2), 0)
        level = 0 if len(line.text) > _HEADING_CHARACTERS or line.row else level
        joint = ""
        if number:
            before = lines[number - 1]
            joint = _joint(before, line, pitch=pitch, is_heading=level > 0)
            if blocks[-1].level != level or line.row == 1:
                joint = "\n\n"
            elif line.row or before.row:
                joint = "\n" if line.row else "\n\n"
        parts.append(joint)
        length += len(joint)
        starts.setdefault(line.page, length)
        kind: Kind = "paragraph"
        if level:
            kind = "heading"
        elif line.row:
            kind = "table"
        elif _BULLET.match(line.text):
            kind = "list"
        parts.append(line.text)
        end = length + len(line.text)
        if joint in {" ", "\n"}:
            blocks[-1] = blocks[-1]._replace(end=end)
        else:
            blocks.append(Block(kind, length, end, level))
        length = end
    page_starts: list[int] = []
    following = length
    for number in reversed(range(len(pages))):
        following = starts.get(number, following)
        page_starts.append(following)
    return "".join(parts), blocks, page_starts[::-1]


def _body_size(lines: Sequence[Line]) -> float:
    """The font size in which most characters are set."""
    weights: Counter[int] = Counter()
    for line in lines:
        weights[round(line.size * 2)] += len(line.text)
    return weights.most_common(1)[0][0] / 2 if weights else 0.0


def _usual_pitch(lines: Sequence[Line], body: float) -> float:
    """Distance of two lines of body text, in the units of the page."""
    gaps = [
        before.baseline - after.baseline
        for before, after in pairwise(lines)
        if before.page == after.page and abs(before.size - body) < 1
    ]
    positive = [gap for gap in gaps if 0 < gap < 4 * max(body, 1)]
    return median(positive) if positive else 1.2 * max(body, 1)


def _heading_levels(lines: Sequence[Line], body: float) -> dict[int, int]:
    """Level of each font size that is clearly above the body's, 1 for the largest."""
    sizes = sorted(
        {
            round(line.size * 2)
            for line in lines
            if line.size >= _HEADING_RATIO * body
            and len(line.text) <= _HEADING_CHARACTERS
        },
        reverse=True,
    )
    return {size: min(rank, 6) for rank, size in enumerate(sizes, start=1)}


def _joint(before: Line, line: Line, *, pitch: float, is_heading: bool) -> str:
    """What stands between two lines: a space, a line end, or a blank line."""
    gap = before.baseline - line.baseline
    same_page = before.page == line.page
    if is_heading:
        near = same_page and 0 < gap < 2.2 * max(before.size, pitch)
        return " " if near and abs(before.size - line.size) < 0.5 else "\n\n"
    if _BULLET.match(line.text) and line.text[0] not in "-\u2013*":
        return "\n\n"
    indent = line.left - before.left
    width = (before.right - before.left) / max(1, len(before.text))
    edge = max(before.right, line.right)
    # The next word would have fitted: the line was ended on purpose.
    word = line.text.split(maxsplit=1)[0]
    is_short = before.right + width * (len(word) + 1) < edge
    if not same_page:
        is_open = before.text[-1] not in _SENTENCE_ENDS and line.text[:1].islower()
        return " " if is_open else "\n\n"
    if gap <= 0 or gap > _GAP_RATIO * pitch:
        return "\n\n" if abs(gap) > 0.5 * pitch else " "
    if is_short:
        return "\n\n" if abs(indent) > 0.5 * line.size else "\n"
    ends = before.text.endswith(_SENTENCE_ENDS)
    return "\n\n" if ends and indent > 0.5 * line.size else " "
