"""The blocks of Markdown, found line by line, with offsets into the file itself.

A scanner of ours rather than a parser: the passages need to know where headings, code,
lists and tables begin and end, and nothing of what stands inside a line. Each line is
looked at once, so no input makes it slow. Its headings and code blocks are compared
with markdown-it-py in the tests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from groundtune.core.values import Block, Document
from groundtune.data.metadata import front_matter
from groundtune.data.read_text import decode, text_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.data.read_text import Line

    Kind = Literal["paragraph", "list", "table"]

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)")
# Only these may cut a paragraph short: "1986. A fine year" wraps a line, too.
_INTERRUPTING_ITEM = re.compile(r" {0,3}(?:[-+*]|1[.)])[ \t]+\S")
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def read_markdown(raw: bytes, *, name: str, where: str) -> Document:
    """Read Markdown; the title is the first heading of the highest level used.

    Front matter goes into the metadata, and its title before that of the headings.

    Raises:
        DataError: The file is not UTF-8, or empty.
    """
    text = decode(raw, where=where)
    blocks = markdown_blocks(text)
    headings = [block for block in blocks if block.kind == "heading"]
    top = min(headings, key=lambda block: block.level, default=None)
    given = front_matter(text)
    headed = heading_title(text[top.start : top.end]) if top else ""
    return Document(
        id=name,
        text=text,
        title=given.get("title", "") or headed,
        blocks=tuple(blocks),
        metadata={"path": name, "source_format": "markdown", **given},
    )


def heading_title(raw: str) -> str:
    """What a heading says: no marks, no underline, links by their text."""
    lines = [line.strip() for line in raw.splitlines()]
    if len(lines) > 1 and _SETEXT.match(lines[-1]):
        lines.pop()
    elif match := _ATX.match(lines[0]):
        content = lines[0][match.end(1) :].strip()
        opened = content.rstrip("#")
        is_closed = not opened or opened[-1].isspace()
        lines = [opened.rstrip() if is_closed else content]
    plain = _LINK.sub(r"\1", " ".join(lines))
    return plain.replace("**", "").replace("`", "").strip()


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of `text`, in order."""
    return _Scanner(text_lines(text)).scan()


class _Scanner:
    """Walks the lines once; `self.at` is the next line to look at."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.at = 0
        self.blocks: list[Block] = []

    def scan(self) -> list[Block]:
        self._front_matter()
        while self.at < len(self.lines):
            line = self.lines[self.at].text
            if not line.strip():
                self.at += 1
            elif match := _ATX.match(line):
                self._emit("heading", self.at + 1, level=len(match[1]))
            elif _FENCE.match(line):
                self._emit("code", self._fence_end(self.at))
            elif _INDENTED.match(line):
                self._emit("code", self._indented_end())
            elif _RULE.match(line):
                self._emit("paragraph", self.at + 1)
            elif _ITEM.match(line):
                self._emit("list", self._list_end())
            elif self._is_table(self.at):
                self._emit("table", self._table_end())
            else:
                self._paragraph()
        return self.blocks

    def _emit(
        self,
        kind: Literal["heading", "paragraph", "list", "code", "table", "metadata"],
        stop: int,
        *,
        level: int = 0,
    ) -> None:
        """Add lines `self.at` to `stop`, blank ones at the end left out."""
        last = stop - 1
        while not self.lines[last].text.strip():
            last -= 1
        start = self.lines[self.at].start
        end = self.lines[last].start + len(self.lines[last].text)
        self.blocks.append(Block(kind, start, end, level))
        self.at = stop

    def _front_matter(self) -> None:
        if self.lines[0].text.rstrip() != "---":
            return
        for number in range(1, len(self.lines)):
            if self.lines[number].text.rstrip() in {"---", "..."}:
                self._emit("metadata", number + 1)
                return

    def _fence_end(self, at: int, indent: int = 0) -> int:
        """Line after the fence that opens at `at`; an open fence runs to the end."""
        opening = _FENCE.match(self.lines[at].text[indent:])
        assert opening, "called on a fence"
        mark = opening[1]
        for number in range(at + 1, len(self.lines)):
            inner = self.lines[number].text.strip()
            if len(inner) >= len(mark) and not inner.strip(mark[0]):
                return number + 1
        return len(self.lines)

    def _indented_end(self) -> int:
        number = self.at
        while number < len(self.lines):
            line = self.lines[number].text
            if line.strip() and not _INDENTED.match(line):
                break
            number += 1
        return number

    def _list_end(self) -> int:
        """Line after the list: items, what is indented below them, lazy lines."""
        number = self.at + 1
        after_blank = False
        while number < len(self.lines):
            line = self.lines[number].text
            indent = len(line) - len(line.lstrip())
            if not line.strip():
                after_blank = True
            elif indent >= 2 and _FENCE.match(line[indent:]):
                number = self._fence_end(number, indent) - 1
                after_blank = False
            elif _RULE.match(line) or (indent < 2 and _ATX.match(line)):
                break
            elif _ITEM.match(line) or indent >= 2:
                after_blank = False
            elif after_blank or _FENCE.match(line):
                break
            number += 1
        return number

    def _is_table(self, number: int) -> bool:
        if number + 1 >= len(self.lines) or "|" not in self.lines[number].text:
            return False
        rule = self.lines[number + 1].text
        return bool("-" in rule and _TABLE_RULE.match(rule))

    def _table_end(self) -> int:
        number = self.at + 2
        while number < len(self.lines) and "|" in self.lines[number].text:
            number += 1
        return number

    def _paragraph(self) -> None:
        """Emit a paragraph, or a heading where its lines are underlined."""
        quoted = self.lines[self.at].text.lstrip().startswith(">")
        number = self.at + 1
        while number < len(self.lines):
            line = self.lines[number].text
            underline = None if quoted else _SETEXT.match(line)
            if underline:
                self._emit("heading", number + 1, level=1 if "=" in line else 2)
                return
            if (
                not line.strip()
                or _ATX.match(line)
                or _FENCE.match(line)
                or _RULE.match(line)
                or _INTERRUPTING_ITEM.match(line)
                or self._is_table(number)
            ):
                break
            number += 1
        self._emit("paragraph", number)
