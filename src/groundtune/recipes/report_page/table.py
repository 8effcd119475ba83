"""Rows as one table, a line a row: what notebooks and databases read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.measure.rows import Place, Row

_PLACES = pa.list_(
    pa.struct(
        [
            ("document", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("text", pa.string()),
        ]
    )
)
_MILLISECONDS = ("retrieve_ms", "first_token_ms", "total_ms")


def write_rows_table(
    path: Path, rows: Sequence[Row], *, timings: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write rows as Parquet: a column `score_NAME` for each score, and the times."""
    times = {
        (str(line["case"]), str(line["system"]), int(line.get("seed", 0))): line
        for line in timings
    }
    scores = sorted({name for row in rows for name in row.scores})
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(row, name) for row in rows], kind)
        for name, kind in (
            ("case", pa.string()),
            ("system", pa.string()),
            ("seed", pa.int64()),
            ("group", pa.string()),
            ("question", pa.string()),
            ("answerable", pa.bool_()),
            ("prediction", pa.string()),
            ("abstained", pa.bool_()),
            ("hit", pa.bool_()),
            ("rank", pa.int64()),
            ("prompt_tokens", pa.int64()),
            ("output_tokens", pa.int64()),
            ("error", pa.string()),
        )
    }
    columns["answers"] = pa.array(
        [list(row.answers) for row in rows], pa.list_(pa.string())
    )
    for name in ("citations", "hits", "gold"):
        columns[name] = pa.array(
            [[_place(place) for place in getattr(row, name)] for row in rows], _PLACES
        )
    for name in scores:
        columns[f"score_{name}"] = pa.array(
            [row.scores.get(name) for row in rows], pa.float64()
        )
    for name in _MILLISECONDS:
        columns[name] = pa.array(
            [times.get((r.case, r.system, r.seed), {}).get(name) for r in rows],
            pa.float64(),
        )
    pq.write_table(pa.table(columns), path, compression="zstd")


def _place(place: Place) -> dict[str, Any]:
    return {
        "document": place.document,
        "start": place.start,
        "end": place.end,
        "text": place.text or None,
    }
