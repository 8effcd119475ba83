"""PDF to text, blocks and pages."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from groundtune.core.errors import DataError
from groundtune.data.read_html import read_html
from groundtune.data.read_pdf import page_of, read_pdf
from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.values import Document

FULL = "This line is as wide as the page allows it to be, so the next one goes"
BODY = [FULL, "on with the same sentence.", "", FULL, "on once more. Done."]


def read(raw: bytes) -> Document:
    return read_pdf(raw, name="a.pdf", where="docs/a.pdf")


def test_lines_become_paragraphs_and_large_type_headings(make_pdf: Any) -> None:
    document = read(make_pdf([["# The Title", *BODY]]))

    shown = [
        (block.kind, block.level, document.text[block.start : block.end])
        for block in document.blocks
    ]
    assert shown == [
        ("heading", 1, "The Title"),
        ("paragraph", 0, f"{FULL} on with the same sentence."),
        ("paragraph", 0, f"{FULL} on once more. Done."),
    ]
    assert document.metadata["page_count"] == "1"


def test_the_page_of_every_character_is_known(make_pdf: Any) -> None:
    document = read(make_pdf([["Alpha one."], [], ["Gamma three."]]))

    place = document.text.index("Gamma")
    assert page_of(document.metadata, 0) == 1
    assert page_of(document.metadata, place - 1) == 1
    assert page_of(document.metadata, place) == 3
    assert page_of({"source_format": "html"}, 5) is None


def test_running_headers_and_page_numbers_are_dropped(make_pdf: Any) -> None:
    words = ["red", "green", "blue", "white"]
    pages = [
        ["The Book", "", f"A {word} page.", "", str(n)]
        for n, word in enumerate(words, start=1)
    ]

    document = read(make_pdf(pages))

    assert document.text == "\n\n".join(f"A {word} page." for word in words)
    assert document.metadata["dropped_lines"] == "8"


def test_a_table_of_contents_is_dropped(make_pdf: Any) -> None:
    contents = [f"Chapter {n} . . . . . . . . . . . . {n}" for n in range(1, 9)]

    document = read(make_pdf([contents, ["The text itself."]]))

    assert document.text == "The text itself."


def test_columns_below_each_other_are_a_table() -> None:
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=1)
    canvas.setAuthor("Ada")
    canvas.drawString(60, 780, "These are the towns that we have asked about:")
    rows = [("Town", "People"), ("Kiel", "246,000"), ("Neu Ulm", "60,000")]
    for number, row in enumerate(rows):
        for place, cell in zip((60, 200), row, strict=True):
            canvas.drawString(place, 760 - 14 * number, cell)
    canvas.drawString(60, 700, "That is all that there is to say about towns.")
    canvas.save()

    document = read(stream.getvalue())

    assert [
        (block.kind, document.text[block.start : block.end])
        for block in document.blocks
    ] == [
        ("paragraph", "These are the towns that we have asked about:"),
        ("table", "Town | People\nKiel | 246,000\nNeu Ulm | 60,000"),
        ("paragraph", "That is all that there is to say about towns."),
    ]
    assert document.metadata["author"] == "Ada"


def test_a_sentence_runs_on_over_the_page(make_pdf: Any) -> None:
    document = read(make_pdf([["It begins here and"], ["ends there."]]))

    assert document.text == "It begins here and ends there."


def test_encrypted_pdf(make_pdf: Any) -> None:
    with pytest.raises(DataError) as error:
        read(make_pdf([["Secret."]], password="open sesame"))

    assert str(error.value) == (
        "docs/a.pdf: encrypted: a password is needed to read it\n"
        "  fix: save a copy without a password, for example: "
        "qpdf --decrypt --password=... in.pdf out.pdf"
    )


def test_pdf_without_text(make_pdf: Any) -> None:
    with pytest.raises(DataError) as error:
        read(make_pdf([[], []]))

    assert str(error.value) == (
        "docs/a.pdf: no text on its 2 page(s): it may be a scan\n"
        "  fix: recognise the text first, for example: ocrmypdf in.pdf out.pdf"
    )


@pytest.mark.parametrize("raw", [b"%PDF-1.7 then nothing", b"hello"])
def test_damaged_pdf(raw: bytes) -> None:
    with pytest.raises(DataError, match="not a readable PDF"):
        read(raw)


def test_a_real_pdf_has_the_text_of_its_web_pages(shared_data: Path) -> None:
    folder = shared_data / "docs_debian_faq"
    pdf = read((folder / "debian-faq.en.pdf").read_bytes())
    letters = re.sub(r"[\W_]+", "", pdf.text).lower()
    found: list[bool] = []
    for path in sorted((folder / "html").glob("*.html")):
        page = read_html(path.read_bytes(), name=path.name, where=path.name)
        for block in page.blocks:
            if block.kind == "paragraph":
                text = page.text[block.start : block.end]
                found += [
                    re.sub(r"[\W_]+", "", text[start:end]).lower() in letters
                    for start, end in sentence_spans(text)
                    if end - start > 40
                ]

    # The PDF words cross-references otherwise and prints the addresses of links.
    assert sum(found) / len(found) > 0.85
    titles = {pdf.text[b.start : b.end] for b in pdf.blocks if b.kind == "heading"}
    assert "1.3 OK, now I know what Debian is... what is Linux?!" in titles
