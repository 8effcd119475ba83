"""EPUB to text and blocks: the pages of the book in reading order, as HTML is read."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.archive import Archive
from groundtune.data.compose import Composer
from groundtune.data.metadata import from_fields
from groundtune.data.read_html import decode_html, read_page
from groundtune.data.safe_xml import attribute, descendants, local_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html"})
_FIELDS = frozenset({"title", "creator", "date", "language", "publisher"})


def read_epub(raw: bytes, *, name: str, where: str) -> Document:
    """Read a book.

    Raises:
        DataError: It is damaged, made to do harm, protected, or holds no text.
    """
    archive = Archive(raw, where=where)
    package = _package(archive)
    root = archive.xml(package)
    protected = _protected(archive)
    composer = Composer()
    pages = _spine(root, folder=posixpath.dirname(package))
    for part in pages:
        if part in protected:
            raise DataError(
                "protected against copying, so its text cannot be read",
                fix="ask its publisher for a copy without protection",
                where=where,
            )
        if part in archive:
            markup = decode_html(archive.read(part), where=f"{where}: {part}")
            page = read_page(markup)
            composer.extend(page.text, page.blocks)
    if not composer.blocks:
        raise DataError("the book has no text", fix="leave this file out", where=where)
    fields = _fields(root)
    return Document(
        id=name,
        text=composer.text,
        title=fields.get("title", ""),
        blocks=tuple(composer.blocks),
        metadata={"path": name, "source_format": "epub", **fields},
    )


def _package(archive: Archive) -> str:
    for element in descendants(archive.xml(_CONTAINER), "rootfile"):
        path = attribute(element, "full-path")
        if path in archive:
            return path
    raise DataError(
        "not a readable EPUB: it names no package",
        fix="fetch it again, or give it the extension of what it is",
        where=archive.where,
    )


def _spine(root: Element, *, folder: str) -> list[str]:
    """Names of the pages in reading order, each once."""
    items = {
        attribute(item, "id"): item
        for item in descendants(root, "item")
        if attribute(item, "media-type") in _PAGES
        and "nav" not in attribute(item, "properties").split()
    }
    listed = (attribute(entry, "idref") for entry in descendants(root, "itemref"))
    parts = (
        posixpath.normpath(
            posixpath.join(folder, unquote(attribute(items[key], "href")))
        )
        for key in listed
        if key in items
    )
    return list(dict.fromkeys(parts))


def _protected(archive: Archive) -> set[str]:
    """Parts that are encrypted. Fonts often are, in books that anyone may read."""
    if _ENCRYPTION not in archive:
        return set()
    references = descendants(archive.xml(_ENCRYPTION), "CipherReference")
    return {unquote(attribute(element, "URI")) for element in references}


def _fields(root: Element) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    for element in descendants(root, *_FIELDS):
        value = " ".join((element.text or "").split())
        # Only the first title and date: the others are subtitles and revisions.
        known = fields.setdefault(local_name(element), [])
        if value and (not known or local_name(element) == "creator"):
            known.append(value)
    return from_fields({key: ", ".join(values) for key, values in fields.items()})
