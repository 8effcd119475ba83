"""Bombs, lies and traps in the formats that are archives."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Bad(NamedTuple):
    """A document that no reader was made for."""

    name: str
    raw: bytes | Callable[[], bytes]
    """Or what makes it, where that takes long."""
    is_costly: bool = False


def entity_bomb(root: str = "a") -> str:
    lines = ['<!ENTITY e0 "lol">']
    lines += [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    start = f"<?xml version='1.0'?><!DOCTYPE {root} [{''.join(lines)}]>"
    return f"{start}<{root}>&e11;</{root}>"


EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
QUADRATIC = f'<!DOCTYPE a [<!ENTITY x "{"y" * 50_000}">]><a>{"&x;" * 20_000}</a>'


@pytest.fixture(scope="module")
def bad_documents(
    good_documents: dict[str, bytes], spoilt_copies: Any, make_zip: Any
) -> list[Bad]:
    main = {
        "docx": "word/document.xml",
        "pptx": "ppt/slides/slide1.xml",
        "epub": "OEBPS/book.opf",
        "xlsx": "xl/worksheets/sheet1.xml",
    }
    found: list[Bad] = []
    for kind, part in main.items():
        with zipfile.ZipFile(io.BytesIO(good_documents[kind])) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        found += (Bad(*made) for made in spoilt_copies(kind))
        found += bad_archives(kind, parts, part, make_zip)
        if kind == "xlsx":
            found += bad_sheets(parts, make_zip)
    return found


def raw_zip(
    entries: list[tuple[bytes, bytes, int, int]], *, at: list[int] | None = None
) -> bytes:
    """An archive from packed contents, with sizes and places that may be lies."""
    body, directory = b"", b""
    for number, (name, packed, size, flags) in enumerate(entries):
        place = at[number] if at else len(body)
        crc = zlib.crc32(zlib.decompressobj(-15).decompress(packed)[:size])
        sizes = struct.pack("<III", crc, len(packed), size)
        head = struct.pack("<HHHHH", 20, flags, 8, 0, 0) + sizes
        lengths = struct.pack("<HH", len(name), 0)
        body += b"PK\3\4" + head + lengths + name + packed
        rest = struct.pack("<HHHII", 0, 0, 0, 0, place)
        directory += b"PK\1\2" + struct.pack("<H", 20) + head + lengths + rest + name
    counts = struct.pack(
        "<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(body), 0
    )
    return body + directory + b"PK\5\6" + counts


def packed(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


def bad_archives(
    kind: str, parts: Mapping[str, bytes], main: str, make_zip: Any
) -> Iterator[Bad]:
    """Archives whose directory or whose XML is made to do harm."""

    def bad(name: str, changed: Mapping[str, str | bytes], **more: Any) -> Bad:
        return Bad(f"{name}.{kind}", lambda: make_zip({**parts, **changed}), **more)

    for name, part in (("bomb", "bomb.bin"), ("bomb-in-main", main)):
        yield Bad(
            f"{name}.{kind}",
            lambda part=part: make_zip({**parts, part: b" " * (64 << 20)}),
        )
    zeros = packed(bytes(1 << 20))
    many = [(b"%d.xml" % number, zeros, 1 << 20, 0) for number in range(300)]
    yield Bad(f"many-bombs.{kind}", lambda: raw_zip(many))
    yield Bad(f"overlap.{kind}", lambda: raw_zip(many[:9], at=[0] * 9))
    yield Bad(f"lying-size.{kind}", raw_zip([(main.encode(), zeros, 10, 0)]))
    yield Bad(f"huge-size.{kind}", raw_zip([(main.encode(), zeros, 0xFFFFFFF0, 0)]))
    yield Bad(f"encrypted.{kind}", raw_zip([(main.encode(), zeros, 1 << 20, 1)]))
    yield Bad(f"twice.{kind}", raw_zip(many[:1] * 2))
    for number, name in enumerate(
        ("../../evil", "/etc/evil", "..\\evil", "C:\\evil", "a/../../evil")
    ):
        yield bad(f"traversal{number}", {name: "x"})
    yield Bad(f"nested.{kind}", lambda: nested(parts, main, make_zip))
    yield bad("nested-beside", {f"inner.{kind}": make_zip(parts)})
    yield Bad(
        f"many-parts.{kind}",
        lambda: make_zip({**parts, **dict.fromkeys(map(str, range(21_000)), b"")}),
    )
    yield bad("entities", {main: entity_bomb()})
    yield bad("entities-utf16", {main: entity_bomb().encode("utf-16")})
    yield bad("external", {main: EXTERNAL})
    yield bad("quadratic", {main: QUADRATIC})
    yield bad("deep", {main: "<a>" * 200_000 + "</a>" * 200_000}, is_costly=True)
    yield bad("wide", {main: f"<a>{'<b/>' * 500_000}</a>"}, is_costly=True)
    yield bad(
        "attributes", {main: "<a " + " ".join(f'b{n}=""' for n in range(20_000)) + "/>"}
    )
    yield bad("no-xml", {main: "text"})
    yield bad("no-root", {main: ""})
    yield bad("charset", {main: "<?xml version='1.0' encoding='cp037'?><a/>"})
    yield Bad(
        f"no-main.{kind}",
        make_zip({key: value for key, value in parts.items() if key != main}),
    )
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(main, "<a/>")
    yield Bad(f"lzma.{kind}", stored.getvalue())
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    yield Bad(f"link.{kind}", link.getvalue())


def nested(parts: Mapping[str, bytes], main: str, make_zip: Any) -> bytes:
    """Archives in each other, twenty deep, in the part that is read and beside it."""
    inner = make_zip(parts)
    for _ in range(20):
        inner = make_zip({"inner.zip": inner, main: inner[: 1 << 16]})
    return inner


def bad_sheets(parts: Mapping[str, bytes], make_zip: Any) -> Iterator[Bad]:
    sheet = "xl/worksheets/sheet1.xml"
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def bad(name: str, inner: str, **more: Any) -> Bad:
        content = f'<worksheet xmlns="{space}">{inner}</worksheet>'
        return Bad(f"{name}.xlsx", lambda: make_zip({**parts, sheet: content}), **more)

    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    size = '<dimension ref="A1:XFD1048576"/>'
    yield bad("far", f"{size}<sheetData>{far}</sheetData>", is_costly=True)
    rows = "".join(
        f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 2000)
    )
    yield bad("wide-rows", f"<sheetData>{rows}</sheetData>", is_costly=True)
    yield bad(
        "no-string",
        '<sheetData><row r="1"><c r="A1" t="s"><v>99999</v></c></row></sheetData>',
    )
    yield bad(
        "no-date",
        '<sheetData><row r="1"><c r="A1" t="d"><v>soon</v></c></row></sheetData>',
    )
    yield bad(
        "no-place", '<sheetData><row r="x"><c r="??"><v>1</v></c></row></sheetData>'
    )


def test_some_of_them(bad_documents: list[Bad], read_some: Any) -> None:
    read_some(bad_documents, at_least=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_of_them(bad_documents: list[Bad], read_all: Any) -> None:
    read_all(bad_documents, at_least=220)
