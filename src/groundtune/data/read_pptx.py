"""PPTX to text and blocks: a slide is a page, its title a heading.

Shapes are read in the order in which they are stored, which is the order in which
screen readers read them. Speaker notes follow their slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

_TITLES = frozenset({"title", "ctrTitle"})
_AROUND = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})
"""Placeholders that repeat on every slide."""


def read_pptx(raw: bytes, *, name: str, where: str) -> Document:
    """Read a presentation.

    Metadata: `page_count` and `page_starts`, as for a PDF, a slide being a page.

    Raises:
        DataError: It is damaged, made to do harm, needs a password or holds no text.
    """
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(
            "an old or encrypted PowerPoint file",
            fix="save it as PPTX without a password",
            where=where,
        )
    archive = Archive(raw, where=where)
    slides = _slides(archive)
    composer = Composer()
    starts: list[int] = []
    has_text = False
    for number, part in enumerate(slides, start=1):
        starts.append(composer.following)
        has_text |= _write_slide(composer, archive, part, number=number)
    if not has_text:
        raise DataError("holds no text", fix="leave this file out", where=where)
    properties = core_properties(archive)
    first = next((block for block in composer.blocks if block.level == 1), None)
    text = composer.text
    return Document(
        id=name,
        text=text,
        title=properties.get("title", "")
        or (text[first.start : first.end] if first else ""),
        blocks=tuple(composer.blocks),
        metadata={
            "path": name,
            "source_format": "pptx",
            "page_count": str(len(slides)),
            "page_starts": ",".join(map(str, starts)),
            **properties,
        },
    )


def _slides(archive: Archive) -> list[str]:
    """Parts of the slides, in the order of the presentation."""
    part = main_part(archive, kind="PPTX")
    related = relationships(archive, part)
    named = [
        related.get(_relation(entry), ("", ""))[1]
        for entry in descendants(archive.xml(part), "sldId")
    ]
    return [name for name in named if name in archive]


def _relation(entry: Element) -> str:
    """`r:id`, which stands beside an `id` without namespace."""
    for key, value in entry.attrib.items():
        if key.startswith("{") and key.endswith("}id"):
            return value
    return ""


def _write_slide(
    composer: Composer, archive: Archive, part: str, *, number: int
) -> bool:
    """Write one slide; returns whether it says anything."""
    root = archive.xml(part)
    shapes = list(_shapes(root))
    title = next((shape for shape in shapes if _placeholder(shape) in _TITLES), None)
    titled = " ".join(_paragraphs_text(title).split()) if title is not None else ""
    composer.add("heading", titled or f"Slide {number}", level=1)
    for shape in shapes:
        if shape is title or _placeholder(shape) in _AROUND:
            continue
        if local_name(shape) == "graphicFrame":
            _write_table(composer, shape)
        else:
            _write_text(composer, shape)
    for kind, target in relationships(archive, part).values():
        if kind == "notesSlide" and target in archive:
            bodies = [
                _paragraphs_text(shape)
                for shape in _shapes(archive.xml(target))
                if _placeholder(shape) not in _AROUND
            ]
            notes = "\n".join(body for body in bodies if body.strip())
            if notes:
                composer.add("paragraph", f"Notes: {notes}")
    return bool(titled) or composer.blocks[-1].kind != "heading"


def _shapes(root: Element) -> Iterator[Element]:
    """Shapes and tables in order, those in groups too."""
    pending = [root]
    while pending:
        element = pending.pop()
        name = local_name(element)
        if name in {"sp", "graphicFrame"}:
            yield element
        elif name != "Fallback":
            pending.extend(reversed(element))


def _placeholder(shape: Element) -> str:
    """What a shape is a placeholder for; empty if for nothing special."""
    found = next(descendants(shape, "ph"), None)
    return attribute(found, "type") if found is not None else ""


def _write_text(composer: Composer, shape: Element) -> None:
    """Paragraphs of a shape: a list if there are several."""
    body = child(shape, "txBody")
    if body is None:
        return
    items: list[tuple[int, str]] = []
    for paragraph in descendants(body, "p"):
        text = _text(paragraph)
        if text:
            properties = child(paragraph, "pPr")
            level = attribute(properties, "lvl") if properties is not None else ""
            items.append((min(int(level), 8) if level.isdigit() else 0, text))
    if len(items) == 1:
        composer.add("paragraph", items[0][1])
    else:
        composer.add("list", list_lines(items))


def _write_table(composer: Composer, frame: Element) -> None:
    for table in descendants(frame, "tbl"):
        rows = [
            [_paragraphs_text(cell).replace("\n", " ") for cell in row]
            for row in table
            if local_name(row) == "tr"
        ]
        properties = child(table, "tblPr")
        is_marked = properties is not None and attribute(properties, "firstRow") in {
            "1",
            "true",
        }
        lines = table_lines(rows, has_header=None if is_marked else False)
        composer.add("table", "\n".join(lines))


def _paragraphs_text(shape: Element) -> str:
    texts = (_text(paragraph) for paragraph in descendants(shape, "p"))
    return "\n".join(text for text in texts if text)


def _text(paragraph: Element) -> str:
    parts = [
        "\n" if local_name(element) == "br" else element.text or ""
        for element in descendants(paragraph, "t", "br")
    ]
    return "".join(parts).strip()
