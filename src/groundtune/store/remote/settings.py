"""The person's own file of endpoints: settings and prices by URL, and by URL#NAME."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from groundtune.config.endpoint import RemoteModel, parse_remote
from groundtune.core.errors import ConfigError

VARIABLE = "GROUNDTUNE_ENDPOINTS"
FILE = "endpoints.toml"


def endpoints_file() -> Path:
    """Where the file is looked for: named by the environment, or the usual place."""
    # Read here, because recipes, child processes and tests open models by name alone.
    if named := os.environ.get(VARIABLE, ""):  # noqa: TID251 (reason above)
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("groundtune") / FILE


def open_remote_model(spec: str, *, file: Path | None = None) -> RemoteModel:
    """Read `URL#NAME` with the settings that the person keeps for it.

    Args:
        spec: As `config.endpoint.parse_remote` takes it.
        file: A table by URL and URL#NAME; None: the person's own, if there is one.

    Raises:
        ConfigError: The name, the file or a setting is wrong.
    """
    return parse_remote(spec, _read_table(file or endpoints_file()))


def _read_table(file: Path) -> dict[str, dict[str, Any]]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot be read: {error}", fix="mend or remove it", where=str(file)
        ) from error
    for name, settings in table.items():
        if not isinstance(settings, dict):
            raise ConfigError(
                "a setting stands outside of any endpoint",
                fix='begin with a line such as ["http://localhost:8000/v1"]',
                where=str(file),
            )
        # An address is written as `parse_remote` writes it, or it would never match.
        usual = parse_remote(name if "#" in name else f"{name}#any")
        if name not in {usual.url, usual.spec}:
            raise ConfigError(
                "an address is not written as it is read",
                fix=f"write {usual.spec if '#' in name else usual.url}",
                where=str(file),
            )
    return table
