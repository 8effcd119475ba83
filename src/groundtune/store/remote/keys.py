"""The key of an endpoint: where it comes from, and that it goes nowhere else.

A key is held as a `Secret` from where it is read to where it becomes a header.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.config.endpoint import RemoteModel

OUR_KEY = "GROUNDTUNE_API_KEY"
"""Sent to whatever endpoint the person names."""
HOST_KEYS = {
    "api.openai.com": "OPENAI_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
}
"""Sent to one host alone."""
SERVICE = "groundtune"
"""Under which the keyring keeps keys; the name of the user is the host."""

_HIDDEN = "***"
_SHORTEST_HIDDEN = 8
"""Shorter keys, such as the `none` of a local server, stand in any text by chance."""


class Secret:
    """A key that shows itself to nobody: not in a repr, a text, a pickle or a copy."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ConfigError(
                "the key holds characters that no key can",
                fix="set it again, without quotes and line ends",
                where="key",
            )
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the header."""
        return self._value

    def hide(self, text: str) -> str:
        """The text without the key: endpoints quote what they refuse."""
        is_long = len(self._value) >= _SHORTEST_HIDDEN
        return text.replace(self._value, _HIDDEN) if is_long else text

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        msg = "a key is not written down"
        raise TypeError(msg)


def find_key(
    remote: RemoteModel, environment: Mapping[str, str] | None = None
) -> Secret | None:
    """The key to send to an endpoint, if there is one.

    Args:
        remote: The model; its host decides.
        environment: Variables to look in; None: those of this process.

    Raises:
        ConfigError: There is a key, and it would cross a network in the open.
    """
    if remote.settings.auth == "none":
        return None
    # The environment is read here, because a key handed down as an argument would
    # stand in the descriptions that cross to other processes and into run folders.
    known = os.environ if environment is None else environment  # noqa: TID251
    host = urlsplit(remote.url).hostname or ""
    names = (OUR_KEY, HOST_KEYS.get(host, ""))
    found = next((value for n in names if (value := known.get(n, "").strip())), "")
    found = found or _from_keyring(remote.host)
    return checked(Secret(found), remote) if found else None


def checked(secret: Secret, remote: RemoteModel) -> Secret:
    """The key, if it may be sent there.

    Raises:
        ConfigError: It would cross a network in the open.
    """
    if not remote.is_private:
        raise ConfigError(
            "the key would be sent over http, where others can read it",
            fix="use https, or send no key: put ?auth=none before the #",
            where=remote.host,
        )
    return secret


def _from_keyring(host: str) -> str:
    """What the system's keyring holds, where the package `keyring` is installed."""
    if find_spec("keyring") is None:
        return ""
    keyring: Any = import_module("keyring")
    try:
        return str(keyring.get_password(SERVICE, host) or "").strip()
    except keyring.errors.KeyringError:
        return ""  # locked, or none on this machine: as good as empty
