"""The models that are known by name: listing them and fetching one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.core.protocols import silent
from groundtune.store.catalog import CATALOG, ModelKind, catalog_entry
from groundtune.store.download import default_cache
from groundtune.store.models import ModelFolder, cached_folder, is_cached, open_model

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model of the catalog, as `groundtune models` shows it."""

    name: str
    kind: ModelKind
    description: str
    licence: str
    """SPDX identifier of the weights' licence."""
    source: str
    """Project and version on the package index."""
    sha256: str
    """Of the weights as they are published."""
    megabytes: float
    """Size of the download, in millions of bytes."""
    cached: bool
    """Whether it is on this machine."""
    path: str
    """Its folder; empty where it is not here."""


def models(*, cache: Path | None = None) -> list[ListedModel]:
    """Say what can be used by name, from where, and under which licence."""
    root = cache or default_cache()
    listed: list[ListedModel] = []
    for entry in CATALOG.values():
        here = is_cached(entry, cache=root)
        listed.append(
            ListedModel(
                name=entry.name,
                kind=entry.kind,
                description=entry.description,
                licence=entry.licence,
                source=f"{entry.project} {entry.version}",
                sha256=entry.weights_sha256,
                megabytes=round(entry.wheel_bytes / 1e6, 1),
                cached=here,
                path=str(cached_folder(entry, cache=root)) if here else "",
            )
        )
    return listed


def pull(
    name: str,
    *,
    progress: Progress = silent,
    cache: Path | None = None,
    index: str | None = None,
) -> ModelFolder:
    """Fetch a model of the catalog, so that it works without a network afterwards.

    Raises:
        ModelLoadError: The catalog has no such name.
        DownloadError: It could not be fetched as pinned.
        StoreError: The cache cannot be written.
    """
    entry = catalog_entry(name)
    return open_model(
        name, kind=entry.kind, cache=cache, progress=progress, index=index
    )
