"""Which reader reads which file: the one table of extensions.

Readers are imported when the first file of their kind comes, so that a folder of text
does not wait for the libraries of the others.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol, cast

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.metadata import finished

if TYPE_CHECKING:
    from groundtune.data.metadata import Sidecar

READER_VERSION = 4
"""Bump when the same file gives another text: a knowledge base is stamped with it."""

READERS = {
    ".txt": "read_text:read_text",
    ".text": "read_text:read_text",
    ".md": "read_markdown:read_markdown",
    ".markdown": "read_markdown:read_markdown",
    ".rst": "read_rst:read_rst",
    ".html": "read_html:read_html",
    ".htm": "read_html:read_html",
    ".xhtml": "read_html:read_html",
    ".pdf": "read_pdf:read_pdf",
    ".docx": "read_docx:read_docx",
    ".pptx": "read_pptx:read_pptx",
    ".xlsx": "read_xlsx:read_xlsx",
    ".csv": "read_table:read_csv",
    ".tsv": "read_table:read_tsv",
    ".json": "read_json:read_json",
    ".jsonl": "read_json:read_json_lines",
    ".ndjson": "read_json:read_json_lines",
    ".epub": "read_epub:read_epub",
    ".eml": "read_eml:read_eml",
}
"""Module of this room and function, by extension in lower case."""


class Reader(Protocol):
    """Bytes of one format to a document, or to several."""

    def __call__(
        self, raw: bytes, *, name: str, where: str
    ) -> Document | list[Document]:
        """Raise DataError for bytes that are not readable."""
        ...


def readable_extensions() -> str:
    """The extensions, as messages name them."""
    return ", ".join(READERS)


def parse(
    raw: bytes, *, name: str, where: str, sidecar: Sidecar | None = None
) -> list[Document]:
    """Read the bytes of a file in this process. Documents of strangers: see `sandbox`.

    Args:
        raw: The bytes.
        name: The document's id; its extension says what the bytes are.
        where: The file, as an error names it.
        sidecar: Metadata that stood beside the file.

    Raises:
        DataError: They are of another kind, or not readable.
    """
    entry = READERS.get(PurePath(where).suffix.lower())
    if entry is None:
        raise DataError(
            f"no reader for {PurePath(where).suffix or 'a file without extension'}",
            fix=f"convert it to one of {readable_extensions()}",
            where=where,
        )
    module, _, function = entry.partition(":")
    reader = getattr(import_module(f"groundtune.data.{module}"), function)
    read = cast("Reader", reader)(raw, name=name, where=where)
    documents = [read] if isinstance(read, Document) else read
    return [finished(document, sidecar) for document in documents]
