"""Files of records to rows: JSON Lines, JSON arrays and tables.

What a field means is for the callers to know. A row that cannot be read is handed to
`report`. The usual one raises it; the doctor's keeps it and goes on, so that a person
sees everything that is wrong at once.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from groundtune.core.errors import DataError
from groundtune.data.read_text import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_BYTES = 1 << 30
"""Unpacked: a labelled file is read as a whole."""


class Row(NamedTuple):
    """One record of a file."""

    fields: dict[str, Any]
    where: str
    """File and line, as an error names it."""


class RowError(DataError):
    """One row that cannot become a case, with the column that is at fault."""

    def __init__(
        self, problem: str, fix: str, where: str = "", column: str = "", kind: str = ""
    ) -> None:
        super().__init__(problem, fix, where)
        # args mirror the fields, so the error survives pickling between workers.
        self.args = (problem, fix, where, column, kind)
        self.column = column
        """Empty where the row as a whole is at fault."""
        self.kind = kind or "unreadable_row"
        """Such as `empty_text`; stable, so that reports and tests can name it."""


if TYPE_CHECKING:
    Report = Callable[[RowError], None]


def refuse(error: RowError) -> NoReturn:
    """The report that stops at the first row that cannot be read."""
    raise error


def load_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are gzip.

    Raises:
        DataError: It cannot be read, or is larger than a labelled file may be.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            error.strerror or str(error), fix="check the path", where=str(path)
        ) from error
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            unpacked = stream.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"not readable as gzip: {error}",
            fix="fetch or pack the file again",
            where=str(path),
        ) from error
    if len(unpacked) > _MAX_BYTES:
        raise DataError(
            f"unpacks to more than {_MAX_BYTES >> 20} MiB",
            fix="split it into smaller files",
            where=str(path),
        )
    return unpacked


class Decoded(NamedTuple):
    """Text of a file, and how its bytes were understood."""

    text: str
    encoding: str


def decode_labelled(raw: bytes, *, where: str) -> Decoded:
    """Decode a labelled file: UTF-8, else the Western single-byte encoding.

    Old data sets are Latin-1. A file that holds UTF-8 *and* bytes that are not is
    refused: half of it would come out wrong.

    Raises:
        DataError: A mixture of encodings, a NUL character, or nothing at all.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            return Decoded(decode(raw, where=where), "utf-16")
        line = raw.count(b"\n", 0, error.start) + 1
        if _has_wide_utf8(raw):
            raise DataError(
                f"byte {error.start} is not UTF-8, though other lines are",
                fix="write this line again as UTF-8",
                where=f"{where}:{line}",
            ) from error
        # 0x80 to 0x9f are control characters in Latin-1, quotes and dashes in cp1252.
        is_windows = any(0x80 <= byte <= 0x9F for byte in raw)
        encoding = "cp1252" if is_windows else "latin-1"
        text = raw.decode(encoding, errors="replace")
        return Decoded(decode(text.encode(), where=where), encoding)
    if (nul := raw.find(b"\0")) >= 0:
        line = raw.count(b"\n", 0, nul) + 1
        raise DataError(
            "holds a NUL character",
            fix="remove it, or write the file again as UTF-8 text",
            where=f"{where}:{line}",
        )
    return Decoded(decode(raw, where=where), "utf-8")


def _has_wide_utf8(raw: bytes) -> bool:
    """Whether some characters beyond ASCII are written as UTF-8."""
    kept = raw.decode("utf-8", errors="ignore")
    return not kept.isascii()


def json_lines(
    text: str, path: Path, *, like: str, report: Report = refuse
) -> Iterator[Row]:
    """One object a line; blank lines are passed over.

    Args:
        text: The whole file.
        path: The file, as an error names it.
        like: A row as it should be, for error messages.
        report: Told about each line that is no object.
    """
    # Not splitlines: a JSON string may hold U+2028, which that takes for a line end.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            report(
                RowError(
                    f"not JSON at column {error.colno}: {error.msg}",
                    "correct or delete this line: each line is one JSON object",
                    where,
                    kind="not_json",
                )
            )
        except (RecursionError, ValueError):
            report(_not_object(where, like))
        else:
            yield from _object_row(value, where, like=like, report=report)


def json_array(
    text: str, path: Path, *, like: str, report: Report = refuse
) -> Iterator[Row]:
    """Objects of one JSON array, or of the one array that an object holds.

    Raises:
        DataError: The file is not JSON, or holds no array of objects.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON at column {error.colno}: {error.msg}",
            fix="correct this line: the file is one JSON array of objects",
            where=f"{path}:{error.lineno}",
        ) from error
    except (RecursionError, ValueError) as error:
        raise _not_object(str(path), like) from error
    name = ""
    if isinstance(values, dict):
        inside = cast("dict[str, Any]", values)
        lists = [key for key, value in inside.items() if isinstance(value, list)]
        if len(lists) == 1:
            name = f".{lists[0]}"
            values = inside[lists[0]]
    if not isinstance(values, list):
        raise DataError(
            "not a JSON array",
            fix="write [{...}, {...}], or one object a line and --format jsonl",
            where=str(path),
        )
    for number, value in enumerate(cast("list[Any]", values)):
        where = f"{path}{name}[{number}]"
        yield from _object_row(value, where, like=like, report=report)


def _object_row(
    value: object, where: str, *, like: str, report: Report
) -> Iterator[Row]:
    if isinstance(value, dict):
        yield Row(cast("dict[str, Any]", value), where)
    else:
        report(_not_object(where, like))


def _not_object(where: str, like: str) -> RowError:
    return RowError("not a JSON object", f"write {like}", where, kind="not_json")


def table_rows(
    text: str,
    path: Path,
    *,
    delimiter: str,
    has_quotes: bool = True,
    report: Report = refuse,
) -> Iterator[Row]:
    """Rows of a table under its header line; empty lines are passed over.

    Args:
        text: The whole file.
        path: The file, as an error names it.
        delimiter: The character between cells.
        has_quotes: Whether a quote at the beginning of a cell encloses it.
        report: Told about each row that does not fit the header.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE,
        strict=True,
    )
    header: list[str] = []
    line = 1
    while True:
        where = f"{path}:{line}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = max(reader.line_num, line) + 1
            report(
                RowError(
                    f"not readable as a table: {error}",
                    "check the quotes, and double each quote inside a quoted cell",
                    where,
                    kind="broken_quotes",
                )
            )
            continue
        # A quoted cell may span lines: the row begins where the last one ended.
        line = reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(cells, where)
            continue
        if len(cells) != len(header):
            report(
                RowError(
                    f"{len(cells)} cells, the header has {len(header)}",
                    "quote cells that hold the separator or a line end",
                    where,
                    kind="wrong_cells",
                )
            )
            continue
        yield Row(dict(zip(header, cells, strict=True)), where)


def _header(cells: Sequence[str], where: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated and repeated[0]:
        raise DataError(
            f"two columns are named {repeated[0]!r}",
            fix="give every column a name of its own",
            where=where,
        )
    return names
