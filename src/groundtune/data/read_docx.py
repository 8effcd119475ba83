"""DOCX to text and blocks: the body in order, as it reads with all changes accepted.

Walked by us rather than by python-docx, which leaves out content controls, inserted
text that nobody has accepted yet, text boxes and footnotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.archive import Archive
from groundtune.data.compose import Composer, list_lines
from groundtune.data.ooxml import core_properties, main_part, relationships
from groundtune.data.safe_xml import attribute, child, descendants, local_name
from groundtune.data.tables import table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

# The second of two renderings of one thing; what was deleted; what only says how.
_PASSED_OVER = frozenset(
    {"Fallback", "del", "moveFrom", "rPr", "pPr", "tblPr", "trPr", "tcPr", "sdtPr"}
)
_TEXTS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_HEADING = re.compile(r"heading ([1-9])$")
_CODE = re.compile(r"\b(?:code|source|preformatted|macro text)\b")
_MAX_BASES = 20
"""Styles rest on styles; a ring of them must end."""


class _Style(NamedTuple):
    name: str
    """Lower case."""
    level: int
    """Of a heading; 0 for others."""
    is_list: bool
    based_on: str


def read_docx(raw: bytes, *, name: str, where: str) -> Document:
    """Read a Word document.

    Raises:
        DataError: It is damaged, made to do harm, needs a password or holds no text.
    """
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            "an old or encrypted Word file",
            fix="save it as DOCX without a password",
            where=where,
        )
    archive = Archive(raw, where=where)
    part = main_part(archive, kind="DOCX")
    related = dict(relationships(archive, part).values())
    styles = _styles(archive, related.get("styles", ""))
    body = child(archive.xml(part), "body")
    writer = _Writer(styles)
    if body is not None:
        writer.write(body)
    for notes in ("footnotes", "endnotes"):
        if related.get(notes, "") in archive:
            writer.notes(archive.xml(related[notes]))
    composer = writer.composer
    if not composer.blocks:
        raise DataError("holds no text", fix="leave this file out", where=where)
    properties = core_properties(archive)
    return Document(
        id=name,
        text=composer.text,
        title=properties.get("title", "") or writer.title,
        blocks=tuple(composer.blocks),
        metadata={"path": name, "source_format": "docx", **properties},
    )


class _Writer:
    def __init__(self, styles: dict[str, _Style]) -> None:
        self.composer = Composer()
        self.title = ""
        self._styles = styles
        self._items: list[tuple[int, str]] = []
        self._code: list[str] = []

    def write(self, body: Element) -> None:
        """Write paragraphs and tables, through whatever is wrapped around them."""
        for element in _blocks(body):
            if local_name(element) == "tbl":
                self._flush()
                self._table(element)
            else:
                self._paragraph(element)
        self._flush()

    def notes(self, root: Element) -> None:
        """Write footnotes after the body."""
        for note in root:
            if attribute(note, "type") in {"separator", "continuationSeparator"}:
                continue
            text = " ".join(" ".join(map(_text, descendants(note, "p"))).split())
            if text:
                label = f"Note {attribute(note, 'id')}: "
                self.composer.add("paragraph", label + text)

    def _paragraph(self, element: Element) -> None:
        text = _text(element).strip("\n")
        if not text.strip():
            return
        properties = child(element, "pPr")
        style = self._style(properties)
        level = _outline(properties) or style.level
        depth = _list_depth(properties, is_list=style.is_list)
        if style.name == "title" and not self.title:
            self.title = " ".join(text.split())
        if level:
            self._flush()
            heading = " ".join(text.split())
            self.title = self.title or heading
            self.composer.add("heading", heading, level=level)
        elif depth is not None:
            self._flush_code()
            self._items.append((min(depth, 8), text.strip()))
        elif _CODE.search(style.name):
            self._flush_items()
            self._code.append(text)
        else:
            self._flush()
            self.composer.add("paragraph", text.strip())

    def _table(self, table: Element) -> None:
        rows = [
            [_cell(cell) for cell in _children(row, "tc")]
            for row in _children(table, "tr")
        ]
        first = next(_children(table, "tr"), None)
        # An element without children is false, so `any` would not find it.
        marks = () if first is None else descendants(first, "tblHeader")
        is_marked = next(iter(marks), None) is not None
        # A table of two columns is often a list of names and values.
        is_pairs = all(len(row) < 3 for row in rows)
        has_header = True if is_marked else (False if is_pairs else None)
        self.composer.add("table", "\n".join(table_lines(rows, has_header=has_header)))

    def _flush(self) -> None:
        self._flush_items()
        self._flush_code()

    def _flush_items(self) -> None:
        items, self._items = self._items, []
        self.composer.add("list", list_lines(items))

    def _flush_code(self) -> None:
        lines, self._code = self._code, []
        self.composer.add("code", "\n".join(lines))

    def _style(self, properties: Element | None) -> _Style:
        found = child(properties, "pStyle") if properties is not None else None
        key = attribute(found, "val") if found is not None else ""
        style = self._styles.get(key, _Style("", 0, is_list=False, based_on=""))
        level, is_list, base = style.level, style.is_list, style.based_on
        for _ in range(_MAX_BASES):
            if level or base not in self._styles:
                break
            below = self._styles[base]
            level, is_list = below.level, is_list or below.is_list
            base = below.based_on
        return style._replace(level=level, is_list=is_list)


def _styles(archive: Archive, part: str) -> dict[str, _Style]:
    if part not in archive:
        return {}
    found: dict[str, _Style] = {}
    for element in descendants(archive.xml(part), "style"):
        named, base = child(element, "name"), child(element, "basedOn")
        name = attribute(named, "val").lower() if named is not None else ""
        heading = _HEADING.match(name)
        properties = child(element, "pPr")
        level = int(heading[1]) if heading else 1 if name == "title" else 0
        found[attribute(element, "styleId")] = _Style(
            name,
            min(level or _outline(properties), 6),
            is_list=name.startswith("list")
            or (properties is not None and child(properties, "numPr") is not None),
            based_on=attribute(base, "val") if base is not None else "",
        )
    return found


def _outline(properties: Element | None) -> int:
    """The level that a paragraph has in the outline; 0 for body text."""
    found = child(properties, "outlineLvl") if properties is not None else None
    value = attribute(found, "val") if found is not None else ""
    # Nine is what Word writes for body text.
    return min(int(value) + 1, 6) if value.isdigit() and int(value) < 9 else 0


def _list_depth(properties: Element | None, *, is_list: bool) -> int | None:
    numbering = child(properties, "numPr") if properties is not None else None
    if numbering is None:
        return 0 if is_list else None
    number, level = child(numbering, "numId"), child(numbering, "ilvl")
    if number is not None and attribute(number, "val") == "0":
        return None
    depth = attribute(level, "val") if level is not None else ""
    return int(depth) if depth.isdigit() else 0


def _blocks(body: Element) -> Iterator[Element]:
    """Paragraphs and tables in order, those inside content controls too."""
    pending = [body]
    while pending:
        element = pending.pop()
        name = local_name(element)
        if name in {"p", "tbl"}:
            yield element
        elif name not in _PASSED_OVER:
            pending.extend(reversed(element))


def _children(element: Element, name: str) -> Iterator[Element]:
    """Rows of a table or cells of a row, through content controls around them."""
    pending = list(reversed(element))
    while pending:
        found = pending.pop()
        if local_name(found) == name:
            yield found
        elif local_name(found) in {"sdt", "sdtContent", "ins", "customXml"}:
            pending.extend(reversed(found))


def _cell(cell: Element) -> str:
    return " ".join(" ".join(map(_text, descendants(cell, "p"))).split())


def _text(paragraph: Element) -> str:
    """The text of a paragraph, text boxes included, deletions and fields' codes not."""
    parts: list[str] = []
    pending = list(reversed(paragraph))
    while pending:
        element = pending.pop()
        name = local_name(element)
        if name == "t":
            parts.append(element.text or "")
        elif name in _TEXTS:
            parts.append(_TEXTS[name])
        elif name not in _PASSED_OVER:
            if name == "p" and parts:
                parts.append("\n")
            pending.extend(reversed(element))
    return "".join(parts)
