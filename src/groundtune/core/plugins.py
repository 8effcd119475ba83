"""Finding a part by name through entry points: ours and a stranger's alike.

Looking a name up imports nothing but the part that was asked for.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from groundtune.core.errors import MissingExtraError, UnknownPluginError


def plugin_names(group: str) -> list[str]:
    """Names registered in `group`, such as `groundtune.engines`; sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load_plugin(group: str, name: str) -> Any:  # noqa: ANN401 (typed by the caller)
    """Load what is registered as `name` in `group`.

    Raises:
        UnknownPluginError: Nothing is registered under that name.
        MissingExtraError: It is registered, but its dependencies are absent.
    """
    known = {entry.name: entry for entry in entry_points(group=group)}
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownPluginError(
            f"no {group.removeprefix('groundtune.')} entry named {name!r}",
            fix=f"{hint}installed: {', '.join(sorted(known)) or 'none'}",
        )
    entry = known[name]
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        package = entry.dist.name if entry.dist else "the package that registers it"
        raise MissingExtraError(
            f"{name!r} from {package} needs the module {error.name!r}",
            fix=f"install {package} with the extra that its documentation names",
        ) from error
