"""Bytes to text, and the paragraphs of plain text.

Reads nothing from disk: `data.read` hands the bytes over.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document

_BOM = codecs.BOM_UTF8
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Nothing follows the group, so it has nothing to give back; `sentences` says why it is
# not possessive.
_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:[ \t\r]*\n[ \t]*\S(?:.*\S)?)*")
_TITLE_CHARACTERS = 120


def decode(raw: bytes, *, where: str) -> str:
    """Decode UTF-8; a byte order mark is dropped, nothing else is changed.

    UTF-16 is read where its byte order mark says so: that is no guess.

    Args:
        raw: The bytes of the file.
        where: The file, as an error names it.

    Raises:
        DataError: The bytes are not UTF-8, hold a NUL, or are only white space.
    """
    mark = len(_BOM) if raw.startswith(_BOM) else 0
    is_wide = len(raw) > 2 and raw.startswith(_WIDE_BOMS)
    try:
        text = raw.decode("utf-16") if is_wide else raw[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not {'UTF-16' if is_wide else 'UTF-8'} at byte {error.start + mark}",
            fix="convert it, for example: "
            f"iconv -f latin1 -t utf-8 '{where}' > converted",
            where=where,
        ) from error
    if (nul := text.find("\0")) >= 0:
        raise DataError(
            f"holds a NUL character at {nul}, so it is no text",
            fix="leave this file out, or convert it to text",
            where=where,
        )
    if not text or text.isspace():
        raise DataError("empty file", fix="remove it, or put text into it", where=where)
    return text


class Line(NamedTuple):
    """A line of a text, and where it begins."""

    text: str
    """Without its line end."""
    start: int


def text_lines(text: str) -> list[Line]:
    """The lines of a text; only a line feed, with or without a return, ends one."""
    lines: list[Line] = []
    start = 0
    for line in text.split("\n"):
        lines.append(Line(line.removesuffix("\r"), start))
        start += len(line) + 1
    return lines


def whole_characters(text: str, *, field: str, where: str) -> str:
    """`text`, if it can be written as UTF-8; JSON may hold halves of characters.

    Raises:
        DataError: It holds a surrogate without its other half.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{field!r} holds half of a character at {error.start}",
            fix="write the text again as UTF-8, not cut inside an emoji",
            where=where,
        ) from error
    return text


def paragraphs(text: str, start: int = 0, end: int | None = None) -> list[Block]:
    """Runs of lines that blank lines separate, between `start` and `end`."""
    end = len(text) if end is None else end
    return [
        Block("paragraph", match.start(), match.end())
        for match in _PARAGRAPH.finditer(text, start, end)
    ]


def read_text(raw: bytes, *, name: str, where: str) -> Document:
    """Read plain text; the first line is the title if it stands alone and is short.

    Raises:
        DataError: See `decode`.
    """
    text = decode(raw, where=where)
    blocks = paragraphs(text)
    first = text[blocks[0].start : blocks[0].end] if blocks else ""
    alone = len(blocks) > 1 and "\n" not in first
    is_title = alone and len(first) <= _TITLE_CHARACTERS and first[-1] not in ".!?:;,"
    return Document(
        id=name,
        text=text,
        title=first if is_title else "",
        blocks=tuple(blocks),
        metadata={"path": name, "source_format": "text"},
    )
