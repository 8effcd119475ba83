"""Labelled question files to cases, and back.

Every row is checked here, by hand rather than by a schema library, because the message
must name the line of the person's file and the remedy. Later rooms see `QaCase` only.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import QaCase
from groundtune.data.read_text import decode, whole_characters
from groundtune.data.squad import is_squad, read_squad_cases
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CaseFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "squad"]
FORMATS: tuple[CaseFormat, ...] = get_args(CaseFormat)

_PARQUET_MAGIC = b"PAR1"
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_FIELDS = "id, question, answers, source, evidence, answerable, group"


class _Row(NamedTuple):
    fields: dict[str, Any]
    where: str
    """File and line, as an error names it."""


def read_cases(path: Path, *, format: str | None = None) -> list[QaCase]:  # noqa: A002 (the option's name)
    """Read cases, in file order.

    A row has `question` and `answers` (a list or a text; `answer` is read too), and may
    have `id`, `source`, `evidence`, `answerable` and `group`. Other fields are ignored.
    A row without id gets one from its content.

    Args:
        path: JSON Lines, a JSON array, CSV, TSV, Parquet or SQuAD JSON.
        format: One of `FORMATS`; recognised by content if not given.

    Raises:
        DataError: The file or a row is not in that form; names the line and the fix.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            error.strerror or str(error), fix="check the path", where=str(path)
        ) from error
    if format is not None and format not in FORMATS:
        raise DataError(
            f"unknown format {format!r}",
            fix=f"use one of {', '.join(FORMATS)}",
            where=str(path),
        )
    kind = format or _recognise(raw, path)
    cases: list[QaCase] = []
    places: dict[str, str] = {}
    if kind == "squad":
        cases = read_squad_cases(path)
        located = [(case, str(path)) for case in cases]
    else:
        located = [(_case(row), row.where) for row in _rows(raw, kind, path)]
    if not located:
        raise DataError("no cases in it", fix="put rows into it", where=str(path))
    unique: list[QaCase] = []
    for case, where in located:
        if case.id in places:
            raise DataError(
                f"id {case.id!r} was used before, at {places[case.id]}",
                fix="give every case an id of its own, or leave the ids out",
                where=where,
            )
        unique.append(_with_id(case, places))
        places[unique[-1].id] = where
    return unique


def write_cases(path: Path, cases: Sequence[QaCase]) -> None:
    """Write cases as JSON Lines that `read_cases` reads back unchanged.

    Raises:
        StoreError: The file could not be written; the old one is untouched.
    """
    lines = (json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in cases)
    write_atomic(path, "".join(lines))


def _with_id(case: QaCase, taken: dict[str, str]) -> QaCase:
    """`case`, with an id from its content where it has none.

    Rows that are equal throughout get a number each: they are for the doctor to find.
    """
    if case.id:
        return case
    content = json.dumps([case.question, case.answers, case.source, case.evidence])
    base = text_sha256(content)[:12]
    identifier, number = base, 1
    while identifier in taken:
        number += 1
        identifier = f"{base}-{number}"
    return replace(case, id=identifier)


def _recognise(raw: bytes, path: Path) -> CaseFormat:
    """The format that the content has, whatever the file is called."""
    if raw.startswith(_PARQUET_MAGIC):
        return "parquet"
    text = decode(raw, where=str(path)).lstrip()
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "squad" if is_squad(path) else "jsonl"
    header = text.split("\n", 1)[0].rstrip("\r")
    for separator, kind in (("\t", "tsv"), (",", "csv")):
        names = [name.strip().strip('"') for name in header.split(separator)]
        if "question" in names:
            return "tsv" if kind == "tsv" else "csv"
    raise DataError(
        "not a known format of cases",
        fix=f"give one of {', '.join(FORMATS)}; CSV and TSV need a header line with "
        '"question" and "answers"',
        where=str(path),
    )


def _rows(raw: bytes, kind: CaseFormat, path: Path) -> Iterator[_Row]:
    if kind == "parquet":
        return _parquet_rows(raw, path)
    text = decode(raw, where=str(path))
    if kind == "jsonl":
        return _json_lines(text, path)
    if kind == "json":
        return _json_array(text, path)
    return _table_rows(text, path, delimiter="\t" if kind == "tsv" else ",")


def _json_lines(text: str, path: Path) -> Iterator[_Row]:
    # Not splitlines: a JSON string may hold U+2028, which that takes for a line end.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"not JSON at column {error.colno}: {error.msg}",
                fix="correct or delete this line: each line is one JSON object",
                where=where,
            ) from error
        except RecursionError as error:
            raise _not_object(where) from error
        yield _object_row(value, where)


def _json_array(text: str, path: Path) -> Iterator[_Row]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON at column {error.colno}: {error.msg}",
            fix="correct this line: the file is one JSON array of objects",
            where=f"{path}:{error.lineno}",
        ) from error
    except RecursionError as error:
        raise _not_object(str(path)) from error
    if not isinstance(values, list):
        raise DataError(
            "not a JSON array",
            fix="write [{...}, {...}], or one object a line and --format jsonl",
            where=str(path),
        )
    for number, value in enumerate(cast("list[Any]", values)):
        yield _object_row(value, f"{path}[{number}]")


def _object_row(value: object, where: str) -> _Row:
    if not isinstance(value, dict):
        raise _not_object(where)
    return _Row(cast("dict[str, Any]", value), where)


def _not_object(where: str) -> DataError:
    return DataError(
        "not a JSON object",
        fix='write {"question": "...", "answers": ["..."]}',
        where=where,
    )


def _table_rows(text: str, path: Path, *, delimiter: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"not readable as a table: {error}",
                fix="check the quotes, and double each quote inside a quoted cell",
                where=f"{path}:{line}",
            ) from error
        where = f"{path}:{line}"
        # A quoted cell may span lines: the row begins where the last one ended.
        line = reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{len(cells)} cells, the header has {len(header)}",
                fix="quote cells that hold the separator or a line end",
                where=where,
            )
        pairs = zip(header, cells, strict=True)
        yield _Row({key: _cell(key, cell) for key, cell in pairs}, where)


def _cell(key: str, cell: str) -> object:
    """A cell; lists may be written as JSON."""
    if key in {"answers", "answer", "evidence"} and cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _parquet_rows(raw: bytes, path: Path) -> Iterator[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"not a readable Parquet file: {error}",
            fix="write the file again",
            where=str(path),
        ) from error
    for number, fields in enumerate(table.to_pylist(), start=1):
        yield _Row(fields, f"{path}: row {number}")


def _case(row: _Row) -> QaCase:
    fields, where = row
    question = _text(fields, "question", where)
    if not question:
        named = ", ".join(sorted(fields)) or "none"
        raise DataError(
            'no "question"',
            fix=f"known fields: {_FIELDS}; this row has: {named}",
            where=where,
        )
    answers = _texts(fields, "answers" if "answers" in fields else "answer", where)
    answerable = _flag(fields, where)
    if answerable and not answers:
        named = ", ".join(sorted(fields))
        raise DataError(
            "no answers, and not marked as unanswerable",
            fix='give "answers", or mark the case "answerable": false; this row has: '
            + named,
            where=where,
        )
    if not answerable and answers:
        raise DataError(
            "marked as unanswerable, and has answers",
            fix='remove "answers", or mark the case "answerable": true',
            where=where,
        )
    source = _text(fields, "source", where)
    return QaCase(
        id=_text(fields, "id", where),
        question=question,
        answers=answers,
        source=source,
        evidence=_texts(fields, "evidence", where),
        answerable=answerable,
        group=_text(fields, "group", where) or source,
    )


def _text(fields: dict[str, Any], key: str, where: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong_kind(key, value, "a text", where)
    return whole_characters(str(value).strip(), field=key, where=where)


def _texts(fields: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A text or a list of texts, without repetitions and blanks."""
    value: Any = fields.get(key)
    if isinstance(value, dict) and "text" in value:
        # The layout of SQuAD on the Hugging Face Hub.
        value = cast("dict[str, Any]", value)["text"]
    if value is None:
        return ()
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise _wrong_kind(key, item, "a text or a list of texts", where)
    stripped = [
        whole_characters(str(item).strip(), field=key, where=where) for item in items
    ]
    return tuple(dict.fromkeys(text for text in stripped if text))


def _flag(fields: dict[str, Any], where: str) -> bool:
    value = fields.get("answerable")
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _wrong_kind("answerable", value, "true or false", where)


def _wrong_kind(key: str, value: object, wanted: str, where: str) -> DataError:
    return DataError(
        f"{key!r} is {type(value).__name__} {value!r:.60}",
        fix=f"make it {wanted}",
        where=where,
    )
