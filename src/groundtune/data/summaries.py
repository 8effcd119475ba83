"""Rows to cases of `summarization`: a document or a query, and its summaries.

Several people may have summed up one text: their summaries are a list in one column, or
stand in numbered columns, `summary1` and so on, as DialogSum's test part has them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.values import SummaryCase
from groundtune.data.fields import optional_text, required_text, whole
from groundtune.data.rows import RowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.data.rows import Row

_NUMBERED = re.compile(r"summary[ _-]?(\d+)", re.IGNORECASE)
_DIALOGSUM = {"fname", "dialogue"}


def gathered(rows: Sequence[Row]) -> list[Row]:
    """Rows with their numbered summaries in one column, `summary`, in that order.

    DialogSum's name of a row, `fname`, becomes its `id`.
    """
    return [row._replace(fields=_gathered(row.fields)) for row in rows]


def _gathered(fields: Mapping[str, Any]) -> dict[str, Any]:
    numbered = {
        name: int(found[1]) for name in fields if (found := _NUMBERED.fullmatch(name))
    }
    kept = {name: value for name, value in fields.items() if name not in numbered}
    if numbered and "summary" not in fields:
        order = sorted(numbered, key=lambda name: numbered[name])
        # A text that fewer people summed up than others has empty columns.
        said = [fields[name] for name in order]
        kept["summary"] = [one for one in said if one not in {None, ""}]
    else:
        kept = dict(fields)
    if fields.keys() >= _DIALOGSUM and "id" not in fields:
        kept["id"] = kept.pop("fname")
    return kept


def summarized_text(row: Row, roles: Mapping[str, str]) -> SummaryCase:
    """A document or a query, and at least one summary.

    Raises:
        RowError: One of them is missing, empty or of another kind.
    """
    shown = "document" if "document" in roles else "query"
    return SummaryCase(
        id=optional_text(row, roles.get("id")),
        summaries=_summaries(row, roles["summary"]),
        group=optional_text(row, roles.get("group")),
        **{shown: required_text(row, roles[shown])},
    )


def _summaries(row: Row, column: str) -> tuple[str, ...]:
    value: Any = row.fields.get(column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _listed(value)
    if not isinstance(value, list):
        return (required_text(row, column),)
    found: list[str] = []
    for text in cast("list[Any]", value):
        if not isinstance(text, str) or not text.strip():
            raise RowError(
                f"{column!r} holds {type(text).__name__} {text!r:.60}",
                "make it a text, or a list of texts",
                row.where,
                column,
                "wrong_kind",
            )
        found.append(whole(text.strip(), row, column))
    if not found:
        raise RowError(
            f"{column!r} is empty",
            "fill it in, or delete this row",
            row.where,
            column,
            "empty_text",
        )
    return tuple(found)


def _listed(text: str) -> object:
    """The list that a cell of a table holds as JSON, or the text that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
