"""Rows to conversations: OpenAI chat, ShareGPT, Alpaca, instruction and response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.values import Message, SupportCase
from groundtune.data.fields import optional_text, required_text, whole
from groundtune.data.rows import RowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.data.rows import Row

SPEAKERS = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "customer": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "agent": "assistant",
}
"""What data sets call a speaker, and what we do."""


def conversation(row: Row, roles: Mapping[str, str]) -> SupportCase:
    """The conversation of a row.

    Raises:
        RowError: It is not in that form, or does not end with the assistant.
    """
    turns = _listed(row, roles) if "messages" in roles else _instructed(row, roles)
    if not turns or turns[-1].role != "assistant":
        raise RowError(
            f"the last turn is the {turns[-1].role}'s" if turns else "no turns",
            "end each conversation with the assistant's answer, which is the reference",
            row.where,
            roles.get("messages", ""),
            "last_not_assistant",
        )
    return SupportCase(
        id=optional_text(row, roles.get("id")),
        messages=tuple(turns),
        intent=optional_text(row, roles.get("intent")),
        group=optional_text(row, roles.get("group")),
    )


def turns_before_reply(row: Row, roles: Mapping[str, str]) -> tuple[Message, ...]:
    """The turns of a row's messages, without a reply that stands at their end.

    Raises:
        RowError: They are not in that form, or nobody asks anything.
    """
    turns = _listed(row, roles)
    while turns and turns[-1].role == "assistant":
        turns.pop()
    if not any(turn.role == "user" for turn in turns):
        raise RowError(
            "no turn of the user before the reply",
            "write what is asked",
            row.where,
            roles["messages"],
            "bad_messages",
        )
    return tuple(turns)


def _instructed(row: Row, roles: Mapping[str, str]) -> list[Message]:
    turns: list[Message] = []
    if system := optional_text(row, roles.get("system")):
        turns.append(Message("system", system))
    history = row.fields.get(roles.get("history", ""))
    for pair in cast("list[Any]", history) if isinstance(history, list) else []:
        if not isinstance(pair, list) or len(cast("list[Any]", pair)) != 2:
            raise RowError(
                "the history is not a list of pairs",
                'write [["question", "answer"], ...]',
                row.where,
                roles["history"],
                "bad_messages",
            )
        asked, answered = (str(turn) for turn in cast("list[Any]", pair))
        turns += [Message("user", asked), Message("assistant", answered)]
    asked = required_text(row, roles["instruction"])
    if more := optional_text(row, roles.get("input")):
        asked = f"{asked}\n\n{more}"
    answer = required_text(row, roles["response"])
    return [*turns, Message("user", asked), Message("assistant", answer)]


def _listed(row: Row, roles: Mapping[str, str]) -> list[Message]:
    column = roles["messages"]
    value: Any = row.fields.get(column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _bad(row, column, "a text that is no JSON") from error
    if not isinstance(value, list):
        raise _bad(row, column, "missing" if value is None else type(value).__name__)
    turns: list[Message] = []
    if "system" in roles and (system := optional_text(row, roles["system"])):
        turns.append(Message("system", system))
    for number, turn in enumerate(cast("list[Any]", value)):
        turns.append(_turn(turn, row, f"{column}[{number}]"))
    return turns


def _turn(raw: object, row: Row, column: str) -> Message:
    if not isinstance(raw, dict):
        raise _bad(row, column, type(raw).__name__)
    turn = cast("dict[str, Any]", raw)
    speaker = turn.get("role", turn.get("from"))
    content: Any = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = _joined(cast("list[Any]", content), row, column)
    if not isinstance(speaker, str) or speaker.casefold() not in SPEAKERS:
        raise RowError(
            f"unknown role {speaker!r}",
            "use system, user and assistant; leave tool calls out",
            row.where,
            f"{column}.{'role' if 'role' in turn else 'from'}",
            "unknown_role",
        )
    if not isinstance(content, str) or not content.strip():
        raise RowError(
            f"an empty turn of the {SPEAKERS[speaker.casefold()]}",
            "write what was said, or remove the conversation",
            row.where,
            f"{column}.{'content' if 'content' in turn else 'value'}",
            "empty_turn",
        )
    text = whole(content.strip(), row, f"{column}.content")
    return Message(SPEAKERS[speaker.casefold()], text)


def _joined(parts: list[Any], row: Row, column: str) -> str:
    """The text of a turn that is written in parts."""
    texts: list[str] = []
    for part in parts:
        fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        if fields.get("type") != "text" or not isinstance(fields.get("text"), str):
            raise _bad(row, column, "a part that is no text")
        texts.append(fields["text"])
    return "\n".join(texts)


def _bad(row: Row, column: str, what: str) -> RowError:
    return RowError(
        f"no list of messages: {what}",
        'write [{"role": "user", "content": "..."}, {"role": "assistant", ...}]',
        row.where,
        column,
        "bad_messages",
    )
