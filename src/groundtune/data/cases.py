"""Labelled question files to cases, and back.

Every row is checked here, by hand rather than by a schema library, because the message
must name the line of the person's file and the remedy. Later rooms see `QaCase` only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import QaCase
from groundtune.data.arrow import parquet_table
from groundtune.data.read_text import decode, whole_characters
from groundtune.data.rows import (
    Row,
    RowError,
    json_array,
    json_lines,
    load_bytes,
    refuse,
    table_rows,
)
from groundtune.data.squad import is_squad, read_squad_cases
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from groundtune.data.rows import Report

CaseFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "squad"]
FORMATS: tuple[CaseFormat, ...] = get_args(CaseFormat)

_PARQUET_MAGIC = b"PAR1"
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
_LIKE = '{"question": "...", "answers": ["..."]}'
_FIELDS = "id, question, answers, source, evidence, answerable, group, reviewed"


class PlacedCases(NamedTuple):
    """Cases, and the file and line of each."""

    cases: list[QaCase]
    places: list[str]


def read_cases(path: Path, *, format: str | None = None) -> list[QaCase]:  # noqa: A002 (the option's name)
    """Read cases, in file order.

    A row has `question` and `answers` (a list or a text; `answer` is read too), and may
    have `id`, `source`, `evidence`, `answerable`, `group` and `reviewed`. Other fields
    are ignored.
    A row without id gets one from its content.

    Args:
        path: JSON Lines, a JSON array, CSV, TSV, Parquet or SQuAD JSON.
        format: One of `FORMATS`; recognised by content if not given.

    Raises:
        DataError: The file or a row is not in that form; names the line and the fix.
    """
    return read_placed_cases(path, format=format).cases


def read_placed_cases(
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 (the option's name)
    report: Report = refuse,
) -> PlacedCases:
    """`read_cases`, with where each case stands.

    Args:
        path: See `read_cases`.
        format: See `read_cases`.
        report: Told about each row that cannot become a case. The usual one raises.

    Raises:
        DataError: See `read_cases`.
    """
    raw = load_bytes(path)
    if format is not None and format not in FORMATS:
        raise DataError(
            f"unknown format {format!r}",
            fix=f"use one of {', '.join(FORMATS)}",
            where=str(path),
        )
    kind: CaseFormat = _known(format) or _recognise(raw, path)
    if kind == "squad":
        located = [(case, f"{path}: {case.id}") for case in read_squad_cases(path)]
    else:
        located = list(_located(_rows(raw, kind, path, report=report), report=report))
    if not located:
        raise DataError("no cases in it", fix="put rows into it", where=str(path))
    places: dict[str, str] = {}
    cases: list[QaCase] = []
    for case, where in located:
        if case.id in places:
            report(
                RowError(
                    f"id {case.id!r} was used before, at {places[case.id]}",
                    "give every case an id of its own, or leave the ids out",
                    where,
                    "id",
                    "duplicate_id",
                )
            )
            continue
        cases.append(_with_id(case, places))
        places[cases[-1].id] = where
    return PlacedCases(cases, [places[case.id] for case in cases])


def _located(rows: Iterable[Row], *, report: Report) -> Iterator[tuple[QaCase, str]]:
    for row in rows:
        try:
            yield _case(row), row.where
        except DataError as error:
            report(RowError(error.problem, error.fix, error.where, kind="bad_case"))


def write_cases(path: Path, cases: Sequence[QaCase]) -> None:
    """Write cases as JSON Lines that `read_cases` reads back unchanged.

    Raises:
        StoreError: The file could not be written; the old one is untouched.
    """
    write_atomic(path, "".join(_line(case) for case in cases))


def _line(case: QaCase) -> str:
    fields = asdict(case)
    if case.reviewed:  # what is usual is not said
        del fields["reviewed"]
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _known(name: str | None) -> CaseFormat | None:
    return next((kind for kind in FORMATS if kind == name), None)


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


def _rows(raw: bytes, kind: CaseFormat, path: Path, *, report: Report) -> Iterator[Row]:
    if kind == "parquet":
        yield from parquet_table(raw, path).rows
        return
    text = decode(raw, where=str(path))
    if kind == "jsonl":
        yield from json_lines(text, path, like=_LIKE, report=report)
    elif kind == "json":
        yield from json_array(text, path, like=_LIKE, report=report)
    else:
        delimiter = "\t" if kind == "tsv" else ","
        for fields, where in table_rows(text, path, delimiter=delimiter, report=report):
            read = {key: _cell(key, cell) for key, cell in fields.items()}
            yield Row(read, where)


def _cell(key: str, cell: str) -> object:
    """A cell; lists may be written as JSON."""
    if key in {"answers", "answer", "evidence"} and cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _case(row: Row) -> QaCase:
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
    answerable = _flag(fields, "answerable", where)
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
        reviewed=_flag(fields, "reviewed", where),
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


def _flag(fields: dict[str, Any], key: str, where: str) -> bool:
    """A yes or no; yes where nothing is said."""
    value = fields.get(key)
    if value is None or value == "":
        return True
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _wrong_kind(key, value, "true or false", where)


def _wrong_kind(key: str, value: object, wanted: str, where: str) -> DataError:
    return DataError(
        f"{key!r} is {type(value).__name__} {value!r:.60}",
        fix=f"make it {wanted}",
        where=where,
    )
