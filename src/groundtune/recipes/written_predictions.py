"""`predict` for models that write: a translation, a reply or a summary to each row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.core.values import Message
from groundtune.data.conversations import turns_before_reply
from groundtune.data.roles import ALIASES, plain_name
from groundtune.data.rows import RowError
from groundtune.recipes.predict import PredictReport, read_rows
from groundtune.store.files import write_atomic
from groundtune.systems.writer import Writer, tuned_writer_spec
from groundtune.tasks import support

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.data.rows import Row

_BATCH = 128
_READ_AS = {
    "translation": ("source", "text"),
    "support": ("messages", "instruction", "text"),
    "summarization": ("document", "query", "text"),
}
"""Roles that a column may have, by task: the first that is found is read."""
_LIKE = {
    "translation": '{"source": "..."}',
    "support": '{"messages": [{"role": "user", "content": "..."}]}',
    "summarization": '{"document": "..."}',
}


def predict_texts(
    model: str,
    *,
    source: Path,
    out: Path,
    column: str = "",
    is_int8: bool = False,
    runtime: str = "openvino",
    progress: Progress = silent,
) -> PredictReport:
    """Write to every row of a file; the answers appear as one file, or not at all.

    Args:
        model: Folder that `tune` made for a task that writes.
        source: JSON Lines, a JSON array, CSV, TSV or Parquet.
        out: JSON Lines file to write: each row's fields and `prediction`.
        column: Holds the text, or the messages; found by its name if not given. A
            reply that stands at the end of the messages is not shown to the model.
        is_int8: Not for these models.
        runtime: Engine that answers.
        progress: Told how many rows are done.

    Raises:
        ConfigError: 8 bits are asked for.
        DataError: The file cannot be read, or a row has no text or too long a one.
        ModelLoadError: The folder is no such model, or was changed since.
        StoreError: The answers cannot be written.
    """
    if is_int8:
        raise ConfigError(
            "8 bits are for models that give labels", fix="leave it out", where="--int8"
        )
    spec = tuned_writer_spec(model, runtime=runtime)
    rows = read_rows(source, like=_LIKE[spec.task])
    found = column or _column(rows[0], spec.task, where=str(source))
    asked = [_turns(row, found, spec.task) for row in rows]
    progress("loading", 0, None)
    writer = Writer(spec)
    for row, turns in zip(rows, asked, strict=True):
        if (size := writer.size(turns)) > writer.room:
            raise DataError(
                f"{size} tokens are asked, and the model has room for {writer.room}",
                fix="shorten or divide this row",
                where=row.where,
            )
    lines: list[str] = []
    cut = 0
    for start in range(0, len(rows), _BATCH):
        progress("predicting", start, len(rows))
        replies = writer.write(asked[start : start + _BATCH])
        for row, reply in zip(rows[start:], replies, strict=False):
            said: dict[str, Any] = {**row.fields, "prediction": reply.text}
            lines.append(json.dumps(said, ensure_ascii=False))
            cut += reply.is_cut
    progress("predicting", len(rows), len(rows))
    write_atomic(out, "".join(f"{line}\n" for line in lines))
    return PredictReport(
        model=model,
        task=spec.task,
        out=str(out),
        column=found,
        rows=len(rows),
        labels={},
        int8=None,
        cut=cut,
    )


def _column(row: Row, task: str, *, where: str) -> str:
    names = {plain_name(name): name for name in row.fields}
    for role in _READ_AS[task]:
        for known in (role, *ALIASES[role]):
            if known in names:
                return names[known]
    raise DataError(
        f"no column {_READ_AS[task][0]!r}: it has {', '.join(row.fields)}",
        fix="name the column of what is asked with --column",
        where=where,
    )


def _turns(row: Row, column: str, task: str) -> Sequence[Message]:
    """What a row asks."""
    value = row.fields.get(column)
    is_text = isinstance(value, str) and not value.lstrip().startswith("[")
    if task == support.NAME and not is_text:
        return turns_before_reply(row, {"messages": column})
    if isinstance(value, str) and value.strip():
        return (Message("user", value),)
    raise RowError(
        f"{column!r} is not a text",
        "correct or delete this row",
        row.where,
        column,
        "empty_text",
    )
