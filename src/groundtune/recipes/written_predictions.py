"""`predict` for models that write: a translation, a reply or a summary to each row."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.core.errors import ConfigError, DataError
from groundtune.core.protocols import silent
from groundtune.core.values import Message
from groundtune.data.conversations import turns_before_reply
from groundtune.data.labelled import read_labelled
from groundtune.data.roles import ALIASES, plain_name
from groundtune.data.rows import RowError
from groundtune.recipes.predict import PredictReport, read_rows
from groundtune.recipes.writing import text_case
from groundtune.recipes.written_measures import PRIMARY, gained, measured
from groundtune.store.files import write_atomic
from groundtune.systems.writer import Writer, tuned_writer_spec
from groundtune.tasks import support

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.core.values import SupportCase
    from groundtune.data.rows import Row
    from groundtune.systems.writer import Reply

_BATCH = 128
"""Rows that are answered together; 8 bits are compared on the first of these."""
_WITH_INT8 = "openvino"
_READ_AS = {
    "translation": ("source", "text"),
    "support": ("messages", "instruction", "text"),
    "summarization": ("document", "query", "text"),
}
"""Roles that a column may have, by task: the first that is found is read. The last one
is for rows without an answer, which `tune` does not take."""
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
        is_int8: Compute with weights of 8 bits, and say what that changed: on the
            first rows, which are written with the trained weights as well.
        runtime: Engine that answers.
        progress: Told how many rows are done.

    Raises:
        ConfigError: 8 bits are asked of an engine that has none.
        DataError: The file cannot be read, or a row has no text or too long a one.
        ModelLoadError: The folder is no such model, or was changed since.
        StoreError: The answers cannot be written.
    """
    if is_int8 and runtime != _WITH_INT8:
        raise ConfigError(
            f"the engine {runtime} has no weights of 8 bits",
            fix=f"leave it out, or use {_WITH_INT8}",
            where="--int8",
        )
    spec = tuned_writer_spec(model, runtime=runtime)
    rows = read_rows(source, like=_LIKE[spec.task])
    found = column or _column(rows[0], spec.task, where=str(source))
    asked = [_turns(row, found, spec.task) for row in rows]
    progress("loading", 0, None)
    writer = Writer(spec, is_int8=is_int8)
    for row, turns in zip(rows, asked, strict=True):
        if (size := writer.size(turns)) > writer.room:
            raise DataError(
                f"{size} tokens are asked, and the model has room for {writer.room}",
                fix="shorten or divide this row",
                where=row.where,
            )
    lines: list[str] = []
    first: _Written | None = None
    cut = 0
    for start in range(0, len(rows), _BATCH):
        progress("predicting", start, len(rows))
        written = _timed(writer, asked[start : start + _BATCH])
        first = first or written
        replies = written.replies
        for row, reply in zip(rows[start:], replies, strict=False):
            said: dict[str, Any] = {**row.fields, "prediction": reply.text}
            lines.append(json.dumps(said, ensure_ascii=False))
            cut += reply.is_cut
    progress("predicting", len(rows), len(rows))
    write_atomic(out, "".join(f"{line}\n" for line in lines))
    del writer  # its weights need not stand beside those that they are compared with
    compared: dict[str, Any] | None = None
    if is_int8 and first is not None:
        progress("comparing with the trained weights", 0, None)
        whole = _timed(Writer(spec), asked[:_BATCH])
        wanted = _references(source, spec.task, found, asked[:_BATCH])
        compared = _compared(spec.task, first, whole, wanted)
    return PredictReport(
        model=model,
        task=spec.task,
        out=str(out),
        column=found,
        rows=len(rows),
        labels={},
        int8=compared,
        cut=cut,
    )


class _Written(NamedTuple):
    """The replies to some rows, and how long they took."""

    replies: list[Reply]
    seconds: float


def _timed(writer: Writer, asked: Sequence[Sequence[Message]]) -> _Written:
    began = time.perf_counter()
    replies = writer.write(asked)
    return _Written(replies, time.perf_counter() - began)


def _compared(
    task: str, ours: _Written, whole: _Written, wanted: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """What 8 bits changed: of texts, of seconds a row, and of the task's measure.

    Args:
        task: Says which measure.
        ours: With 8 bits.
        whole: The same rows with the weights as they were trained.
        wanted: Texts to measure against, a list a row; none if the file has none.
    """
    texts, theirs = ([reply.text for reply in one.replies] for one in (ours, whole))
    rows = len(texts)
    found: dict[str, Any] = {
        "same": sum(a == b for a, b in zip(texts, theirs, strict=True)) / rows,
        "rows": rows,
        "seconds_a_row": round(ours.seconds / rows, 4),
        "seconds_a_row_without": round(whole.seconds / rows, 4),
    }
    if not wanted:
        return found
    name, groups = PRIMARY[task], [str(number) for number in range(rows)]
    value, without = (
        measured(task, one, wanted, groups=groups, seed=0).figures[name].value
        for one in (texts, theirs)
    )
    found |= {"measure": name, "value": value, "without": without}
    if texts == theirs:  # nothing to draw an interval from
        return found
    difference = gained(texts, theirs, wanted, measure=name, groups=groups, seed=0)
    return {**found, "difference": difference.to_json()}


def _references(
    path: Path, task: str, column: str, asked: Sequence[Sequence[Message]]
) -> list[tuple[str, ...]]:
    """What the first rows want to be said, where the file says it of all of them.

    The file is read as `tune` reads it; what does not ask the same there has none.
    """
    for role in _READ_AS[task][:-1]:
        try:
            data = read_labelled(path, task=task, roles={role: column})
        except DataError:
            continue
        told = cast("list[SupportCase]", data.cases[: len(asked)])
        cases = [text_case(one) for one in told]
        if [case.turns for case in cases] == [tuple(turns) for turns in asked]:
            return [case.accepted for case in cases]
    return []


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
        return (Message("user", value.strip()),)  # as readers of training data do
    raise RowError(
        f"{column!r} is not a text",
        "correct or delete this row",
        row.where,
        column,
        "empty_text",
    )
