"""PDFs, pages and messages that are broken or made to do harm."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bad(NamedTuple):
    """A document that no reader was made for."""

    name: str
    raw: bytes | Callable[[], bytes]
    """Or what makes it, where that takes long."""
    is_costly: bool = False


@pytest.fixture(scope="module")
def bad_documents(spoilt_copies: Any) -> list[Bad]:
    copies = [made for kind in ("pdf", "html", "eml") for made in spoilt_copies(kind)]
    return [
        *(Bad(*made) for made in copies),
        *bad_pages(),
        *bad_pdfs(),
        *bad_messages(),
    ]


def bad_pages() -> Iterator[Bad]:
    yield Bad("deep.html", b"<div>" * 100_000 + b"x", is_costly=True)
    yield Bad("deep-list.html", b"<ul><li>" * 20_000 + b"x", is_costly=True)
    yield Bad("deep-table.html", b"<table><tr><td>" * 5_000 + b"x", is_costly=True)
    yield Bad("formatting.html", b"<b><i><a>" * 20_000 + b"x</p>", is_costly=True)
    yield Bad("attribute.html", b"<p a='" + b"x" * 3_000_000)
    yield Bad(
        "attributes.html",
        b"<p " + b"".join(b"a%d " % n for n in range(50_000)) + b">x",
        is_costly=True,
    )
    yield Bad("comment.html", b"<!--" * 500_000)
    yield Bad("entities.html", b"<p>" + b"&nvinfin;" * 300_000)
    yield Bad("charset.html", b"<meta charset='bz2'><p>\xff")
    yield Bad("surrogates.html", b"<p>&#xD800;&#0;&#x110000;\0x")
    yield Bad("doctype.html", b'<!DOCTYPE html [<!ENTITY a "b">]><p>&a;')


def pdf(objects: list[bytes]) -> bytes:
    """A PDF of these objects, the first of them its catalogue."""
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (size, len(body))
    )


def pdf_of(content: bytes, *, extra: bytes = b"", filters: bytes = b"") -> bytes:
    stream = b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), filters, content)
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<"
        b"/Font<</F 5 0 R>>/XObject<</X 4 0 R>>>>%s>>" % extra
    )
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, page, stream, font])


def bad_pdfs() -> Iterator[Bad]:
    catalogue = b"<</Type/Catalog/Pages 2 0 R>>"
    leaf = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
    count = 100_000
    kids = b" ".join(b"%d 0 R" % number for number in range(3, count + 3))
    root = b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids)
    yield Bad("pages.pdf", pdf([catalogue, root]), is_costly=True)
    yield Bad(
        "true-pages.pdf",
        lambda: fast_pdf([catalogue, root, *[leaf] * count]),
        is_costly=True,
    )
    yield Bad(
        "claimed-pages.pdf",
        pdf([catalogue, b"<</Type/Pages/Count 2147483647/Kids[]>>"]),
    )
    yield Bad(
        "ring.pdf", pdf([catalogue, b"<</Type/Pages/Count 5/Kids[2 0 R 2 0 R]>>"])
    )
    yield Bad("no-root.pdf", pdf([b"<<>>"]))
    yield Bad("own-length.pdf", pdf([catalogue, b"<</Length 2 0 R>>stream\nendstream"]))
    yield Bad("arrays.pdf", pdf([catalogue, b"[" * 500_000]))
    yield Bad("dictionaries.pdf", pdf([catalogue, b"<</a" * 300_000]))
    text = b"BT /F 12 Tf 10 700 Td (Text) Tj ET "

    def bomb() -> bytes:
        return zlib.compress(text + b" " * (200 << 20), 6)

    once, twice = b"/Filter/FlateDecode", b"/Filter[/FlateDecode/FlateDecode]"
    yield Bad("bomb.pdf", lambda: pdf_of(bomb(), filters=once), is_costly=True)
    yield Bad(
        "bomb-twice.pdf",
        lambda: pdf_of(zlib.compress(bomb()), filters=twice),
        is_costly=True,
    )
    yield Bad(
        "form-ring.pdf",
        pdf_of(b"/X Do " * 9, filters=b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]"),
    )
    yield Bad("stack.pdf", pdf_of(b"q " * 1_000_000 + text), is_costly=True)
    yield Bad("much-text.pdf", pdf_of(text * 100_000), is_costly=True)
    yield Bad("huge-type.pdf", pdf_of(b"BT /F 1e38 Tf 1e38 -1e38 Td (Text) Tj ET"))
    yield Bad("no-size.pdf", pdf_of(b"BT /F 0 Tf 0 0 0 0 0 0 Tm (Text) Tj ET"))
    yield Bad(
        "script.pdf", pdf_of(text, extra=b"/AA<</O<</S/JavaScript/JS(app.alert(1))>>>>")
    )
    yield Bad("launch.pdf", pdf_of(text, extra=b"/AA<</O<</S/Launch/F(/bin/true)>>>>"))


def fast_pdf(objects: list[bytes]) -> bytes:
    """As `pdf`, joined once: for very many objects. The table of places is left out."""
    parts = [
        b"%d 0 obj%sendobj\n" % (number, content)
        for number, content in enumerate(objects, start=1)
    ]
    return b"%PDF-1.7\n" + b"".join(parts) + b"trailer<</Root 1 0 R>>"


def bad_messages() -> Iterator[Bad]:
    head = b"Subject: x\nMIME-Version: 1.0\n"
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
        for n in range(3000)
    )
    yield Bad("deep.eml", head + deep, is_costly=True)
    yield Bad(
        "in-each-other.eml",
        head + b"Content-Type: message/rfc822\n\n" * 5000,
        is_costly=True,
    )
    parts = b"--b\nContent-Type: text/plain\n\nx\n" * 5000
    yield Bad(
        "parts.eml",
        head + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts,
        is_costly=True,
    )
    yield Bad(
        "headers.eml",
        b"".join(b"X-%d: y\n" % n for n in range(100_000)) + b"Subject: x\n\nx",
        is_costly=True,
    )
    yield Bad(
        "address.eml",
        b"From: " + b"(" * 50_000 + b"\nSubject: x\n\ntext",
        is_costly=True,
    )
    yield Bad(
        "to.eml", b"To: " + b"a@b, " * 20_000 + b"\nSubject: x\n\ntext", is_costly=True
    )
    yield Bad("base64.eml", head + b"Content-Transfer-Encoding: base64\n\n!!!!=")
    yield Bad("charset.eml", head + b'Content-Type: text/plain; charset="bz2"\n\n\xff')
    yield Bad("encoded.eml", b"Subject: =?utf-8?b?//8=?= =?x?q?=00?=\n\ntext")


def test_some_of_them(bad_documents: list[Bad], read_some: Any) -> None:
    read_some(bad_documents, at_least=10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_of_them(bad_documents: list[Bad], read_all: Any) -> None:
    read_all(bad_documents, at_least=120)
