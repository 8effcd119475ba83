"""Parquet files and the folders of Hugging Face `datasets` to rows.

Classes that are stored as numbers come out as their names where the file holds them.
pyarrow is imported when it is needed: it takes its time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.core.errors import DataError
from groundtune.data.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PARQUET_MAGIC = b"PAR1"
_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_METADATA_KEY = b"huggingface"


class Table(NamedTuple):
    """Rows, and the columns whose numbers stand for names."""

    rows: Iterator[Row]
    class_names: dict[str, tuple[str, ...]]


def parquet_table(raw: bytes, path: Path) -> Table:
    """Rows of a Parquet file.

    Raises:
        DataError: It is none, or damaged.
    """
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
    names = _names_in_schema(table.schema)
    return Table(_rows([(table, str(path))], names), names)


def folder_table(path: Path) -> Table:
    """Rows of a folder that `save_to_disk` wrote, or of Parquet files side by side.

    Raises:
        DataError: It is neither, damaged, or holds several splits.
    """
    if (path / _SPLITS).is_file():
        found = _read_object(path / _SPLITS).get("splits")
        splits = (
            [str(name) for name in cast("list[Any]", found)]
            if isinstance(found, list)
            else []
        )
        raise DataError(
            f"a data set of {len(splits)} splits: {', '.join(splits) or 'none'}",
            fix=f"name one of them, such as {path / (splits or ['train'])[0]}",
            where=str(path),
        )
    if (path / _STATE).is_file():
        return _saved(path)
    files = sorted(path.glob("*.parquet"))
    if not files:
        raise DataError(
            "a folder without a data set in it",
            fix="name a file, or a folder that save_to_disk wrote",
            where=str(path),
        )
    tables = [parquet_table(file.read_bytes(), file) for file in files]
    rows = (row for table in tables for row in table.rows)
    return Table(rows, tables[0].class_names)


def _saved(path: Path) -> Table:
    import pyarrow as pa

    state = _read_object(path / _STATE)
    listed = cast("list[Any]", state.get("_data_files") or [])
    names = [str(cast("dict[str, Any]", entry).get("filename")) for entry in listed]
    parts: list[tuple[Any, str]] = []
    for name in names:
        file = path / name
        if file.parent != path:
            raise DataError(
                f"{_STATE} names {name!r}, which is not in the folder",
                fix="save the data set again with save_to_disk",
                where=str(path),
            )
        try:
            with pa.memory_map(str(file)) as source:
                parts.append((pa.ipc.open_stream(source).read_all(), str(file)))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"not a readable Arrow file: {error}",
                fix="save the data set again with save_to_disk",
                where=str(file),
            ) from error
    if not parts:
        raise DataError(
            "a data set without files",
            fix="save the data set again with save_to_disk",
            where=str(path),
        )
    info = _read_object(path / _INFO) if (path / _INFO).is_file() else {}
    features: Any = info.get("features")
    known = _names_in_features(features) or _names_in_schema(parts[0][0].schema)
    if state.get("_indices_data_files"):
        raise DataError(
            "the data set was filtered or shuffled, and its rows are not written out",
            fix="call flatten_indices() before save_to_disk",
            where=str(path),
        )
    return Table(_rows(parts, known), known)


def _rows(
    parts: Sequence[tuple[Any, str]], names: Mapping[str, tuple[str, ...]]
) -> Iterator[Row]:
    for table, label in parts:
        number = 0
        for batch in table.to_batches():
            for raw in batch.to_pylist():
                number += 1
                fields = {
                    key: _named(value, names[key]) if key in names else value
                    for key, value in raw.items()
                }
                yield Row(fields, f"{label}: row {number}")


def _named(value: object, names: Sequence[str]) -> object:
    """A class number as its name, also inside a list; others unchanged."""
    if isinstance(value, list):
        return [_named(item, names) for item in cast("list[object]", value)]
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value


def _names_in_schema(schema: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 (pyarrow has no types)
    raw = (schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        return {}
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    info = cast("dict[str, Any]", value).get("info") if isinstance(value, dict) else {}
    return _names_in_features(cast("dict[str, Any]", info or {}).get("features"))


def _names_in_features(features: object) -> dict[str, tuple[str, ...]]:
    """Names of the columns that are declared as classes, or as lists of them."""
    found: dict[str, tuple[str, ...]] = {}
    if not isinstance(features, dict):
        return found
    for key, declared in cast("dict[str, Any]", features).items():
        feature = declared
        while isinstance(feature, dict):
            entry = cast("dict[str, Any]", feature)
            if entry.get("_type") == "ClassLabel" and entry.get("names"):
                names = cast("list[Any]", entry["names"])
                found[key] = tuple(str(name) for name in names)
                break
            feature = entry.get("feature")
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"not readable: {error}",
            fix="save the data set again with save_to_disk",
            where=str(path),
        ) from error
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
