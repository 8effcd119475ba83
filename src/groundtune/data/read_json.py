"""JSON and JSON Lines: each record a section, each field a line with its name.

SQuAD JSON is a format of its own, see `squad`; past conversations are read as
`past_conversations` describes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.compose import Composer
from groundtune.data.past_conversations import (
    CONVERSATION,
    KIND,
    exchanges_of,
)
from groundtune.data.read_text import decode
from groundtune.data.squad import looks_like_squad, squad_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TITLE_KEYS = ("title", "name", "heading", "subject", "headline")
_TEXT_KEYS = frozenset({"text", "content", "contents", "body", "abstract"})
_ID_KEYS = ("_id", "doc_id", "document_id")
"""Of records that are documents. A plain `id` may be that of anything."""
_TITLE_CHARACTERS = 200
_LONG_CHARACTERS = 200
"""Above that a field is a paragraph of its own."""


def read_json(raw: bytes, *, name: str, where: str) -> list[Document]:
    """Read a JSON file: one document, or for SQuAD one for each article.

    Raises:
        DataError: It is not UTF-8, not JSON, or holds no text.
    """
    if looks_like_squad(raw):
        return squad_documents(raw, name=name, where=where)
    value = _load(decode(raw, where=where), where=where, line=None)
    records = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [_document(records, name=name, where=where)]


def read_json_lines(raw: bytes, *, name: str, where: str) -> list[Document]:
    """Read a file with one JSON value a line: one document, or one for each line.

    Lines are documents of their own where each names its document, as cases name the
    one that they are about.

    Raises:
        DataError: It is not UTF-8, a line is not JSON, or it holds no text.
    """
    # Not splitlines: a JSON string may hold U+2028, which that takes for a line end.
    lines = decode(raw, where=where).split("\n")
    records = [
        _load(line, where=where, line=number)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if key := _id_key(records):
        return _collection(records, key, name=name, where=where)
    return [_document(records, name=name, where=where)]


def _id_key(records: Sequence[Any]) -> str:
    """The field in which every record names its document; empty if there is none."""
    for key in _ID_KEYS:
        names = [one.get(key) if isinstance(one, dict) else None for one in records]
        if names and all(isinstance(n, str) and n.strip() for n in names):
            return key if len(set(names)) == len(names) else ""
    return ""


def _collection(
    records: Sequence[dict[str, Any]], key: str, *, name: str, where: str
) -> list[Document]:
    """A document for each record, without those that hold no text.

    Raises:
        DataError: None does.
    """
    found: list[Document] = []
    for record in records:
        composer = Composer()
        fields = {field: value for field, value in record.items() if field != key}
        _add_record(composer, fields)
        if composer.blocks:
            title = _title(fields)
            found.append(
                Document(
                    id=record[key].strip(),
                    text=composer.text,
                    title=fields[title].strip() if title else "",
                    blocks=tuple(composer.blocks),
                    metadata={"path": name, "source_format": "json"},
                )
            )
    if not found:
        raise DataError("holds no text", fix="leave this file out", where=where)
    return found


def _load(text: str, *, where: str, line: int | None) -> Any:  # noqa: ANN401 (a JSON value)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON at column {error.colno}: {error.msg}",
            fix="write the file again, or give it the extension of what it is",
            where=f"{where}:{line or error.lineno}",
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(
            "not JSON that can be read: "
            + (
                "nested too deeply" if isinstance(error, RecursionError) else str(error)
            ),
            fix="write it flatter, or leave this file out",
            where=f"{where}:{line}" if line else where,
        ) from error


def _document(records: Iterable[Any], *, name: str, where: str) -> Document:
    composer = Composer()
    metadata = {"path": name, "source_format": "json"}
    every = list(records)
    if exchanges := exchanges_of(every):
        metadata[KIND] = CONVERSATION
    for exchange in exchanges:
        composer.add("heading", " ".join(exchange.asked.split()), level=1)
        for part in exchange.replied.split("\n\n"):
            composer.add("paragraph", part.strip("\n"))
    for record in () if exchanges else every:
        _add_record(composer, record)
    if not composer.blocks:
        raise DataError("holds no text", fix="leave this file out", where=where)
    return Document(
        id=name,
        text=composer.text,
        blocks=tuple(composer.blocks),
        metadata=metadata,
    )


def _add_record(composer: Composer, record: object) -> None:
    """A record: its title as a heading, short fields as lines, long ones after them."""
    fields = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
    title = _title(fields)
    if title:
        composer.add("heading", " ".join(fields[title].split()), level=1)
    lines: list[str] = []
    long: list[str] = []
    skipped = {title, *_repeated(fields)}
    for key, text in _leaves(record):
        if (key and key in skipped) or not text.strip():
            continue
        is_body = key in _TEXT_KEYS
        if is_body or "\n" in text.strip() or len(text) > _LONG_CHARACTERS:
            long.append(text.strip() if is_body or not key else f"{key}: {text}")
        else:
            lines.append(f"{key}: {text}" if key else text)
    composer.add("list" if len(lines) > 1 else "paragraph", "\n".join(lines))
    for text in long:
        for part in text.split("\n\n"):
            composer.add("paragraph", part.strip("\n"))


def _repeated(fields: dict[str, Any]) -> list[str]:
    """Fields that hold the body again in parts, as a list of its sentences does.

    Indexed as well, every sentence would be found twice. Short lists stay: keywords
    stand in a body, too.
    """
    bodies = [fields[key] for key in _TEXT_KEYS & fields.keys()]
    body = "\n".join(" ".join(one.split()) for one in bodies if isinstance(one, str))
    if not body:
        return []
    found: list[str] = []
    for key, value in fields.items():
        parts = cast("list[object]", value) if isinstance(value, list) else []
        texts = [" ".join(one.split()) for one in parts if isinstance(one, str)]
        is_long = sum(map(len, texts)) > _LONG_CHARACTERS
        if is_long and len(texts) == len(parts) and all(one in body for one in texts):
            found.append(key)
    return found


def _title(fields: dict[str, Any]) -> str:
    """The key of the field that names a record; empty if none does."""
    for key in _TITLE_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and 0 < len(value.strip()) <= _TITLE_CHARACTERS:
            return key
    return ""


def _leaves(value: object) -> Iterator[tuple[str, str]]:
    """The values in it that are not containers, each with its path, in order.

    Without recursion, and lists of plain values as one text.
    """
    pending: list[tuple[str, object]] = [("", value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, dict):
            fields = cast("dict[str, object]", item)
            prefix = f"{path}." if path else ""
            pending.extend(
                (f"{prefix}{key}", fields[key]) for key in reversed(list(fields))
            )
        elif isinstance(item, list):
            items = cast("list[object]", item)
            if any(isinstance(entry, dict | list) for entry in items):
                pending.extend((path, entry) for entry in reversed(items))
            else:
                yield path, ", ".join(_plain(entry) for entry in items)
        else:
            yield path, _plain(item)


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
