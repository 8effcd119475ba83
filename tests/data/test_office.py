"""DOCX, PPTX and XLSX to text and blocks."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from openpyxl import Workbook

from groundtune.core.errors import DataError
from groundtune.data.read_docx import read_docx
from groundtune.data.read_pdf import page_of
from groundtune.data.read_pptx import read_pptx
from groundtune.data.read_xlsx import read_xlsx

STYLES = """
<w:style w:styleId="Top"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Mine"><w:name w:val="My Style"/><w:basedOn w:val="Top"/></w:style>
<w:style w:styleId="Deep"><w:name w:val="x"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr>
</w:style><w:style w:styleId="Code"><w:name w:val="Source Code"/></w:style>
<w:style w:styleId="Ring"><w:name w:val="ring"/><w:basedOn w:val="Ring"/></w:style>"""


def paragraph(text: str, style: str = "", extra: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{extra}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def table(*rows: tuple[str, ...], marked: bool = False) -> str:
    mark = "<w:trPr><w:tblHeader/></w:trPr>" if marked else ""
    lines = [
        "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in cells) for cells in rows
    ]
    return f"<w:tbl><w:tr>{mark}" + "</w:tr><w:tr>".join(lines) + "</w:tr></w:tbl>"


def test_docx_structure(docx_parts: Any, make_zip: Any, show: Any) -> None:
    item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    body = (
        paragraph("First", "Top")
        + paragraph("Some text.", "Ring")
        + paragraph("Second", "Deep")
        + paragraph("one", extra=item.format(0))
        + paragraph("inner", extra=item.format(1))
        + paragraph("two", extra=item.format(0))
        + paragraph("x = 1", "Code")
        + paragraph("y = 2", "Code")
        + table(("name", "age", "town"), ("Ada", "36", "Kiel"), ("Bob", "", "Ulm"))
        + table(("Company", "ACME"), ("Year", "1999"))
        + table(("term", "meaning"), ("API", "interface"), marked=True)
        + paragraph("Third", "Mine")
    )

    document = read_docx(
        make_zip(docx_parts(body, STYLES)), name="a.docx", where="a.docx"
    )

    assert show(document) == [
        ("heading", 1, "First"),
        ("paragraph", 0, "Some text."),
        ("heading", 2, "Second"),
        ("list", 0, "- one\n  - inner\n- two"),
        ("code", 0, "x = 1\ny = 2"),
        ("table", 0, "name: Ada; age: 36; town: Kiel\nname: Bob; town: Ulm"),
        ("table", 0, "Company | ACME\nYear | 1999"),
        ("table", 0, "term: API; meaning: interface"),
        ("heading", 1, "Third"),
    ]
    assert document.title == "The Title"
    assert document.metadata == {
        "path": "a.docx",
        "source_format": "docx",
        "title": "The Title",
        "author": "Ada",
        "date": "2024-03-01",
    }


def test_docx_reads_as_with_all_changes_accepted(
    docx_parts: Any, make_zip: Any, show: Any
) -> None:
    body = """<w:sdt><w:sdtContent><w:p><w:r><w:t>In a control.</w:t></w:r></w:p>
    </w:sdtContent></w:sdt><w:p><w:ins><w:r><w:t>Inserted</w:t></w:r></w:ins>
    <w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:tab/><w:t>kept</w:t>
    <w:br/><w:t>below</w:t><w:instrText>PAGE</w:instrText></w:r></w:p>"""
    parts = docx_parts(body)
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    parts["word/footnotes.xml"] = (
        f'<w:footnotes xmlns:w="{space}"><w:footnote w:type="separator" w:id="0"/>'
        f'<w:footnote w:id="1">{paragraph("A note.")}</w:footnote></w:footnotes>'
    )

    document = read_docx(make_zip(parts), name="a.docx", where="a.docx")

    assert [text for _, _, text in show(document)] == [
        "In a control.",
        "Inserted\tkept\nbelow",
        "Note 1: A note.",
    ]


def test_another_archive_is_no_docx(make_zip: Any) -> None:
    with pytest.raises(DataError, match="not a DOCX file"):
        read_docx(make_zip({"a.txt": "x"}), name="a", where="a.docx")


@pytest.mark.parametrize("read", [read_docx, read_pptx, read_xlsx])
def test_old_and_encrypted_office_files_say_what_to_do(read: Any) -> None:
    with pytest.raises(DataError, match="old or encrypted") as error:
        read(b"\xd0\xcf\x11\xe0" + b"x" * 600, name="a", where="a")

    assert "without a password" in error.value.fix


def shape(*lines: str, kind: str = "", level: int = 0) -> str:
    mark = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
    texts = "".join(
        f'<a:p><a:pPr lvl="{level if number else 0}"/>'
        f"<a:r><a:t>{line}</a:t></a:r></a:p>"
        for number, line in enumerate(lines)
    )
    return f"<p:sp>{mark if kind else ''}<p:txBody>{texts}</p:txBody></p:sp>"


def test_pptx_slides_are_pages(pptx_parts: Any, make_zip: Any, show: Any) -> None:
    cells = "".join(
        "<a:tr>"
        + "".join(
            f"<a:tc><a:txBody><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>"
            for cell in row
        )
        + "</a:tr>"
        for row in (("town", "people"), ("Kiel", "246000"))
    )
    grid = f'<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/>{cells}</a:tbl>'
    parts = pptx_parts(
        shape("Body first.") + shape("The Plan", kind="title"),
        f"<p:grpSp>{shape('one', 'inner', level=1)}</p:grpSp>"
        f"{shape('7', kind='sldNum')}{grid}</p:graphicFrame>",
    )
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts["ppt/slides/_rels/slide2.xml.rels"] = (
        '<Relationships xmlns="urn:r"><Relationship Id="n" '
        f'Type="{rel}/notesSlide" Target="../notes/n.xml"/></Relationships>'
    )
    parts["ppt/notes/n.xml"] = (
        parts["ppt/slides/slide1.xml"]
        .replace("Body first.", "Say it slowly.")
        .replace("The Plan", "")
    )

    document = read_pptx(make_zip(parts), name="a.pptx", where="a.pptx")

    assert show(document) == [
        ("heading", 1, "The Plan"),
        ("paragraph", 0, "Body first."),
        ("heading", 1, "Slide 2"),
        ("list", 0, "- one\n  - inner"),
        ("table", 0, "town: Kiel; people: 246000"),
        ("paragraph", 0, "Notes: Say it slowly."),
    ]
    assert document.title == "The Plan"
    assert document.metadata["page_count"] == "2"
    assert page_of(document.metadata, document.text.index("first")) == 1
    assert page_of(document.metadata, document.text.index("Slide 2")) == 2


def test_slides_without_text_are_an_error(pptx_parts: Any, make_zip: Any) -> None:
    with pytest.raises(DataError, match="holds no text"):
        read_pptx(make_zip(pptx_parts("", "")), name="a", where="a")


def workbook(book: Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_xlsx_rows_name_their_columns(show: Any) -> None:
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "Staff"
    sheet.append(["name", "since", "pay", "left", "note"])
    day = datetime.fromisoformat("2020-05-01")
    sheet.append(["Ada", day, 1234.5, False, None])
    sheet.append([])
    sheet.append(
        ["Bob", datetime.fromisoformat("2021-05-01T08:30"), 3.0, True, "on\nleave"]
    )
    secret: Any = book.create_sheet("Secret")
    secret.append(["x", "y"])
    secret.sheet_state = "hidden"
    book.properties.creator = "Ada"

    document = read_xlsx(workbook(book), name="a.xlsx", where="a.xlsx")

    assert show(document) == [
        ("heading", 1, "Staff"),
        (
            "table",
            0,
            "name: Ada; since: 2020-05-01; pay: 1234.5; left: no\n"
            "name: Bob; since: 2021-05-01 08:30; pay: 3; left: yes; note: on leave",
        ),
    ]
    assert document.metadata["hidden_sheets"] == "1"
    assert document.metadata["author"] == "Ada"


def test_an_empty_workbook_is_an_error() -> None:
    with pytest.raises(DataError, match="holds no text"):
        read_xlsx(workbook(Workbook()), name="a", where="a")
