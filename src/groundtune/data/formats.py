"""Which reader reads which file: the one table of extensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.data.read_html import read_html
from groundtune.data.read_markdown import read_markdown
from groundtune.data.read_pdf import read_pdf
from groundtune.data.read_text import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.values import Document

READERS = {
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
}
SANDBOXED = frozenset({".html", ".htm", ".pdf"})
"""Parsed by libraries of others, so in a process of their own."""


def readable_extensions() -> str:
    """The extensions, as messages name them."""
    return ", ".join(READERS)


def parse(path: Path, *, name: str) -> Document:
    """Read `path` in this process; `name` becomes the document's id.

    Raises:
        DataError: The file is missing, of another kind, or not readable.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"no reader for {path.suffix or 'a file without extension'}",
            fix=f"convert it to one of {readable_extensions()}",
            where=str(path),
        )
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            error.strerror or str(error),
            fix="check the path and its permissions",
            where=str(path),
        ) from error
    return reader(raw, name=name, where=str(path))
