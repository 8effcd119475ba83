"""The job `predict`: a tuned model says what it thinks of every row of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from groundtune.core.errors import DataError
from groundtune.core.protocols import silent
from groundtune.data.arrow import PARQUET_MAGIC, parquet_table
from groundtune.data.roles import ALIASES
from groundtune.data.rows import (
    decode_labelled,
    json_array,
    json_lines,
    load_bytes,
    table_rows,
)
from groundtune.measure.calibration import probabilities
from groundtune.store.checks import read_object
from groundtune.store.files import write_atomic
from groundtune.store.models import MANIFEST
from groundtune.systems.labeller import open_labeller
from groundtune.systems.writer import WRITTEN_TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from groundtune.core.protocols import Progress
    from groundtune.data.rows import Row
    from groundtune.systems.labeller import Labeller

_BATCH = 256
_COMPARED = 200
"""Rows on which int8 is compared with the model as it was trained."""
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictReport:
    """What `predict --json` prints."""

    model: str
    task: str
    out: str
    column: str
    """Column that was read."""
    rows: int
    labels: dict[str, int]
    """How often each label was given: to texts, or to words."""
    int8: dict[str, Any] | None
    """Share of labels, or of whole texts, that are the same without int8, and on how
    many rows; for texts `written_predictions` says more."""
    cut: int = 0
    """Texts that the bound on new tokens ended, and not the model."""


class Inputs(NamedTuple):
    """Rows of a file, and the column that holds what is to be labelled."""

    rows: list[Row]
    column: str


def predict(
    model: str,
    *,
    source: Path,
    out: Path,
    column: str = "",
    is_int8: bool = False,
    progress: Progress = silent,
) -> PredictReport:
    """Label every row of a file; the answers appear as one file, or not at all.

    For a model that writes, what it says is `prediction`, and there are no scores.

    Args:
        model: Folder that `tune` made for a label task, translation or support.
        source: JSON Lines, a JSON array, CSV, TSV or Parquet.
        out: JSON Lines file to write: each row's fields, `prediction` and `scores`.
            For tagged words these are lists, one entry a word.
        column: Holds the text, or the list of tokens; found by its name if not given.
        is_int8: Compute with weights of 8 bits, and say what that changed.
        progress: Told how many rows are done.

    Raises:
        DataError: The file cannot be read, or a row has no text.
        ModelLoadError: The folder is no such model.
        StoreError: The answers cannot be written.
    """
    if _writes(model):
        from groundtune.recipes.written_predictions import predict_texts

        return predict_texts(
            model,
            source=source,
            out=out,
            column=column,
            is_int8=is_int8,
            progress=progress,
        )
    labeller = open_labeller(model, is_int8=is_int8)
    inputs = read_inputs(source, column=column, is_words=labeller.is_words)
    lines: list[str] = []
    counts = dict.fromkeys(labeller.labels, 0)
    for start in range(0, len(inputs.rows), _BATCH):
        progress("predicting", start, len(inputs.rows))
        for row, shares_W_L in _scored(labeller, inputs, start, start + _BATCH):
            named = [labeller.labels[int(best)] for best in shares_W_L.argmax(axis=1)]
            for name in named:
                counts[name] += 1
            scores = [
                dict(zip(labeller.labels, _rounded(shares_L), strict=True))
                for shares_L in shares_W_L
            ]
            said: dict[str, Any] = {
                "prediction": named if labeller.is_words else named[0],
                "scores": scores if labeller.is_words else scores[0],
            }
            lines.append(json.dumps({**row.fields, **said}, ensure_ascii=False))
    progress("predicting", len(inputs.rows), len(inputs.rows))
    compared = _compare(model, labeller, inputs) if is_int8 else None
    write_atomic(out, "".join(f"{line}\n" for line in lines))
    return PredictReport(
        model=model,
        task=labeller.task,
        out=str(out),
        column=inputs.column,
        rows=len(inputs.rows),
        labels=counts,
        int8=compared,
    )


def _writes(model: str) -> bool:
    """Whether a folder says that it was tuned to write."""
    path = Path(model) / MANIFEST
    return path.is_file() and read_object(path).get("task") in WRITTEN_TASKS


def _scored(
    labeller: Labeller, inputs: Inputs, start: int, end: int
) -> Iterable[tuple[Row, npt.NDArray[np.float64]]]:
    """Rows with the probabilities of their labels, one row of these a label given."""
    rows = inputs.rows[start:end]
    values = [row.fields[inputs.column] for row in rows]
    if labeller.is_words:
        logits = labeller.word_logits(cast("list[list[str]]", values))
    else:
        logits = list(labeller.text_logits(cast("list[str]", values))[:, np.newaxis])
    return ((row, probabilities(one)) for row, one in zip(rows, logits, strict=True))


def _rounded(shares_L: npt.NDArray[np.float64]) -> list[float]:
    return np.round(shares_L, _DIGITS).tolist()


def _compare(model: str, labeller: Labeller, inputs: Inputs) -> dict[str, float | int]:
    """How many labels int8 leaves as they are, on the first rows."""
    whole = open_labeller(model)
    same = total = 0
    pairs = zip(
        _scored(labeller, inputs, 0, _COMPARED),
        _scored(whole, inputs, 0, _COMPARED),
        strict=True,
    )
    for (_, ours_W_L), (_, theirs_W_L) in pairs:
        same += int((ours_W_L.argmax(axis=1) == theirs_W_L.argmax(axis=1)).sum())
        total += len(ours_W_L)
    rows = min(_COMPARED, len(inputs.rows))
    return {"same": same / max(1, total), "rows": rows}


def read_inputs(path: Path, *, column: str, is_words: bool) -> Inputs:
    """Rows with a text, or a list of tokens, in the column that is found.

    Raises:
        DataError: The file cannot be read, or a row has no text.
    """
    role = "tokens" if is_words else "text"
    like = f'{{"{role}": {["..."] if is_words else "..."!r}}}'.replace("'", '"')
    rows = read_rows(path, like=like)
    found = column or _column(rows[0].fields, is_words=is_words, where=str(path))
    for row in rows:
        _check(row, found, is_words=is_words)
    return Inputs(rows, found)


def read_rows(path: Path, *, like: str) -> list[Row]:
    """Rows of a file of any of the forms, at least one.

    Args:
        path: JSON Lines, a JSON array, CSV, TSV or Parquet.
        like: A row as it should be, for error messages.

    Raises:
        DataError: The file cannot be read.
    """
    raw = load_bytes(path)
    if raw.startswith(PARQUET_MAGIC):
        rows = list(parquet_table(raw, path).rows)
    else:
        text, _ = decode_labelled(raw, where=str(path))
        start = text.lstrip()[:1]
        if start == "{":
            rows = list(json_lines(text, path, like=like))
        elif start == "[":
            rows = list(json_array(text, path, like=like))
        else:
            header = text.lstrip().split("\n", 1)[0]
            mark = max((",", "\t", ";"), key=header.count)
            rows = list(table_rows(text, path, delimiter=mark))
    if not rows:
        raise DataError("no rows in it", fix="put rows into it", where=str(path))
    return rows


def _column(fields: dict[str, Any], *, is_words: bool, where: str) -> str:
    role = "tokens" if is_words else "text"
    names = {name.lower(): name for name in fields}
    for known in (role, *ALIASES[role]):
        if known in names:
            return names[known]
    raise DataError(
        f"no column {role!r}: it has {', '.join(fields)}",
        fix=f"name the column of the {role} with --column",
        where=where,
    )


def _check(row: Row, column: str, *, is_words: bool) -> None:
    value = row.fields.get(column)
    if is_words:
        words = cast("Sequence[object]", value) if isinstance(value, list) else ()
        is_right = bool(words) and all(isinstance(word, str) for word in words)
    else:
        is_right = isinstance(value, str)
    if not is_right:
        what = "a list of tokens" if is_words else "a text"
        raise DataError(
            f"{column!r} is not {what}",
            fix="correct or delete this row",
            where=row.where,
        )
