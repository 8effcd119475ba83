"""Making a knowledge base, and what stands in its kb.json.

A stamp says what made a knowledge base and which of its folders of tables is in
service, so that nobody searches it with another embedder and a rebuild takes effect in
one step. Reading and writing passages is in `index`.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.config.splitter import SPLITTER_VERSION, SplitterSettings
from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.data.formats import READER_VERSION
from groundtune.retrieve.durable import Barrier, engine_errors
from groundtune.retrieve.ledger import FIRST_TABLES, Ledger
from groundtune.retrieve.schema import TERMS, table_schema
from groundtune.retrieve.words import ANALYSIS_VERSION
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

FORMAT = 2
"""Bump when the layout changes; `rebuild` takes older ones over."""

NORMALISATION = "l2"
"""What `core.protocols.Embedder` promises of every vector."""

STAMP, LEDGER, LOCK, TABLE = "kb.json", "ledger.jsonl", ".writer", "passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What made a knowledge base; content of kb.json."""

    format: int = FORMAT
    embedder: str
    dim: int
    normalisation: str = NORMALISATION
    splitter: SplitterSettings
    parser: int = READER_VERSION
    """Version of the readers that the documents went through."""
    analysis: str = ANALYSIS_VERSION
    """Version of the way in which texts become terms."""
    tables: str = FIRST_TABLES
    """Folder of tables that is in service."""


def check_embedder(stamp: Stamp, embedder: Embedder, *, where: Path) -> None:
    """Refuse an embedder whose vectors do not compare with those stored.

    Raises:
        StoreError: Another embedder made the knowledge base.
    """
    if (stamp.embedder, stamp.dim) != (embedder.name, embedder.dim):
        problem = (
            f"made by the embedder {stamp.embedder} ({stamp.dim} dimensions), now "
            f"asked for {embedder.name} ({embedder.dim})"
        )
        if embedder.name == f"{stamp.embedder}-int8":
            raise StoreError(
                f"{problem}: an older groundtune computed the vectors in another way",
                fix=f"groundtune kb rebuild {where}",
                where=str(where),
            )
        name = embedder.name.partition("@")[0]
        raise StoreError(
            problem,
            fix=f"name what made it, or change it over: groundtune kb rebuild {where} "
            f"--embedder {name}",
            where=str(where),
        )


def check_versions(stamp: Stamp, *, where: Path, writing: bool) -> None:
    """Refuse a knowledge base that an older groundtune made in another way.

    Args:
        stamp: Its stamp.
        where: Its folder.
        writing: Also refuse what only a writer would mix up.

    Raises:
        StoreError: It has to be rebuilt first.
    """
    made: dict[str, tuple[object, object]] = {
        "normalisation": (stamp.normalisation, NORMALISATION)
    }
    made["analysis of words, version"] = (stamp.analysis, ANALYSIS_VERSION)
    if writing:
        made["splitter, version"] = (stamp.splitter.version, SPLITTER_VERSION)
        made["readers of documents, version"] = (stamp.parser, READER_VERSION)
    for what, (then, now) in made.items():
        if then != now:
            raise StoreError(
                f"made with the {what} {then!r}; this groundtune has {now!r}",
                fix=f"groundtune kb rebuild {where}",
                where=str(where),
            )


def check_splitter(stamp: Stamp, splitter: SplitterSettings, *, where: Path) -> None:
    """Refuse to mix passages that were cut in different ways.

    Raises:
        StoreError: Another splitter made the knowledge base.
    """
    if stamp.splitter != splitter:
        raise StoreError(
            f"made with {_brief(stamp.splitter)}, now asked for {_brief(splitter)}",
            fix=f"leave the splitter as it is, or change it over: groundtune kb "
            f"rebuild {where} --target {splitter.target} --maximum {splitter.maximum}",
            where=str(where),
        )


def _brief(splitter: SplitterSettings) -> str:
    values = ", ".join(f"{name} {value}" for name, value in asdict(splitter).items())
    return f"the splitter ({values})"


def connect(path: Path, tables: str = FIRST_TABLES) -> Any:  # noqa: ANN401 (a LanceDB connection)
    """The database of a knowledge base."""
    import lancedb

    return lancedb.connect(str(path / tables))


def build_text_index(table: Any) -> None:  # noqa: ANN401 (a LanceDB table)
    """Make the BM25 index over all passages, in place of the one that was there."""
    from lancedb.index import FTS

    # The column holds finished terms: nothing is left for the engine to change.
    config = FTS(
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        with_position=False,
    )
    table.create_index(TERMS, config=config, replace=True)


def create_tables(path: Path, stamp: Stamp) -> None:
    """Make empty tables in the folder that the stamp names, durable and in the ledger.

    Raises:
        StoreError: The disk refuses.
    """
    folder = path / stamp.tables
    with explained(path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    with engine_errors(path):
        table = connect(path, stamp.tables).create_table(
            TABLE, schema=table_schema(stamp.dim)
        )
        table.set_unenforced_primary_key("id")
        build_text_index(table)
        version = int(table.version)
    Ledger.begin(
        path / LEDGER,
        tables=stamp.tables,
        version=version,
        root=folder,
        files=Barrier(folder).sync(),
    )


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
            create_tables(made, stamp)
            write_json(made / STAMP, asdict(stamp))
            made.rename(path)
            sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        finally:
            path.with_name(f".{path.name}.lock").unlink(missing_ok=True)


def create_if_missing(
    path: Path, *, embedder: Embedder, splitter: SplitterSettings | None
) -> Stamp:
    """Make an empty knowledge base where none is, and return what made it.

    Args:
        path: Its folder.
        embedder: What makes the vectors.
        splitter: How documents are cut; None: as they were, or the defaults.

    Raises:
        StoreError: Another embedder, splitter or version made it, the folder holds
            something else, or the disk refuses.
    """
    if not (path / STAMP).exists():
        made_with = splitter or SplitterSettings()
        _create(
            path,
            Stamp(embedder=embedder.name, dim=embedder.dim, splitter=made_with),
        )
    stamp = read_stamp(path)
    check_embedder(stamp, embedder, where=path)
    check_versions(stamp, where=path, writing=True)
    if splitter is not None:
        check_splitter(stamp, splitter, where=path)
    return stamp


def read_stamp(path: Path, *, oldest: int = FORMAT) -> Stamp:
    """Read kb.json.

    Args:
        path: Folder of the knowledge base.
        oldest: The oldest layout that the caller can deal with.

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
        raw = dict(read_json(file))
        if not oldest <= int(raw["format"]) <= FORMAT:
            raise StoreError(
                f"layout {raw['format']}, this groundtune reads layout {FORMAT}",
                fix=f"groundtune kb rebuild {path}"
                if int(raw["format"]) < FORMAT
                else "use the groundtune that made it, or ingest again elsewhere",
                where=str(path),
            )
        raw["splitter"] = SplitterSettings(**raw["splitter"])
        return Stamp(**raw)
    except (
        ConfigError,
        DataError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:
        raise StoreError(
            f"kb.json is damaged: {error}",
            fix=f"take it from a backup again: groundtune kb restore BACKUP {path}",
            where=str(file),
        ) from error
