"""Single settings changed by name, as a person writes them: `epochs=3`."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_Settings = TypeVar("_Settings")


def changed(
    settings: _Settings,
    changes: Mapping[str, str],
    *,
    where: str,
    fixed: Collection[str] = (),
) -> _Settings:
    """Settings, a dataclass, with some fields as a person wrote them.

    Args:
        settings: What to change.
        changes: Name to value, as text.
        where: How an error names the settings, such as `train`.
        fixed: Fields that are not for a person to change.

    Raises:
        ConfigError: No such setting, or not a value of its kind.
    """
    plain: Any = settings
    names = {field.name for field in fields(plain)} - set(fixed)
    values: dict[str, Any] = {}
    for name, text in changes.items():
        if name not in names:
            raise ConfigError(
                f"unknown setting {name!r}",
                fix=f"use one of {', '.join(sorted(names))}",
                where=f"{where}.{name}",
            )
        values[name] = _read(name, text, like=getattr(plain, name), where=where)
    return replace(plain, **values)


def _read(name: str, text: str, *, like: object, where: str) -> object:
    """The value that a text stands for, of the kind of the one that stands there."""
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, int):
            return int(text)
        if isinstance(like, float):
            return float(text)
    except (KeyError, ValueError) as error:
        kind = "true or false" if isinstance(like, bool) else "a number"
        raise ConfigError(
            f"{name} is {text!r}",
            fix=f"write {kind}, such as {str(like).lower()}",
            where=f"{where}.{name}",
        ) from error
    return text
