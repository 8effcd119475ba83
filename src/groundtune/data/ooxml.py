"""What DOCX and PPTX share: relationships between parts, and the core properties."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.data.metadata import from_fields
from groundtune.data.safe_xml import attribute, local_name

if TYPE_CHECKING:
    from groundtune.data.archive import Archive

_CORE = "docProps/core.xml"
_PROPERTIES = frozenset({"title", "creator", "created", "language", "keywords"})


def relationships(archive: Archive, part: str) -> dict[str, tuple[str, str]]:
    """The parts that `part` refers to: id to (kind, name). Outside addresses are not.

    Raises:
        DataError: The file of relationships is damaged.
    """
    folder, file = posixpath.split(part)
    name = posixpath.join(folder, "_rels", f"{file}.rels")
    if name not in archive:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for relation in archive.xml(name):
        if attribute(relation, "TargetMode") == "External":
            continue
        target = attribute(relation, "Target")
        # Names in the archive only: `Archive` has refused every name that leads out.
        path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        kind = attribute(relation, "Type").rpartition("/")[2]
        found[attribute(relation, "Id")] = (kind, path)
    return found


def main_part(archive: Archive, *, kind: str) -> str:
    """The part that the package names as its document.

    Raises:
        DataError: There is none: it is another kind of archive.
    """
    for relation, path in relationships(archive, "").values():
        if relation == "officeDocument" and path in archive:
            return path
    raise DataError(
        f"not a {kind} file: no document in it",
        fix=f"save it as {kind}, or give it the extension of what it is",
        where=archive.where,
    )


def core_properties(archive: Archive) -> dict[str, str]:
    """Title, author, date and language, where the file names them.

    Raises:
        DataError: The part that holds them is damaged.
    """
    if _CORE not in archive:
        return {}
    fields = {
        local_name(element): element.text or ""
        for element in archive.xml(_CORE)
        if local_name(element) in _PROPERTIES
    }
    return from_fields({key: value for key, value in fields.items() if value.strip()})
