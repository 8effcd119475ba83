"""Past conversations among the documents: how things were said, no source of facts.

A JSON file whose every record is a conversation becomes a document of which each
section is one: its heading is what the customer wrote last before the reply, its text
the reply. Whoever reads it knows by its metadata what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundtune.data.conversations import SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KIND = "kind"
CONVERSATION = "conversation"
"""Key and value of the metadata; a document of another form may state them itself."""

_TURNS = ("messages", "conversations", "conversation")
_ASKED, _REPLIED = ("instruction", "prompt"), ("response", "output")
_ROLE, _CONTENT = ("role", "from"), ("content", "value")


class Exchange(NamedTuple):
    """What was asked, and what was replied to it."""

    asked: str
    replied: str


def exchanges_of(records: Sequence[object]) -> list[Exchange]:
    """The last exchange of each record; nothing unless every record is a conversation.

    Examples:
        >>> exchanges_of([{"instruction": "Where is it?", "response": "Under way."}])
        [Exchange(asked='Where is it?', replied='Under way.')]
        >>> exchanges_of([{"name": "Gull"}])
        []
    """
    found = [_exchange(record) for record in records]
    whole = [one for one in found if one is not None]
    return whole if len(whole) == len(found) else []


def _exchange(record: object) -> Exchange | None:
    if not isinstance(record, dict):
        return None
    fields = cast("dict[str, Any]", record)
    turns = next((fields[key] for key in _TURNS if key in fields), None)
    if turns is None:
        asked, replied = _first(fields, _ASKED), _first(fields, _REPLIED)
        return Exchange(asked, replied) if asked and replied else None
    if not isinstance(turns, list):
        return None
    asked = replied = ""
    for raw in cast("list[Any]", turns):
        turn = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        speaker = SPEAKERS.get(_first(turn, _ROLE).casefold())
        said = _first(turn, _CONTENT)
        if speaker is None or not said:
            return None
        if speaker == "user":
            asked, replied = said, ""
        elif speaker == "assistant":
            replied = said
    return Exchange(asked, replied) if asked and replied else None


def _first(fields: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The first of the fields that is a text, without space around it."""
    texts = (fields[key] for key in keys if isinstance(fields.get(key), str))
    return next(texts, "").strip()
