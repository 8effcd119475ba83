"""Books and messages to text and blocks."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from groundtune.core.errors import DataError
from groundtune.data.read_eml import read_eml
from groundtune.data.read_epub import read_epub


def test_a_book_is_read_in_the_order_of_its_spine(
    epub_parts: Any, make_zip: Any, show: Any
) -> None:
    parts = epub_parts(
        "<h1>One</h1><p>First page.</p>",
        "<img src='cover.png'/>",
        "<h1>Two</h1><ul><li>a</li><li>b</li></ul>",
    )

    document = read_epub(make_zip(parts), name="b.epub", where="b.epub")

    assert show(document) == [
        ("heading", 1, "One"),
        ("paragraph", 0, "First page."),
        ("heading", 1, "Two"),
        ("list", 0, "- a\n- b"),
    ]
    assert document.title == "A Book"
    assert document.metadata == {
        "path": "b.epub",
        "source_format": "epub",
        "title": "A Book",
        "author": "Ada, Bob",
        "lang": "en",
    }


def test_a_protected_book_says_so(epub_parts: Any, make_zip: Any) -> None:
    parts = epub_parts("<p>x</p>")
    parts["META-INF/encryption.xml"] = (
        '<encryption xmlns="urn:e"><CipherReference URI="OEBPS/text/c%201.xhtml"/>'
        "</encryption>"
    )

    with pytest.raises(DataError, match="protected against copying"):
        read_epub(make_zip(parts), name="b", where="b.epub")


def test_a_spine_that_leads_out_of_the_book_finds_nothing(
    epub_parts: Any, make_zip: Any
) -> None:
    parts = epub_parts("<p>x</p>")
    parts["OEBPS/book.opf"] = parts["OEBPS/book.opf"].replace(
        "text/c%201.xhtml", "../../../../etc/passwd"
    )

    with pytest.raises(DataError, match="no text"):
        read_epub(make_zip(parts), name="b", where="b.epub")


def message() -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "Leave in  May"
    made["From"] = "Ada <ada@example.org>"
    made["To"] = "Bob <bob@example.org>"
    made["Date"] = "Fri, 01 Mar 2024 10:00:00 +0100"
    made.set_content("Dear Bob,\n\nall is well. Grüße\n")
    return made


def test_a_message_keeps_who_wrote_when(show: Any) -> None:
    made = message()
    made.add_alternative("<p>all is <b>well</b></p>", subtype="html")
    made.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")

    document = read_eml(made.as_bytes(), name="m.eml", where="m.eml")

    assert show(document) == [
        ("heading", 1, "Leave in May"),
        (
            "list",
            0,
            "From: Ada <ada@example.org>\nTo: Bob <bob@example.org>\n"
            "Date: Fri, 01 Mar 2024 10:00:00 +0100\nAttachments: a.pdf",
        ),
        ("paragraph", 0, "Dear Bob,"),
        ("paragraph", 0, "all is well. Grüße"),
    ]
    assert document.title == "Leave in May"
    assert document.metadata["date"] == "2024-03-01"
    assert document.metadata["author"] == "Ada <ada@example.org>"


def test_a_message_in_html_only() -> None:
    made = message()
    made.set_content("<h2>Plan</h2><p>We meet.</p>", subtype="html")

    document = read_eml(made.as_bytes(), name="m.eml", where="m.eml")

    assert document.text.endswith("Plan\n\nWe meet.")


def test_an_unknown_character_set_loses_no_message() -> None:
    raw = (
        b"Subject: x\nContent-Type: text/plain; charset=klingon\n"
        b"Content-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n"
    )

    assert "Grüße" in read_eml(raw, name="m", where="m").text


def test_a_file_that_is_no_message() -> None:
    with pytest.raises(DataError, match="no message"):
        read_eml(b"just some text", name="m", where="m.eml")
