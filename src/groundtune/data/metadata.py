"""Metadata of documents: from the file, its front matter and a sidecar beside it.

Everything becomes flat text under lower-case names. Reserved names have one meaning for
every format: `title`, `author`, `date` (ISO 8601, as exact as it is known), `lang` (ISO
639-1), `source_format`, `page_count`. A sidecar wins over front matter, and that over
what the file says elsewhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.core.errors import DataError
from groundtune.data.languages import guess_language
from groundtune.data.read_text import decode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.core.values import Document

SIDECARS = (".meta.json", ".meta.yaml")
"""What is added to a file's whole name: `report.pdf.meta.json`."""

_OURS = frozenset({"path", "source_format", "page_count", "page_starts"})
"""Names whose values the readers vouch for."""
_SYNONYMS = {
    "authors": "author",
    "creator": "author",
    "by": "author",
    "language": "lang",
    "locale": "lang",
    "published": "date",
    "created": "date",
}
_MAX_FIELDS = 64
_MAX_CHARACTERS = 1000
_MAX_DEPTH = 3
_MAX_BYTES = 1 << 16
_ISO_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?(?![\d/.-])")
_OTHER_DATE = re.compile(r"(?:D:)?(\d{4})[/.]?(\d{2})[/.]?(\d{2})(?!\d\d:)")
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.S | re.M)
_LANG = re.compile(r"([A-Za-z]{2})(?:[-_].*)?$")


class Sidecar(NamedTuple):
    """A file of metadata beside a document."""

    raw: bytes
    name: str
    """Its path, as an error names it."""


def find_sidecar(path: Path) -> Path | None:
    """The sidecar of a file, if there is one."""
    for ending in SIDECARS:
        found = path.with_name(path.name + ending)
        if found.is_file():
            return found
    return None


def is_sidecar(path: Path) -> bool:
    """Whether a file is the sidecar of one that stands beside it."""
    return any(
        path.name.endswith(ending)
        and path.with_name(path.name.removesuffix(ending)).is_file()
        for ending in SIDECARS
    )


def front_matter(text: str) -> dict[str, str]:
    """Fields of the YAML between `---` at the head of a text; none if it is no YAML."""
    match = _FRONT_MATTER.match(text)
    if match is None or match.end() > _MAX_BYTES:
        return {}
    try:
        return from_fields(_yaml(match[1]))
    except DataError:
        # Two rules may stand around prose as well.
        return {}


def read_sidecar(sidecar: Sidecar) -> dict[str, str]:
    """Fields of a sidecar.

    Raises:
        DataError: It is no JSON or YAML mapping, or too large.
    """
    raw, where = sidecar
    if len(raw) > _MAX_BYTES:
        raise DataError(
            f"a sidecar of {len(raw)} bytes, at most {_MAX_BYTES} are read",
            fix="keep only the fields that searches filter by",
            where=where,
        )
    text = decode(raw, where=where)
    if not where.endswith(".json"):
        return from_fields(_yaml(text, where=where))
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_mapping(str(error), where) from error
    if not isinstance(fields, dict):
        raise _no_mapping(f"a {type(fields).__name__}", where)
    return from_fields(cast("dict[str, Any]", fields))


def from_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """Fields as flat texts under the names that are used here.

    Nested fields get names with dots, lists of plain values become one text. Fields
    beyond the sixty-fourth are left out and values are cut at a thousand characters.
    """
    flat: dict[str, str] = {}
    _flatten(fields, "", flat, depth=0)
    named: dict[str, str] = {}
    for key, value in flat.items():
        name = _SYNONYMS.get(key, key)
        if name in _OURS or name in named:
            continue
        if name == "date":
            day = iso_date(value)
            named["date" if day else "date_text"] = day or value
        elif name == "lang":
            if lang := language_code(value):
                named[name] = lang
        else:
            named[name] = value
    return named


def finished(document: Document, sidecar: Sidecar | None) -> Document:
    """A document with all that is known of it, and with no character that harms.

    Raises:
        DataError: The sidecar is not readable.
    """
    given = read_sidecar(sidecar) if sidecar else {}
    text = _clean(document.text)
    metadata = {**document.metadata, **given}
    title = given.get("title") or document.title or metadata.get("title", "")
    title = " ".join(_clean(title).split())[:_MAX_CHARACTERS]
    if title:
        metadata["title"] = title
    if not metadata.get("lang"):
        metadata["lang"] = guess_language(text)
    return replace(
        document,
        text=text,
        title=title,
        metadata={key: _clean(value) for key, value in metadata.items() if value},
    )


def iso_date(value: str) -> str:
    """The day in a date, as `2024-01-31`, or less where less is said; else empty."""
    value = value.strip()
    if match := _ISO_DATE.match(value):
        return match[0] if _is_date(match[0]) else ""
    if match := _OTHER_DATE.match(value):
        day = "-".join(match.groups())
        return day if _is_date(day) else ""
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def language_code(value: str) -> str:
    """ISO 639-1 of a language tag such as `en-GB`; empty for anything else."""
    match = _LANG.match(value.strip())
    return match[1].lower() if match else ""


def _is_date(day: str) -> bool:
    _, month, number = (*day.split("-"), "01", "01")[:3]
    return 1 <= int(month) <= 12 and 1 <= int(number) <= 31


def _clean(text: str) -> str:
    """Without NUL and halves of characters; each becomes one mark, so offsets hold."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


def _flatten(
    fields: Mapping[str, Any], prefix: str, flat: dict[str, str], *, depth: int
) -> None:
    for key, value in fields.items():
        if len(flat) >= _MAX_FIELDS:
            return
        name = f"{prefix}{key}".strip().lower()[:_MAX_CHARACTERS]
        if isinstance(value, dict):
            if depth < _MAX_DEPTH:
                inner = cast("dict[str, Any]", value)
                _flatten(inner, f"{name}.", flat, depth=depth + 1)
        elif isinstance(value, list):
            items = cast("list[Any]", value)[:_MAX_FIELDS]
            plain = [_plain(entry) for entry in items]
            flat[name] = ", ".join(entry for entry in plain if entry)[:_MAX_CHARACTERS]
        else:
            flat[name] = _plain(value)


def _plain(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return " ".join(text.split())[:_MAX_CHARACTERS]


def _yaml(text: str, *, where: str = "") -> dict[str, Any]:
    """A YAML mapping, every scalar as the text that it is written as.

    The base loader knows no tags, so it makes nothing but mappings, lists and texts,
    and no merge keys, whose copies can grow without bound.

    Raises:
        DataError: It is no YAML mapping.
    """
    import yaml

    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 (knows no tags)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        brief = " ".join(str(error).split())[:200]
        raise _no_mapping(brief, where) from error
    if not isinstance(value, dict):
        raise _no_mapping(f"a {type(value).__name__}", where)
    return cast("dict[str, Any]", value)


def _no_mapping(what: str, where: str) -> DataError:
    return DataError(
        f"the metadata is not a mapping of names to values: {what}",
        fix='write it like {"title": "...", "author": "...", "date": "2024-01-31"}',
        where=where,
    )
