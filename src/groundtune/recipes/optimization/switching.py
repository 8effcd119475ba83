"""Another base in the place of the one in service: built beside it, then exchanged.

For whatever changes every vector or every passage: another embedder, another size of
passages. Until the exchange the old base answers, and it is kept afterwards.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, overload

from groundtune.core.errors import StoreError
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.query_adapter import QUERY_ADAPTERS
from groundtune.retrieve.stamp import LOCK, STAMP, read_stamp
from groundtune.retrieve.states import STATES
from groundtune.store.exchange import exchange_folders
from groundtune.store.files import explained, write_lock
from groundtune.store.folders import remove_folder

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Embedder, Progress

EMBEDDER = "embedder"
"""Folder inside a knowledge base that holds the model tuned for it."""

_TAKEN_ALONG = ("retrieval.json", "optimize", EMBEDDER, QUERY_ADAPTERS)
"""What stands in a base beside its passages and belongs to the base that follows."""


@overload
def embedder_of(kb: Path, model: str) -> str: ...
@overload
def embedder_of(kb: Path, model: str | Embedder) -> str | Embedder: ...
def embedder_of(kb: Path, model: str | Embedder) -> str | Embedder:
    """The embedder to open for a base: the one tuned for it, where it has one.

    A model that the caller names by something else than the default is the caller's.
    """
    tuned = kb / EMBEDDER
    return str(tuned) if model == DEFAULT_EMBEDDER and tuned.is_dir() else model


def build_beside(
    base: KnowledgeBase,
    to: Path,
    *,
    embedder: Embedder,
    splitter: SplitterSettings,
    progress: Progress,
) -> KnowledgeBase:
    """Build the documents of `base` again in the folder `to`, or bring `to` up to date.

    Raises:
        StoreError: The disk refuses, or a document does not go in.
    """
    if (to / STAMP).exists():
        stamp = read_stamp(to)
        # Left by a run that was stopped, and made of something else.
        if (stamp.embedder, stamp.splitter) != (embedder.name, splitter):
            remove_folder(to)
    made = KnowledgeBase.create_or_open(to, embedder=embedder, splitter=splitter)
    _bring_up_to_date(base, made, progress)
    return made


def put_into_service(
    base: KnowledgeBase, made: KnowledgeBase, *, progress: Progress
) -> Path:
    """Put `made` into the place of `base`; return where the old base is kept.

    One atomic step where the system has it: at any moment a whole base is there.
    Nobody writes to the old one meanwhile, and what was written to it since `made`
    was built goes into `made` first. Versions tagged in the old base stay in it.

    Raises:
        StoreError: Another process is writing, or the folders cannot be exchanged;
            the old base is in service.
    """
    kb = base.path
    old = kb.with_name(f"{kb.name}-before")
    with write_lock(kb / LOCK):
        base.refresh()
        _bring_up_to_date(base, made, progress)
        remove_folder(old)
        with explained(kb):
            for name in _TAKEN_ALONG:
                _copy(kb / name, made.path / name)
            if (kb / STATES).exists():
                # Where documents came from, and what could not be read, stays known.
                shutil.copy2(kb / STATES, made.path / STATES)
        exchange_folders(made.path, kb)
        with explained(kb):
            made.path.rename(old)
    return old


def _bring_up_to_date(
    base: KnowledgeBase, made: KnowledgeBase, progress: Progress
) -> None:
    stored = base.documents()

    def shown(label: str, done: int, _: int | None) -> None:
        progress(f"new base: {label}", done, len(stored) if label == "ingest" else None)

    report = made.update(
        (base.document(known.id) for known in stored),
        delete_missing=True,
        progress=shown,
    )
    if report.failed:
        name, reason = report.failed[0]
        raise StoreError(
            f"{len(report.failed)} documents do not go into the new base: {reason}",
            fix="the base in service stands as it was; ingest the document again",
            where=name,
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder, unless it is not there or the target is."""
    if target.exists() or not source.exists():
        return
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
