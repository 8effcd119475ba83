"""Labelled files to cases, for the tasks that are not questions over documents.

The format is recognised by content, the roles of columns are inferred, and both are
recorded in what comes back. Questions with answers are in `cases`.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.data.aligned import aligned_rows, language_of, sides
from groundtune.data.arrow import PARQUET_MAGIC, folder_table, parquet_table
from groundtune.data.columns import column_rows, looks_like_columns
from groundtune.data.conversations import conversation
from groundtune.data.fields import labelled_text, tagged_tokens, translated_text
from groundtune.data.label_lines import label_line_rows, looks_like_label_lines
from groundtune.data.roles import NAMES, READINGS, find_roles, plain_name, spread
from groundtune.data.rows import (
    Row,
    RowError,
    decode_labelled,
    json_array,
    json_lines,
    load_bytes,
    refuse,
    table_rows,
)
from groundtune.data.scifact import claim_rows, looks_like_claims
from groundtune.data.summaries import gathered, summarized_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from groundtune.core.values import (
        EntityCase,
        LabelCase,
        SummaryCase,
        SupportCase,
        TranslationCase,
    )
    from groundtune.data.rows import Report

    Case = LabelCase | EntityCase | TranslationCase | SupportCase | SummaryCase

LabelledFormat = Literal[
    "jsonl",
    "json",
    "csv",
    "tsv",
    "parquet",
    "folder",
    "conll",
    "label-lines",
    "aligned",
    "claims",
]
FORMATS: tuple[LabelledFormat, ...] = get_args(LabelledFormat)
TASKS = tuple(READINGS)
_LIKE = {
    "sentiment": '{"text": "...", "label": "..."}',
    "classification": '{"text": "...", "label": "..."}',
    "ner": '{"tokens": ["..."], "tags": ["O"]}',
    "translation": '{"source": "...", "target": "..."}',
    "support": '{"messages": [{"role": "user", "content": "..."}, ...]}',
    "summarization": '{"document": "...", "summary": ["..."]}',
}
_SEPARATORS = (",", "\t", ";", "|")
_ROLE_SAMPLE = 2_000
_HOLDERS = {"data", "rows", "examples", "items", "records", "train", "test"}
"""Names under which a JSON object holds all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """The cases of a file, and how it was understood."""

    cases: tuple[Case, ...]
    """In file order."""
    places: tuple[str, ...]
    """File and line of each case."""
    task: str
    format: LabelledFormat
    reading: str
    """Such as `text and label`."""
    roles: dict[str, str]
    """Role to column."""
    encoding: str = "utf-8"
    """As the bytes were decoded; others than UTF-8 are a guess."""


class _Rows(NamedTuple):
    rows: Iterable[Row]
    encoding: str = "utf-8"


def read_labelled(
    path: Path,
    *,
    task: str,
    format: str | None = None,  # noqa: A002 (the option's name)
    roles: Mapping[str, str] | None = None,
    report: Report = refuse,
) -> LabelledData:
    """Read the cases of a labelled file.

    Args:
        path: A file, plain or gzip; a folder that `save_to_disk` wrote; for
            translation one of two files of lines, see `aligned`.
        task: One of `TASKS`.
        format: One of `FORMATS`; recognised by content if not given.
        roles: Role to column, such as `{"label": "intent"}`; the others are inferred.
            For aligned lines a role names a language.
        report: Told about each row that cannot become a case. The usual one raises.

    Raises:
        DataError: The file, or a row, is not in that form; names the line, the column
            and the fix. A file that fits two readings is refused with both named.
    """
    if task not in READINGS:
        raise DataError(
            f"no labelled files for the task {task!r}",
            fix=f"use one of {', '.join(TASKS)}",
            where=str(path),
        )
    if format is not None and format not in FORMATS:
        raise DataError(
            f"unknown format {format!r}",
            fix=f"use one of {', '.join(FORMATS)}",
            where=str(path),
        )
    given = dict(roles or {})
    if task == "translation" and (format == "aligned" or _is_aligned(path, format)):
        files = sides(path, given=given)
        rows = list(aligned_rows(files, report=report))
        columns: dict[str, str] = dict(zip(("source", "target"), files, strict=True))
        built = _cases(rows, translated_text, columns, report=report)
        data = _data(built, path, task, kind="aligned")
        return replace(data, roles=columns)
    kind, (found, encoding) = _rows(path, task=task, format=format, report=report)
    rows = list(found)
    if not rows:
        raise DataError("no cases in it", fix="put rows into it", where=str(path))
    rows = spread(rows) if task == "translation" else rows
    rows = gathered(rows) if task == "summarization" else rows
    decided = find_roles(rows[:_ROLE_SAMPLE], task=task, given=given, where=str(path))
    build = _BUILDERS[task]
    built = _cases(rows, build, decided.columns, report=report)
    return replace(
        _data(built, path, task, kind=kind),
        reading=decided.reading.name,
        roles=decided.columns,
        encoding=encoding,
    )


_BUILDERS: dict[str, Callable[[Row, Mapping[str, str]], Case]] = {
    "sentiment": labelled_text,
    "classification": labelled_text,
    "ner": tagged_tokens,
    "translation": translated_text,
    "support": conversation,
    "summarization": summarized_text,
}


def _data(
    built: list[tuple[Case, str]], path: Path, task: str, *, kind: LabelledFormat
) -> LabelledData:
    """The cases of a file; how they were read is added by who knows it."""
    if not built:
        raise DataError("no cases in it", fix="put rows into it", where=str(path))
    return LabelledData(
        cases=tuple(case for case, _ in built),
        places=tuple(place for _, place in built),
        task=task,
        format=kind,
        reading="source and target",
        roles={},
    )


def _cases(
    rows: Iterable[Row],
    build: Callable[[Row, Mapping[str, str]], Case],
    columns: Mapping[str, str],
    *,
    report: Report,
) -> list[tuple[Case, str]]:
    """Each row as a case with its place; ids are given and checked."""
    built: list[tuple[Case, str]] = []
    taken: dict[str, str] = {}
    for row in rows:
        try:
            case = build(row, columns)
        except RowError as error:
            report(error)
            continue
        if case.id and case.id in taken:
            report(
                RowError(
                    f"id {case.id!r} was used before, at {taken[case.id]}",
                    "give every case an id of its own, or leave the ids out",
                    row.where,
                    columns.get("id", ""),
                    "duplicate_id",
                )
            )
            continue
        case = _with_id(case, taken)
        taken[case.id] = row.where
        built.append((case, row.where))
    return built


def _with_id(case: Case, taken: Mapping[str, str]) -> Case:
    """`case`, with an id from its content where it has none.

    Rows that are equal throughout get a number each: they are for the doctor to find.
    """
    if case.id:
        return case
    content = json.dumps(asdict(case), ensure_ascii=False, sort_keys=True)
    base = text_sha256(content)[:12]
    identifier, number = base, 1
    while identifier in taken:
        number += 1
        identifier = f"{base}-{number}"
    return replace(case, id=identifier)


def _is_aligned(path: Path, kind: str | None) -> bool:
    """Whether a name is that of lines in one language, `train.en` or `train`."""
    if kind is not None or path.is_dir():
        return False
    return bool(language_of(path)) or not path.exists()


def _rows(
    path: Path,
    *,
    task: str,
    format: str | None,  # noqa: A002 (the option's name)
    report: Report,
) -> tuple[LabelledFormat, _Rows]:
    if format == "folder" or path.is_dir():
        return "folder", _Rows(folder_table(path).rows)
    raw = load_bytes(path)
    if format == "parquet" or (format is None and raw.startswith(PARQUET_MAGIC)):
        return "parquet", _Rows(parquet_table(raw, path).rows)
    text, encoding = decode_labelled(raw, where=str(path))
    kind = _known(format) or _recognise(text, path, task=task)
    like = _LIKE[task]
    if kind == "jsonl":
        rows = json_lines(text, path, like=like, report=report)
    elif kind == "json":
        rows = json_array(text, path, like=like, report=report)
    elif kind == "claims":
        rows = claim_rows(json_lines(text, path, like=like, report=report))
    elif kind == "conll":
        rows = column_rows(text, path, report=report)
    elif kind == "label-lines":
        rows = label_line_rows(text, path, report=report)
    else:
        mark = "\t" if kind == "tsv" else _separator(text)
        rows = _table(text, path, mark, report=report)
    return kind, _Rows(rows, encoding)


def _known(name: str | None) -> LabelledFormat | None:
    return next((kind for kind in FORMATS if kind == name), None)


def _table(text: str, path: Path, mark: str, *, report: Report) -> Iterable[Row]:
    # Tabs have no agreed quoting: a lone quote in a cell is a quote.
    is_plain = mark == "\t" and '\t"' not in text
    return table_rows(
        text, path, delimiter=mark, has_quotes=not is_plain, report=report
    )


def _recognise(text: str, path: Path, *, task: str) -> LabelledFormat:
    """The format that the content has, whatever the file is called."""
    start = text.lstrip()[:1]
    if start == "[":
        return "json"
    if start == "{":
        return _json_kind(text)
    if looks_like_columns(text):
        return "conll"
    separator = _separator(text)
    names = _header(text, separator)
    is_table = len(names) > 1 and all(0 < len(name.strip()) <= 60 for name in names)
    if is_table and any(plain_name(name) in NAMES for name in names):
        return "tsv" if separator == "\t" else "csv"
    is_labels = task in {"sentiment", "classification"}
    if is_labels and looks_like_label_lines(text):
        return "label-lines"
    if is_table and _is_even(text, separator):
        return "tsv" if separator == "\t" else "csv"
    raise DataError(
        "not a known format of labelled data",
        fix=f"give one of {', '.join(FORMATS)}; CSV and TSV need a header line",
        where=str(path),
    )


def _json_kind(text: str) -> LabelledFormat:
    """One object a line, or one object that holds the list."""
    first = text.lstrip().split("\n", 1)[0]
    try:
        value = json.loads(first)
    except ValueError:
        # Broken first lines are for the reader of lines to report, but an object that
        # is laid out over lines is one JSON value.
        return "json" if first.strip() in {"{", '{"data": ['} else "jsonl"
    if looks_like_claims(value):
        return "claims"
    is_only = not text.lstrip()[len(first) :].strip()
    holders = [key for key, item in value.items() if isinstance(item, list)]
    return "json" if is_only and set(holders) & _HOLDERS else "jsonl"


def _separator(text: str) -> str:
    """The separator that the header line has most of."""
    header = text.lstrip().split("\n", 1)[0]
    return max(_SEPARATORS, key=header.count)


def _header(text: str, separator: str) -> list[str]:
    line = text.lstrip().split("\n", 1)[0].rstrip("\r")
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _is_even(text: str, separator: str) -> bool:
    """Whether the first lines have as many cells as the header."""
    lines = [line for line in text.split("\n")[:20] if line.strip()]
    counts = [len(_header(line, separator)) for line in lines]
    return counts.count(counts[0]) == len(counts)
