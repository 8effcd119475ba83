"""Who answered: whether it is the model that was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundtune.store.remote.failures import FailedAttempt, other_model

if TYPE_CHECKING:
    from groundtune.config.endpoint import RemoteModel

_VERSION = re.compile(
    r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|(0[1-9]|1[0-2])([0-2]\d|3[01])"
    r"|00\d|v\d|latest)"
)
"""What endpoints add to the name that was asked for: a date, a number, a tag."""
_ANY = "*"


def check_model(remote: RemoteModel, event: dict[str, Any]) -> None:
    """Refuse an answer by another model; one that names none is let through.

    Raises:
        FailedAttempt: It is another's.
    """
    answered, allowed = event.get("model"), remote.settings.answers_as
    if not answered or allowed == _ANY:
        return
    found = str(answered).removeprefix("models/")
    wanted = (allowed or remote.name).removeprefix("models/")
    more = found.removeprefix(wanted)
    is_same = found == wanted or (
        found.startswith(wanted) and _VERSION.fullmatch(more) is not None
    )
    if not is_same:
        raise FailedAttempt(other_model(remote.name, str(answered)))
