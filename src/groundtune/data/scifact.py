"""Claims as SciFact has them: the label stands in the evidence, or nowhere.

Each line has a `claim` and its `evidence`: for each document the sentences that support
or contradict it. A claim without evidence has the label `NOT_ENOUGH_INFO`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from groundtune.data.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_EVIDENCE = "NOT_ENOUGH_INFO"


def looks_like_claims(value: object) -> bool:
    """Whether a JSON value is such a claim."""
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return isinstance(fields.get("claim"), str) and isinstance(
        fields.get("evidence"), dict
    )


def claim_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with the columns `text` and `label`, and their `id`.

    A claim whose evidence disagrees has several labels, which the caller refuses.
    """
    for row in rows:
        evidence: Any = row.fields.get("evidence")
        labels = _labels(evidence) if isinstance(evidence, dict) else []
        label: object = labels[0] if len(labels) == 1 else labels or NO_EVIDENCE
        fields = {"id": row.fields.get("id"), "text": row.fields.get("claim")}
        yield Row({**fields, "label": label}, row.where)


def _labels(evidence: dict[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for entries in evidence.values():
        for entry in cast("list[Any]", entries) if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                found[str(cast("dict[str, Any]", entry).get("label"))] = None
    return list(found)
