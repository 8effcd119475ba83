"""Jobs that keep a knowledge base: look at it, make it anew, copy it, put it back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from groundtune.core.protocols import silent
from groundtune.recipes.ingest import open_embedding_model

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.config.splitter import SplitterSettings
    from groundtune.core.protocols import Embedder, Progress
    from groundtune.retrieve.maintenance import MaintenanceReport
    from groundtune.retrieve.rebuild import RebuildReport
    from groundtune.retrieve.snapshot import Snapshot
    from groundtune.retrieve.stamp import Stamp
    from groundtune.retrieve.states import DocumentState
    from groundtune.retrieve.verify import VerifyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBaseStatus:
    """What a knowledge base holds and what made it."""

    documents: int
    passages: int
    version: int
    bytes: int
    made_with: Stamp
    states: dict[str, int]
    """Documents in each state."""
    failed: tuple[DocumentState, ...]


def status(kb: Path) -> KnowledgeBaseStatus:
    """What a knowledge base holds, from the states of its documents.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.maintenance import folder_bytes
    from groundtune.retrieve.states import read_states

    base = KnowledgeBase.open(kb)
    states = read_states(kb).values()
    return KnowledgeBaseStatus(
        documents=len(base.documents()),
        passages=base.count,
        version=base.version,
        bytes=folder_bytes(kb),
        made_with=base.stamp,
        states=dict(Counter(state.state for state in states)),
        failed=tuple(state for state in states if state.state == "failed"),
    )


def verify(kb: Path, *, progress: Progress = silent) -> VerifyReport:
    """Compare everything in a knowledge base with what was written.

    Raises:
        StoreError: There is none, or its kb.json cannot be read.
    """
    from groundtune.retrieve.verify import verify as look

    return look(kb, progress=progress)


def rebuild(
    kb: Path,
    *,
    model: str | Embedder | None = None,
    target: int | None = None,
    maximum: int | None = None,
    splitter: SplitterSettings | None = None,
    progress: Progress = silent,
) -> RebuildReport:
    """Make the tables anew from the stored documents; the old ones serve until then.

    Args:
        kb: Folder of the knowledge base.
        model: Embedding model from now on; None: the one that made it.
        target: Tokens of a passage from now on; None: as before.
        maximum: Most tokens of a passage from now on; None: as before.
        splitter: All of the splitter's settings, in place of these two.
        progress: Told of each document.

    Raises:
        ConfigError: The lengths contradict each other.
        ModelLoadError: The model cannot be opened.
        StoreError: A stored document is damaged, or it cannot be written.
    """
    from groundtune.retrieve.rebuild import rebuild as build
    from groundtune.retrieve.snapshot import EMBEDDER
    from groundtune.retrieve.stamp import read_stamp
    from groundtune.store.folders import remove_folder

    before = read_stamp(kb, oldest=1)
    if splitter is None:
        target = target or before.splitter.target
        splitter = replace(
            before.splitter,
            target=target,
            maximum=maximum or max(before.splitter.maximum, target),
            minimum=min(before.splitter.minimum, target),
        )
    name = before.embedder.partition("@")[0] if model is None else model
    tuned = kb / EMBEDDER
    if model is None and tuned.is_dir():
        name = str(tuned)
    embedder = open_embedding_model(name, progress=progress)
    report = build(kb, embedder=embedder, splitter=splitter, progress=progress)
    is_other = report.after.embedder != before.embedder and name != str(tuned)
    if tuned.is_dir() and is_other:
        # The model that was tuned for this base does not fit it any more.
        aside = kb / f"{EMBEDDER}-before"
        remove_folder(aside)
        tuned.rename(aside)
    return report


def backup(kb: Path, to: Path, *, progress: Progress = silent) -> Snapshot:
    """Copy a knowledge base as it is now to a new folder; writers need not stop.

    Raises:
        StoreError: There is none, it is damaged, or `to` cannot be written.
    """
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.snapshot import backup as copy

    return copy(KnowledgeBase.open(kb), to, progress=progress)


def restore(
    snapshot: Path, kb: Path, *, replace_base: bool = False, progress: Progress = silent
) -> Snapshot:
    """Make a knowledge base, or put one back, from a backup or a tag.

    Raises:
        StoreError: The backup is damaged, or `kb` is in the way or cannot be written.
    """
    from groundtune.retrieve.restore import restore as put_back

    return put_back(snapshot, kb, replace_base=replace_base, progress=progress)


def tag(kb: Path, name: str) -> Snapshot:
    """Keep the version of now under a name; no clean-up takes it away.

    Raises:
        ConfigError: The name has signs that a tag may not have.
        StoreError: The name is taken, or the disk refuses.
    """
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.snapshot import tag as keep

    return keep(KnowledgeBase.open(kb), name)


def tags(kb: Path) -> dict[str, Snapshot]:
    """The tags of a knowledge base.

    Raises:
        StoreError: There is no knowledge base, or a tag is damaged.
    """
    from groundtune.retrieve.snapshot import tags as listed
    from groundtune.retrieve.stamp import read_stamp

    read_stamp(kb)
    return listed(kb)


def untag(kb: Path, name: str) -> None:
    """Let a tag go.

    Raises:
        StoreError: There is none of this name.
    """
    from groundtune.retrieve.snapshot import untag as drop

    drop(kb, name)


def maintain(kb: Path, *, progress: Progress = silent) -> MaintenanceReport:
    """Join small files, refresh indices, delete old versions, check the indices.

    Raises:
        StoreError: There is none, another process writes, or the disk refuses.
    """
    from groundtune.retrieve.index import KnowledgeBase
    from groundtune.retrieve.maintenance import maintain as run

    return run(KnowledgeBase.open(kb), progress=progress)
