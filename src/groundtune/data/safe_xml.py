"""XML of strangers: no document type, so no entities, and nothing fetched.

The formats read here (Office Open XML, EPUB packages, sitemaps) need no document type
declaration, and every entity attack needs one. So a file with one is refused before the
tree is built. The standard library's expat does the rest; it fetches nothing.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.parsers import expat

from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO
    from xml.etree.ElementTree import Element

_PIECE_BYTES = 1 << 12


class _PrologEnd(Exception):  # noqa: N818 (a signal to stop, no error)
    """The root element has begun."""


class _DoctypeFound(Exception):  # noqa: N818 (the same)
    """A document type declaration has begun."""


def parse_xml(raw: bytes, *, where: str) -> Element:
    """The root of an XML document.

    Raises:
        DataError: It is not well-formed, or declares a document type.
    """
    check_prolog(io.BytesIO(raw), where=where)
    try:
        return ElementTree.fromstring(raw)  # noqa: S314 (no document type, so no entities)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise _malformed(error, where=where) from error


def check_prolog(stream: BinaryIO, *, where: str) -> None:
    """Read up to the root element.

    Raises:
        DataError: A document type is declared before it, or it is no XML.
    """
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _found
    parser.StartElementHandler = _ended
    try:
        while piece := stream.read(_PIECE_BYTES):
            parser.Parse(piece)
        parser.Parse(b"", True)  # noqa: FBT003 (its parameter has no name)
    except _PrologEnd:
        return
    except _DoctypeFound:
        raise DataError(
            "XML with a document type declaration, which can hold entity bombs",
            fix="leave this file out, or save it again with the program that made it",
            where=where,
        ) from None
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise _malformed(error, where=where) from error


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without namespace; empty if there is none."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return ""


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """Elements below `element` with one of these local names, in document order."""
    wanted = frozenset(names)
    return (found for found in element.iter() if local_name(found) in wanted)


def child(element: Element, name: str) -> Element | None:
    """The first child of that local name."""
    return next((found for found in element if local_name(found) == name), None)


def _found(*_: object) -> None:
    raise _DoctypeFound


def _ended(*_: object) -> None:
    raise _PrologEnd


def _malformed(error: Exception, *, where: str) -> DataError:
    return DataError(
        f"not well-formed XML: {error}",
        fix="fetch the file again, or save it again with the program that made it",
        where=where,
    )
