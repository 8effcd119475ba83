"""The text of an HTML page without what stands around it, and its blocks.

The page is walked without recursion, so that nesting cannot exhaust the stack. What is
dropped is listed here and nowhere else: scripts, navigation, forms, hidden parts. White
space is collapsed as a browser does it; nothing else is changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document
from groundtune.data.compose import Composer
from groundtune.data.metadata import from_fields
from groundtune.data.read_text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser, LexborNode


_NOT_TEXT = "script style noscript template svg iframe object canvas audio video head"
_NOT_CONTENT = "nav aside footer form button select input textarea dialog"
_DROPPED = frozenset(f"{_NOT_TEXT} {_NOT_CONTENT}".split())
_DROPPED_ROLES = frozenset(
    {"navigation", "search", "banner", "contentinfo", "dialog", "menu"}
)
# Names that generators of documentation give to what is not content.
_NAVIGATION = "toc navheader navfooter navbar sidebar sphinxsidebar related breadcrumb"
_AROUND = "breadcrumbs headerlink site-header site-footer skip-link cookie-banner"
_DROPPED_NAMES = frozenset(f"{_NAVIGATION} {_AROUND}".split())
_ROOTS = ("main", "[role=main]", "article")
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_PHRASES = "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd"
_MORE_PHRASES = (
    "label mark q ruby s samp small span strike strong sub sup time tt u var"
)
_INLINE = frozenset(f"{_PHRASES} {_MORE_PHRASES} br wbr".split())
_NEVER = frozenset({"script", "style", "template", "-comment", "_comment"})
_CELLS = frozenset({"td", "th"})
_LISTS = frozenset({"ul", "ol", "menu"})
_SPACE = re.compile(r"[ \t\n\r\f]+")
_BREAK = "\x00"
"""Stands for `<br>` until white space is collapsed; no page holds a NUL of its own."""
_MIN_MAIN_SHARE = 0.3
_CHARSET_BYTES = 4096
# Only encodings of the web: some that Python knows unpack, or take quadratic time.
_CHARSET = re.compile(
    rb"""(?:charset|encoding)\s*=\s*["']?"""
    rb"((?:iso-?8859-|windows-|cp|koi8-|gb|euc-|shift_|mac)[\w-]{1,12}|latin-?1|big5)",
    re.I,
)
_META = {
    "author": "author",
    "date": "date",
    "dc.creator": "author",
    "dc.date": "date",
    "dcterms.date": "date",
    "article:author": "author",
    "article:published_time": "date",
    "description": "description",
}


_STYLE_SPACE = re.compile(r"\s+|/\*.*?\*/", re.DOTALL)
_UNSEEN = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|opacity:0*\.?0*(?:;|!|%|$)"
    r"|font-size:0*\.?0*(?:px|pt|em|rem|%)?(?:;|!|$)"
    r"|(?:left|top|text-indent):-\d{3,}(?:px|pt|em|rem|vw))"
)


class _Event(NamedTuple):
    kind: Literal["open", "close", "text"]
    tag: str
    node: LexborNode


class Page(NamedTuple):
    """What a page says."""

    text: str
    blocks: tuple[Block, ...]
    """None where the page has no text."""
    title: str
    metadata: dict[str, str]


def read_html(raw: bytes, *, name: str, where: str) -> Document:
    """Read a page; the title is its first `<h1>`, else its `<title>`.

    Raises:
        DataError: The encoding is unknown, or the page is empty or has no text to show.
    """
    page = read_page(decode_html(raw, where=where))
    if not page.blocks:
        raise DataError(
            "the page has no text",
            fix="leave it out, or save the page after its scripts have run",
            where=where,
        )
    return Document(
        id=name,
        text=page.text,
        title=page.title,
        blocks=page.blocks,
        metadata={"path": name, "source_format": "html", **page.metadata},
    )


def read_page(markup: str) -> Page:
    """The text, blocks and metadata of a page."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(markup)
    body = tree.body
    writer = _Writer()
    if body is not None:
        for root in (_content_root(tree.root, body), body):
            for drop in (True, False):
                # A page that is all navigation is still read rather than lost.
                if not writer.composer.blocks:
                    writer = _Writer()
                    writer.write(root, drop=drop)
    text, blocks = writer.composer.text, tuple(writer.composer.blocks)
    first = next((block for block in blocks if block.level == 1), None)
    named = tree.css_first("title")
    title = text[first.start : first.end] if first else named.text() if named else ""
    return Page(text, blocks, _SPACE.sub(" ", title).strip(), _metadata(tree))


def decode_html(raw: bytes, *, where: str) -> str:
    """Decode a page: UTF-8, or else the character set that the page itself names.

    Raises:
        DataError: It is neither, or empty.
    """
    try:
        return decode(raw, where=where)
    except DataError as error:
        match = _CHARSET.search(raw[:_CHARSET_BYTES])
        if match is None or not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        try:
            text = raw.decode(match[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            raise error from error.__cause__
        return decode(text.encode(), where=where)


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    fields: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        key = (attributes.get("name") or attributes.get("property") or "").lower()
        if key in _META:
            fields.setdefault(_META[key], attributes.get("content") or "")
    if tree.root is not None:
        fields["lang"] = tree.root.attributes.get("lang") or ""
    return from_fields({key: value for key, value in fields.items() if value.strip()})


def _content_root(root: LexborNode | None, body: LexborNode) -> LexborNode:
    """The element marked as the content, where there is one and it holds enough."""
    if root is None:
        return body
    whole = len(body.text())
    for selector in _ROOTS:
        found = root.css(selector)
        if len(found) == 1 and len(found[0].text()) >= _MIN_MAIN_SHARE * whole:
            return found[0]
    return body


def _is_dropped(node: LexborNode, tag: str) -> bool:
    if tag in _DROPPED:
        return True
    attributes = node.attributes
    if attributes.get("aria-hidden") == "true":
        return True
    if (attributes.get("role") or "") in _DROPPED_ROLES:
        return True
    names = (attributes.get("class") or "").split()
    names.append(attributes.get("id") or "")
    return not _DROPPED_NAMES.isdisjoint(name.casefold() for name in names)


def _is_unseen(node: LexborNode) -> bool:
    """Whether the page itself says that nobody sees this: a place for instructions.

    Style sheets are not read: what hides by a class is not recognised.
    """
    attributes = node.attributes
    if "hidden" in attributes:
        return True
    style = _STYLE_SPACE.sub("", attributes.get("style") or "").lower()
    return bool(style) and _UNSEEN.search(style) is not None


def _walk(root: LexborNode, *, drop: bool) -> Iterator[_Event]:
    """Open, text and close events in document order."""
    pending: list[tuple[Literal["enter", "leave"], LexborNode]] = [("enter", root)]
    while pending:
        step, node = pending.pop()
        tag = node.tag or ""
        if step == "leave":
            yield _Event("close", tag, node)
        elif tag == "-text":
            yield _Event("text", tag, node)
        elif tag in _NEVER or (
            node is not root and (_is_unseen(node) or (drop and _is_dropped(node, tag)))
        ):
            continue
        else:
            yield _Event("open", tag, node)
            pending.append(("leave", node))
            pending.extend(
                ("enter", child)
                for child in reversed(list(node.iter(include_text=True)))
            )


class _Writer:
    """Turns events into text and blocks."""

    def __init__(self) -> None:
        self.composer = Composer()
        self._inline: list[str] = []
        self._heading = 0
        self._pre = 0
        self._lists: list[_OpenList] = []
        self._lines: list[str] = []
        """Lines of the outermost open list, or rows of the outermost open table."""
        self._tables = 0
        self._cells: list[str] = []

    def write(self, root: LexborNode, *, drop: bool) -> None:
        """Write everything below `root`."""
        for event in _walk(root, drop=drop):
            if event.kind == "text":
                content = event.node.text_content or ""
                self._inline.append(content.replace(_BREAK, ""))
            elif event.tag in _INLINE:
                if event.tag == "br" and event.kind == "open":
                    self._inline.append("\n" if self._pre else _BREAK)
            elif event.kind == "open":
                self._open(event.tag, event.node)
            else:
                self._close(event.tag)
        self._flush()

    def _open(self, tag: str, node: LexborNode) -> None:
        if self._tables:
            # Inside a table everything is text of its cell.
            self._inline.append(" ")
            if tag == "table":
                self._tables += 1
            return
        self._flush()
        if tag == "table" and not self._lists and not _is_layout(node):
            self._tables = 1
            self._lines = []
        elif tag in _LISTS:
            if not self._lists:
                self._lines = []
            self._lists.append(_OpenList(ordered=tag == "ol"))
        elif tag == "li" and self._lists:
            self._lists[-1].begin_item()
        elif tag == "pre":
            self._pre += 1
        elif tag in _LEVELS:
            self._heading = _LEVELS[tag]

    def _close(self, tag: str) -> None:
        if self._tables:
            self._close_in_table(tag)
            return
        self._flush()
        if tag in _LISTS and self._lists:
            self._lists.pop()
            if not self._lists:
                self.composer.add("list", "\n".join(self._lines))
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag in _LEVELS:
            self._heading = 0

    def _close_in_table(self, tag: str) -> None:
        if tag == "table":
            self._tables -= 1
        if tag in _CELLS and self._tables == 1:
            self._cells.append(_collapse(self._take()).replace("\n", " "))
        elif (tag == "tr" and self._tables == 1) or not self._tables:
            self._end_row()
        else:
            self._inline.append(" ")
        if not self._tables:
            self.composer.add("table", "\n".join(self._lines))

    def _end_row(self) -> None:
        loose = _collapse(self._take())
        cells = [*self._cells, loose] if loose else self._cells
        if any(cells):
            self._lines.append(" | ".join(cells))
        self._cells = []

    def _take(self) -> str:
        content = "".join(self._inline)
        self._inline = []
        return content

    def _flush(self) -> None:
        """End the run of inline text: a block of its own, or lines of the open list."""
        content = self._take()
        if self._pre:
            content = content.replace("\r\n", "\n").strip("\n").rstrip()
        else:
            content = _collapse(content)
        if not content.strip():
            return
        if self._lists:
            prefix = self._lists[-1].prefix()
            indent = "  " * (len(self._lists) - 1)
            blank = " " * len(prefix)
            self._lines.extend(
                indent + (blank if number else prefix) + line
                for number, line in enumerate(content.split("\n"))
            )
        elif self._pre:
            self.composer.add("code", content)
        elif self._heading:
            self.composer.add(
                "heading", content.replace("\n", " "), level=self._heading
            )
        else:
            self.composer.add("paragraph", content)


class _OpenList:
    """A list being written: knows the mark of its next line."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._number = 0
        self._is_new = False

    def begin_item(self) -> None:
        self._number += 1
        self._is_new = True

    def prefix(self) -> str:
        """Mark of the item for its first line, as much space for the others."""
        mark = f"{self._number}. " if self._ordered else "- "
        if self._is_new:
            self._is_new = False
            return mark
        return " " * len(mark)


def _is_layout(table: LexborNode) -> bool:
    """Whether a table only places things: its content is then read as usual."""
    if (table.attributes.get("role") or "") == "presentation":
        return True
    return table.css_first("table table, h1, h2, h3, h4, pre, ul, ol") is not None


def _collapse(content: str) -> str:
    lines = _SPACE.sub(" ", content).split(_BREAK)
    return "\n".join(line.strip(" ") for line in lines).strip("\n ")
