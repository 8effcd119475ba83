"""Documents made here, and a tokenizer, that the tests of this room share."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Protocol

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from groundtune.core.values import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.core.values import Document


class MakePdf(Protocol):
    """Pages of lines to the bytes of a PDF; a line that begins with `#` is large."""

    def __call__(
        self, pages: Sequence[Sequence[str]], *, password: str | None = None
    ) -> bytes: ...


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    def make(pages: Sequence[Sequence[str]], *, password: str | None = None) -> bytes:
        stream = io.BytesIO()
        locked = StandardEncryption(password) if password else None
        canvas = Canvas(stream, pagesize=A4, encrypt=locked, invariant=1)
        for lines in pages:
            height = 780.0
            for line in lines:
                size = 18 if line.startswith("#") else 10
                canvas.setFont("Helvetica", size)
                canvas.drawString(60, height, line.removeprefix("# "))
                height -= 36 if line.startswith("#") or not line else 12
            canvas.showPage()
        canvas.save()
        return stream.getvalue()

    return make


class WordTokenizer:
    """One token for at most six letters of a word, one for each other mark."""

    _TOKEN = re.compile(r"\w{1,6}|[^\w\s]")

    def encode(self, text: str) -> list[int]:
        return [len(match.group()) for match in self._TOKEN.finditer(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join("x" * size for size in ids)

    def offsets(self, text: str) -> list[Span]:
        return [Span(*match.span()) for match in self._TOKEN.finditer(text)]


@pytest.fixture(scope="session")
def tokenizer() -> WordTokenizer:
    return WordTokenizer()


class MakeZip(Protocol):
    """Names and contents to the bytes of an archive."""

    def __call__(self, parts: Mapping[str, str | bytes]) -> bytes: ...


@pytest.fixture(scope="session")
def make_zip() -> MakeZip:
    def make(parts: Mapping[str, str | bytes]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return stream.getvalue()

    return make


REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAW = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
CORE = """<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>The Title</dc:title>
 <dc:creator>Ada</dc:creator><dcterms:created>2024-03-01T10:00:00Z</dcterms:created>
 </cp:coreProperties>"""


def relations(*targets: tuple[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="r{number}" Type="{REL}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{rows}</Relationships>'


class MakeParts(Protocol):
    """What makes up a document of one format, to be zipped or spoilt first."""

    def __call__(self, *contents: str) -> dict[str, str | bytes]: ...


@pytest.fixture(scope="session")
def docx_parts() -> MakeParts:
    """Parts of a Word document: its body, and its styles if they are given."""

    def make(*contents: str) -> dict[str, str | bytes]:
        body, styles = (*contents, "")[:2]
        document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
        return {
            "_rels/.rels": relations(("officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": relations(
                ("styles", "styles.xml"), ("footnotes", "/word/footnotes.xml")
            ),
            "word/document.xml": document,
            "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>',
            "docProps/core.xml": CORE,
        }

    return make


@pytest.fixture(scope="session")
def pptx_parts() -> MakeParts:
    """Parts of a presentation: the shapes of each slide."""

    def make(*contents: str) -> dict[str, str | bytes]:
        ids = "".join(
            f'<p:sldId id="{255 + number}" r:id="r{number}"/>'
            for number, _ in enumerate(contents, start=1)
        )
        parts: dict[str, str | bytes] = {
            "_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDE}" '
            f'xmlns:r="{REL}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": relations(
                *(
                    ("slide", f"slides/slide{n}.xml")
                    for n in range(1, len(contents) + 1)
                )
            ),
        }
        for number, shapes in enumerate(contents, start=1):
            parts[f"ppt/slides/slide{number}.xml"] = (
                f'<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAW}"><p:cSld><p:spTree>{shapes}'
                "</p:spTree></p:cSld></p:sld>"
            )
        return parts

    return make


@pytest.fixture(scope="session")
def epub_parts() -> MakeParts:
    """Parts of a book: the body of each chapter."""

    def make(*contents: str) -> dict[str, str | bytes]:
        numbers = range(1, len(contents) + 1)
        items = "".join(
            f'<item id="c{n}" href="text/c%20{n}.xhtml" '
            'media-type="application/xhtml+xml"/>'
            for n in numbers
        )
        spine = "".join(f'<itemref idref="c{n}"/>' for n in numbers)
        parts: dict[str, str | bytes] = {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:c"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
            "<dc:title>A Book</dc:title><dc:creator>Ada</dc:creator>"
            "<dc:creator>Bob</dc:creator><dc:language>en-GB</dc:language>"
            f"</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
        }
        for number, body in zip(numbers, contents, strict=True):
            parts[f"OEBPS/text/c {number}.xhtml"] = (
                "<?xml version='1.0'?><!DOCTYPE html><html "
                'xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head>'
                f"<body>{body}</body></html>"
            )
        return parts

    return make


def shown(document: Document) -> list[tuple[str, int, str]]:
    """Kind, level and text of each block."""
    return [
        (block.kind, block.level, document.text[block.start : block.end])
        for block in document.blocks
    ]


@pytest.fixture(scope="session")
def show() -> Callable[[Document], list[tuple[str, int, str]]]:
    return shown
