"""The settings chosen for a knowledge base, in its retrieval.json.

`optimize` writes the file; search, ask and compare read it unless they are told
otherwise. What the settings mean is in `config.retrieval`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.store.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTINGS = "retrieval.json"


def read_settings(kb_path: Path) -> RetrievalSettings:
    """The settings that were chosen for a knowledge base; the defaults if none were.

    Raises:
        ConfigError: The file is damaged, or holds a setting that is unknown here or
            out of range.
    """
    file = kb_path / SETTINGS
    if not file.exists():
        return RetrievalSettings()
    try:
        return RetrievalSettings(**read_json(file)["settings"])
    except ConfigError:
        raise
    except (DataError, KeyError, TypeError) as error:
        raise ConfigError(
            f"the chosen retrieval settings cannot be read: {error}",
            fix="choose them again with groundtune optimize, or delete the file",
            where=str(file),
        ) from error


def chosen_settings(kb_path: Path, **changes: Any) -> RetrievalSettings:  # noqa: ANN401 (values of settings)
    """The settings chosen for a knowledge base, with some of them changed.

    Args:
        kb_path: Its folder.
        changes: Settings by name; None leaves a setting as it was chosen.

    Raises:
        ConfigError: The chosen settings are damaged, or a change is out of range.
    """
    chosen = read_settings(kb_path)
    wanted = {name: value for name, value in changes.items() if value is not None}
    if "k" in wanted:
        wanted["candidates"] = max(chosen.candidates, wanted["k"])
    return replace(chosen, **wanted)


def write_settings(
    kb_path: Path, settings: RetrievalSettings, *, why: Mapping[str, Any]
) -> None:
    """Keep settings with a knowledge base, and what speaks for them.

    Args:
        kb_path: Folder of the knowledge base.
        settings: What searches of it use from now on.
        why: JSON types: the cases, scores and intervals of the choice.

    Raises:
        StoreError: It cannot be written.
    """
    record = {"settings": asdict(settings), "why": dict(why)}
    write_json(kb_path / SETTINGS, record)
