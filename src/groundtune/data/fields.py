"""Fields of a row, checked one by one: texts, labels, tokens with their tags."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import DataError
from groundtune.core.values import EntityCase, LabelCase, TranslationCase
from groundtune.data.columns import TAG
from groundtune.data.read_text import whole_characters
from groundtune.data.rows import RowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.data.rows import Row

_WORD = re.compile(r"\w+|[^\w\s]")


def labelled_text(row: Row, roles: Mapping[str, str]) -> LabelCase:
    """A text and its label.

    Raises:
        RowError: One of them is missing, empty or of another kind.
    """
    return LabelCase(
        id=optional_text(row, roles.get("id")),
        text=required_text(row, roles["text"]),
        label=_label(row, roles["label"]),
        group=optional_text(row, roles.get("group")),
    )


def translated_text(row: Row, roles: Mapping[str, str]) -> TranslationCase:
    """A text and its translation.

    Raises:
        RowError: One of them is missing, empty or of another kind.
    """
    return TranslationCase(
        id=optional_text(row, roles.get("id")),
        source=required_text(row, roles["source"]),
        target=required_text(row, roles["target"]),
        group=optional_text(row, roles.get("group")),
    )


def tagged_tokens(row: Row, roles: Mapping[str, str]) -> EntityCase:
    """Tokens and tags, or a text whose entities are spans of characters.

    Raises:
        RowError: They do not fit each other, or a tag is no BIO tag.
    """
    tokens, tags = (
        _from_lists(row, roles) if "tokens" in roles else _from_spans(row, roles)
    )
    return EntityCase(
        id=optional_text(row, roles.get("id")),
        tokens=tokens,
        tags=tags,
        group=optional_text(row, roles.get("group")),
    )


def whole(text: str, row: Row, column: str) -> str:
    """`text`, if it can be written as UTF-8.

    Raises:
        RowError: It holds half of a character.
    """
    try:
        return whole_characters(text, field=column, where=row.where)
    except DataError as error:
        raise RowError(
            error.problem, error.fix, row.where, column, "half_character"
        ) from error


def optional_text(row: Row, column: str | None) -> str:
    """A text or number as text, without spaces around it; empty where it is not there.

    Raises:
        RowError: It is of another kind.
    """
    if column is None:
        return ""
    value: Any = row.fields.get(column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong_kind(value, "a text", row, column)
    return whole(str(value).strip(), row, column)


def required_text(row: Row, column: str) -> str:
    """`optional_text` that must not be empty.

    Raises:
        RowError: It is missing, empty or of another kind.
    """
    if column not in row.fields:
        raise _missing(row, column)
    if text := optional_text(row, column):
        return text
    raise RowError(
        f"{column!r} is empty",
        "fill it in, or delete this row",
        row.where,
        column,
        "empty_text",
    )


def _label(row: Row, column: str) -> str:
    if column not in row.fields:
        raise _missing(row, column)
    value: Any = row.fields[column]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        raise RowError(
            f"several labels: {value!r:.60}",
            "give each text one label",
            row.where,
            column,
            "several_labels",
        )
    if text := optional_text(row, column):
        return text
    raise RowError(
        "no label",
        "label it, or delete this row",
        row.where,
        column,
        "empty_label",
    )


def _from_lists(
    row: Row, roles: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tokens = _texts(row, roles["tokens"])
    tags = _texts(row, roles["tags"])
    if len(tokens) != len(tags):
        raise RowError(
            f"{len(tokens)} tokens, {len(tags)} tags",
            "give each token one tag",
            row.where,
            roles["tags"],
            "length_mismatch",
        )
    if not tokens:
        raise RowError(
            "no tokens",
            "fill them in, or delete this row",
            row.where,
            roles["tokens"],
            "empty_text",
        )
    for number, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        if not token:
            raise RowError(
                f"token {number + 1} is empty",
                "remove it together with its tag",
                row.where,
                roles["tokens"],
                "empty_token",
            )
        if not TAG.fullmatch(tag):
            raise RowError(
                f"token {number + 1}, {token!r:.40}, has the tag {tag!r:.40}",
                "use O, B-TYPE and I-TYPE; numbers need the names of their classes",
                row.where,
                roles["tags"],
                "bad_tag",
            )
    return tokens, tags


def _from_spans(
    row: Row, roles: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of the text, tagged by the spans that they stand in."""
    column = roles["entities"]
    text = required_text(row, roles["text"])
    # Offsets count the text as it is written, spaces before it included.
    raw = str(row.fields[roles["text"]])
    shift = len(raw) - len(raw.lstrip())
    words = [(m.start(), m.end(), m.group()) for m in _WORD.finditer(text)]
    tags = ["O"] * len(words)
    entities: Any = row.fields.get(column)
    if not isinstance(entities, list):
        raise _wrong_kind(entities, "a list of start, end and label", row, column)
    for entity in cast("list[Any]", entities):
        fields = cast("dict[str, Any]", entity) if isinstance(entity, dict) else {}
        start, end, label = (fields.get(key) for key in ("start", "end", "label"))
        if not isinstance(start, int) or not isinstance(end, int) or not label:
            raise _wrong_kind(entity, "an object of start, end and label", row, column)
        inside = [
            number
            for number, (first, last, _) in enumerate(words)
            if first >= start - shift and last <= end - shift
        ]
        fits = inside and (words[inside[0]][0], words[inside[-1]][1]) == (
            start - shift,
            end - shift,
        )
        if not fits or any(tags[number] != "O" for number in inside):
            raise RowError(
                f"the entity {raw[start:end]!r:.40} at {start}:{end} "
                + ("overlaps another" if fits else "is not made of whole words"),
                "count characters from 0; the end is one past the last",
                row.where,
                column,
                "bad_span",
            )
        for number in inside:
            tags[number] = f"{'B' if number == inside[0] else 'I'}-{label}"
    return tuple(word for _, _, word in words), tuple(tags)


def _texts(row: Row, column: str) -> tuple[str, ...]:
    if column not in row.fields:
        raise _missing(row, column)
    value: Any = row.fields[column]
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise _wrong_kind(value, "a list of texts", row, column) from None
    if not isinstance(value, list):
        raise _wrong_kind(value, "a list of texts", row, column)
    found: list[str] = []
    for item in cast("list[Any]", value):
        if isinstance(item, bool) or not isinstance(item, str | int):
            raise _wrong_kind(item, "a list of texts", row, column)
        found.append(whole(str(item).strip(), row, column))
    return tuple(found)


def _missing(row: Row, column: str) -> RowError:
    names = ", ".join(map(str, row.fields)) or "none"
    return RowError(
        f"no {column!r}",
        f"add it; this row has: {names}",
        row.where,
        column,
        "missing_field",
    )


def _wrong_kind(value: object, wanted: str, row: Row, column: str) -> RowError:
    return RowError(
        f"{column!r} is {type(value).__name__} {value!r:.60}",
        f"make it {wanted}",
        row.where,
        column,
        "wrong_kind",
    )
