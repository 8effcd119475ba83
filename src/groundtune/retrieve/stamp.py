"""Making a knowledge base, and what stands in its kb.json.

A stamp says which embedder and splitter made a knowledge base, so that nobody searches
it with another. Reading and writing passages is in `index`.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import DataError, StoreError
from groundtune.retrieve.durable import Barrier, engine_errors
from groundtune.retrieve.schema import table_schema
from groundtune.store.files import (
    explained,
    read_json,
    sync_folder,
    write_json,
    write_lock,
)

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Embedder

FORMAT = 1
"""Bump when the layout changes; an older groundtune then refuses a newer folder."""

STAMP, LEDGER, LOCK, TABLE = "kb.json", "ledger.jsonl", ".writer", "passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What made a knowledge base; content of kb.json."""

    format: int
    embedder: str
    dim: int
    splitter: SplitterSettings


def check_embedder(stamp: Stamp, embedder: Embedder, *, where: Path) -> None:
    """Refuse an embedder whose vectors do not compare with those stored.

    Raises:
        StoreError: Another embedder made the knowledge base.
    """
    if (stamp.embedder, stamp.dim) != (embedder.name, embedder.dim):
        raise StoreError(
            f"made by the embedder {stamp.embedder} ({stamp.dim} dimensions), now "
            f"asked for {embedder.name} ({embedder.dim})",
            fix=_other_folder(where),
            where=str(where),
        )


def _other_folder(path: Path) -> str:
    return (
        f"use what made it, or make a new one: groundtune ingest PATH --kb {path}-new"
    )


def _brief(splitter: SplitterSettings) -> str:
    values = ", ".join(f"{name} {value}" for name, value in asdict(splitter).items())
    return f"the splitter ({values})"


def connect(path: Path) -> Any:  # noqa: ANN401 (a LanceDB connection)
    """The database of a knowledge base."""
    import lancedb

    return lancedb.connect(str(path / "lance"))


def build_text_index(table: Any) -> None:  # noqa: ANN401 (a LanceDB table)
    """Make the BM25 index over all passages, in place of the one that was there."""
    from lancedb.index import FTS

    # Stop words stay: "who", "when" and "not" tell passages apart.
    config = FTS(stem=True, remove_stop_words=False, with_position=False)
    table.create_index("search_text", config=config, replace=True)


def _create(path: Path, stamp: Stamp) -> None:
    """Make an empty knowledge base beside `path`, then move it there in one step."""
    with explained(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StoreError(
                "it is not empty and is not a knowledge base",
                fix="name a new folder with --kb",
                where=str(path),
            )
        path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.new")
    with write_lock(path.with_name(f".{path.name}.lock")), explained(path):
        if (path / STAMP).exists():
            return
        # Left by a creation that was killed.
        shutil.rmtree(made, ignore_errors=True)
        try:
            (made / "documents").mkdir(parents=True)
            with engine_errors(path):
                table = connect(made).create_table(
                    TABLE, schema=table_schema(stamp.dim)
                )
                table.set_unenforced_primary_key("id")
                build_text_index(table)
            Barrier(made / "lance").sync()
            write_json(made / STAMP, asdict(stamp))
            made.rename(path)
            sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        finally:
            path.with_name(f".{path.name}.lock").unlink(missing_ok=True)


def create_if_missing(
    path: Path, *, embedder: Embedder, splitter: SplitterSettings
) -> Stamp:
    """Make an empty knowledge base where none is, and return what made it.

    Raises:
        StoreError: Another embedder or splitter made it, the folder holds something
            else, or the disk refuses.
    """
    if not (path / STAMP).exists():
        stamp = Stamp(
            format=FORMAT, embedder=embedder.name, dim=embedder.dim, splitter=splitter
        )
        _create(path, stamp)
    stamp = read_stamp(path)
    check_embedder(stamp, embedder, where=path)
    if stamp.splitter != splitter:
        raise StoreError(
            f"made with {_brief(stamp.splitter)}, now asked for {_brief(splitter)}",
            fix=_other_folder(path),
            where=str(path),
        )
    return stamp


def read_stamp(path: Path) -> Stamp:
    """Read kb.json.

    Raises:
        StoreError: There is none, it is damaged, or of another layout.
    """
    file = path / STAMP
    if not file.exists():
        raise StoreError(
            "no knowledge base here",
            fix=f"make one: groundtune ingest PATH --kb {path}",
            where=str(path),
        )
    try:
        raw = read_json(file)
        if raw["format"] != FORMAT:
            raise StoreError(
                f"layout {raw['format']}, this groundtune reads layout {FORMAT}",
                fix="ingest again into a new folder, or change the version",
                where=str(path),
            )
        return Stamp(
            format=raw["format"],
            embedder=raw["embedder"],
            dim=raw["dim"],
            splitter=SplitterSettings(**raw["splitter"]),
        )
    except (DataError, KeyError, TypeError) as error:
        raise StoreError(
            f"kb.json is damaged: {error}",
            fix="restore the file from a copy, or delete the folder and ingest again",
            where=str(file),
        ) from error
