"""The blocks of reStructuredText, found line by line, with offsets into the file.

A scanner of ours for the reasons that hold for Markdown, and one more: docutils makes
an error message of each directive that it does not know, and most files are written for
Sphinx, whose directives it does not know. Each line is looked at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.core.values import Block, Document
from groundtune.data.metadata import from_fields
from groundtune.data.read_text import decode, text_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.data.compose import Kind
    from groundtune.data.read_text import Line

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")
_ITEM = re.compile(
    r"\s*(?:[-+*\u2022]|(?:\d{1,9}|#|[A-Za-z])[.)]|\((?:\d+|#)\))[ \t]+\S"
)
_FIELD = re.compile(r":([^:\s][^:]*):(?:[ \t]+(.*))?$")
_GRID_RULE = re.compile(r"\s*\+(?:[-=]+\+)+[ \t]*$")
_SIMPLE_RULE = re.compile(r"\s*=+(?:[ \t]+=+)+[ \t]*$")
_DIRECTIVE = re.compile(r"\s*\.\.[ \t]+([\w:.-]+)::")
_EXPLICIT = re.compile(r"\s*\.\.(?:[ \t]|$)")
_CODE_DIRECTIVES = frozenset(
    {"code", "code-block", "sourcecode", "literalinclude", "parsed-literal", "doctest"}
    | {"testcode", "testsetup", "testoutput", "math", "graphviz", "highlight", "raw"}
)
_TABLE_DIRECTIVES = frozenset({"csv-table", "list-table"})
_HEADING_CHARACTERS = 1000
_ROLE = re.compile(r":[\w:+.-]+:`([^`<]*?)\s*(?:<[^`]*>)?`")


def read_rst(raw: bytes, *, name: str, where: str) -> Document:
    """Read reStructuredText; the title is the first heading of the highest level.

    Metadata comes from the list of fields that stands above or below the title.

    Raises:
        DataError: The file is not UTF-8, or empty.
    """
    text = decode(raw, where=where)
    scanner = _Scanner(text_lines(text))
    blocks = scanner.scan()
    top = min(
        (block for block in blocks if block.kind == "heading"),
        key=lambda block: block.level,
        default=None,
    )
    return Document(
        id=name,
        text=text,
        title=rst_heading_title(text[top.start : top.end]) if top else "",
        blocks=tuple(blocks),
        metadata={"path": name, "source_format": "rst", **from_fields(scanner.fields)},
    )


def rst_heading_title(raw: str) -> str:
    """What a heading says: no adornment, roles by their text."""
    lines = [
        line.strip() for line in raw.splitlines() if not _ADORNMENT.match(line.strip())
    ]
    # Cut, because a role is looked for from every colon on.
    plain = _ROLE.sub(r"\1", " ".join(lines)[:_HEADING_CHARACTERS])
    return plain.replace("``", "").replace("**", "").strip()


class _Scanner:
    """Walks the lines once; `self.at` is the next line to look at."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.at = 0
        self.blocks: list[Block] = []
        self.fields: dict[str, str] = {}
        self._styles: list[str] = []
        """Adornments in the order in which they appeared: the levels of headings."""
        self._literal = False
        """Whether the last paragraph announced a literal block."""

    def scan(self) -> list[Block]:
        while self.at < len(self.lines):
            line = self.lines[self.at].text
            if not line.strip():
                self.at += 1
                continue
            literal, self._literal = self._literal, False
            if literal and _indent(line):
                self._emit("code", self._indented_end(_indent(line)))
            elif line.startswith(">>>"):
                self._emit("code", self._filled_end())
            elif not self._heading():
                self._body(line)
        return self.blocks

    def _body(self, line: str) -> None:
        """Anything but a heading or a literal block."""
        if _GRID_RULE.match(line):
            self._emit("table", self._grid_end())
        elif _SIMPLE_RULE.match(line):
            self._emit("table", self._simple_table_end())
        elif _EXPLICIT.match(line):
            self._explicit(line)
        elif _FIELD.match(line):
            self._field_list()
        elif _ITEM.match(line):
            self._emit("list", self._list_end())
        else:
            self._paragraph()

    def _emit(self, kind: Kind, stop: int, *, level: int = 0) -> None:
        """Add lines `self.at` to `stop`, blank ones at the end left out."""
        last = stop - 1
        while last > self.at and not self.lines[last].text.strip():
            last -= 1
        start = self.lines[self.at].start
        end = self.lines[last].start + len(self.lines[last].text)
        self.blocks.append(Block(kind, start, end, level))
        self.at = stop

    def _text(self, number: int) -> str:
        return self.lines[number].text if number < len(self.lines) else ""

    def _heading(self) -> bool:
        """Emit a heading if one begins here, underlined or between two lines."""
        first = self._text(self.at)
        second, third = self._text(self.at + 1), self._text(self.at + 2)
        over = _ADORNMENT.match(first)
        if over and second.strip() and third.strip() == first.strip():
            style, count = f"{over[1]}{over[1]}", 3
        elif (
            not over
            and not _indent(first)
            and (under := _ADORNMENT.match(second))
            and len(second.strip()) >= min(4, len(first.strip()))
        ):
            style, count = under[1], 2
        elif over and len(first.strip()) >= 4 and not second.strip():
            # A transition: a line of its own.
            self._emit("paragraph", self.at + 1)
            return True
        else:
            return False
        if style not in self._styles:
            self._styles.append(style)
        self._emit(
            "heading", self.at + count, level=min(6, 1 + self._styles.index(style))
        )
        return True

    def _explicit(self, line: str) -> None:
        """A directive, comment or target: its line and what is indented below it."""
        directive = _DIRECTIVE.match(line)
        name = directive[1] if directive else ""
        stop = self.at + 1
        kind: Kind = "paragraph"
        if name in _CODE_DIRECTIVES:
            kind = "code"
        elif name in _TABLE_DIRECTIVES:
            kind = "table"
        if kind != "paragraph" or not directive:
            stop = self._indented_end(_indent(line) + 1, at=stop)
        else:
            # What other directives hold is read as the text that it is.
            while stop < len(self.lines) and _indent(self._text(stop)) > _indent(line):
                stop += 1
        self._emit(kind, stop)

    def _field_list(self) -> None:
        first = not self.blocks or all(block.kind == "heading" for block in self.blocks)
        number = self.at
        while number < len(self.lines):
            match = _FIELD.match(self._text(number))
            if match is None:
                if not self._text(number).strip() or not _indent(self._text(number)):
                    break
            elif first:
                self.fields.setdefault(match[1].lower(), (match[2] or "").strip())
            number += 1
        self._emit("list", max(number, self.at + 1))

    def _list_end(self) -> int:
        base = _indent(self._text(self.at))
        number = self.at + 1
        after_blank = False
        while number < len(self.lines):
            line = self._text(number)
            if not line.strip():
                after_blank = True
            elif _indent(line) > base or (
                _indent(line) == base
                and _ITEM.match(line)
                and _mark(line) == _mark(self._text(self.at))
            ):
                after_blank = False
            elif after_blank or _indent(line) < base:
                break
            number += 1
        return number

    def _grid_end(self) -> int:
        number = self.at
        while self._text(number).lstrip().startswith(("+", "|")):
            number += 1
        return number

    def _simple_table_end(self) -> int:
        """After the rule that ends it: the third, or the second before a blank line."""
        number, rules = self.at + 1, 1
        while number < len(self.lines):
            if _SIMPLE_RULE.match(self._text(number)):
                rules += 1
                if rules == 3 or not self._text(number + 1).strip():
                    return number + 1
            number += 1
        return self._filled_end()

    def _filled_end(self) -> int:
        number = self.at + 1
        while self._text(number).strip():
            number += 1
        return number

    def _indented_end(self, indent: int, *, at: int | None = None) -> int:
        number = self.at if at is None else at
        while number < len(self.lines):
            line = self._text(number)
            if line.strip() and _indent(line) < indent:
                break
            number += 1
        return number

    def _paragraph(self) -> None:
        stop = self._filled_end()
        for number in range(self.at + 1, stop):
            following = self._text(number + 1)
            is_title = (
                not _indent(self._text(number))
                and not _ADORNMENT.match(self._text(number))
                and len(following.strip()) >= 4
                and _ADORNMENT.match(following)
            )
            if is_title:
                stop = number
                break
        self._literal = self._text(stop - 1).rstrip().endswith("::")
        self._emit("paragraph", stop)


def _mark(line: str) -> str:
    """The sign of an item; one and the same for all that count."""
    sign = line.lstrip()[:1]
    return "1" if sign.isalnum() or sign in "#(" else sign


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
