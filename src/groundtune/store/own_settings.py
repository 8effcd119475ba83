"""The person's own file of settings, `groundtune.toml`: its table `[protocol]`."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "groundtune.toml"
TABLE = "protocol"


def read_weights(path: Path) -> dict[str, Any]:
    """The table `[protocol]` as it stands; empty where the file has none.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot be read: {error}", fix="mend or remove it", where=str(path)
        ) from error
    if extra := sorted(tables.keys() - {TABLE}):
        raise ConfigError(
            f"unknown table or setting {extra[0]!r}",
            fix=f"settings of a comparison stand below a line [{TABLE}]",
            where=str(path),
        )
    found = tables.get(TABLE, {})
    if not isinstance(found, dict):
        raise ConfigError(
            f"{TABLE} is no table", fix=f"write a line [{TABLE}]", where=str(path)
        )
    return found
