"""Conversations that end with a question, and the documents that answer them.

Two layouts are read: ours, `{"id", "messages", "answers", "source"?, "evidence"?}`, and
that of doc2dial's turns with their history. Conversations that end with the reply to
learn from are in `labelled`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import text_sha256
from groundtune.core.values import DialogueCase, Document, Message
from groundtune.data.conversations import SPEAKERS
from groundtune.data.read_text import decode, whole_characters
from groundtune.data.rows import json_lines, load_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.data.rows import Row

_LIKE = '{"messages": [{"role": "user", "content": "..."}], "answers": ["..."]}'
_LIKE_DOCUMENT = '{"doc_id": "...", "title": "...", "text": "..."}'


def read_dialogues(path: Path) -> list[DialogueCase]:
    """Read the cases of a JSON Lines file, in order.

    A row has `messages`, whose last one is the user's, and `answers` (a text or a list;
    `answer` is read too); it may have `id`, `source`, `evidence` and `group`. A row of
    doc2dial has `question`, `history_latest_first`, `answers` and `doc_id` instead; its
    answer is a span of the document and so stands as evidence, too. A row without id
    gets one from its content.

    Raises:
        DataError: The file or a row is not in that form; names the line and the fix.
    """
    text = decode(load_bytes(path), where=str(path))
    cases: list[DialogueCase] = []
    places: dict[str, str] = {}
    for row in json_lines(text, path, like=_LIKE):
        case = _case(row)
        if case.id in places:
            raise DataError(
                f"id {case.id!r} was used before, at {places[case.id]}",
                fix="give every case an id of its own",
                where=row.where,
            )
        places[case.id] = row.where
        cases.append(case)
    if not cases:
        raise DataError("no cases in it", fix=f"write {_LIKE}", where=str(path))
    return cases


def read_dialogue_documents(path: Path) -> list[Document]:
    """Read the documents of doc2dial: `{"doc_id", "title", "text"}` a line.

    Raises:
        DataError: A row is not in that form, or an id was used before.
    """
    text = decode(load_bytes(path), where=str(path))
    found: dict[str, Document] = {}
    for row in json_lines(text, path, like=_LIKE_DOCUMENT):
        name = _text(row, "doc_id") or _text(row, "id")
        body = _raw_text(row, "text")
        if not name or not body.strip():
            raise DataError(
                f"no {'text' if name else 'doc_id'}",
                fix=f"write {_LIKE_DOCUMENT}",
                where=row.where,
            )
        if name in found:
            raise DataError(
                f"the id {name!r} was used before",
                fix="give every document an id of its own",
                where=row.where,
            )
        found[name] = Document(
            id=name, text=body, title=_text(row, "title"), metadata={"path": name}
        )
    if not found:
        raise DataError(
            "no documents in it", fix=f"write {_LIKE_DOCUMENT}", where=str(path)
        )
    return list(found.values())


def _case(row: Row) -> DialogueCase:
    fields = row.fields
    answers = _texts(row, "answers" if "answers" in fields else "answer")
    if not answers:
        raise DataError("no answers", fix='give "answers": ["..."]', where=row.where)
    evidence = _texts(row, "evidence")
    if "history_latest_first" in fields:
        messages = _from_history(row)
        evidence = evidence or answers
    else:
        messages = _from_messages(row)
    source = _text(row, "source") or _text(row, "doc_id")
    content = json.dumps([messages, answers, source])
    return DialogueCase(
        id=_text(row, "id") or text_sha256(content)[:12],
        messages=messages,
        answers=answers,
        source=source,
        evidence=evidence,
        group=_text(row, "group") or source,
    )


def _from_messages(row: Row) -> tuple[Message, ...]:
    turns: list[Message] = []
    for number, raw in enumerate(_listed(row, "messages")):
        fields = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        turn = _turn(fields.get("role"), fields.get("content"), row)
        if turn is None:
            raise DataError(
                f"turn {number + 1} says nothing", fix="remove it", where=row.where
            )
        turns.append(turn)
    return _ended(turns, row)


def _from_history(row: Row) -> tuple[Message, ...]:
    """Turns of doc2dial: `agent:...` and `user:...`, the latest first."""
    turns: list[Message] = []
    for raw in reversed(_listed(row, "history_latest_first")):
        speaker, mark, content = str(raw).partition(":")
        if not mark:
            raise DataError(
                f"nobody says {str(raw)!r:.60}",
                fix='write "user:..." or "agent:..."',
                where=row.where,
            )
        if turn := _turn(speaker, content, row):
            turns.append(turn)
    if asked := _turn("user", _text(row, "question"), row):
        turns.append(asked)
    return _ended(turns, row)


def _ended(turns: list[Message], row: Row) -> tuple[Message, ...]:
    if not turns or turns[-1].role != "user":
        raise DataError(
            f"the last turn is the {turns[-1].role}'s" if turns else "no turns",
            fix="end each conversation with the user's question; what is to be "
            'answered goes into "answers"',
            where=row.where,
        )
    return tuple(turns)


def _turn(speaker: object, content: object, row: Row) -> Message | None:
    """One turn; None where nothing was said."""
    role = SPEAKERS.get(speaker.casefold()) if isinstance(speaker, str) else None
    if role is None or not isinstance(content, str):
        raise DataError(
            f"not a turn: role {speaker!r:.40}, content {content!r:.40}",
            fix='write {"role": "user", "content": "..."}, or the role assistant',
            where=row.where,
        )
    text = whole_characters(content.strip(), field="content", where=row.where)
    return Message(role, text) if text else None


def _listed(row: Row, key: str) -> list[Any]:
    value: Any = row.fields.get(key)
    if not isinstance(value, list):
        what = "missing" if value is None else f"a {type(value).__name__}"
        raise DataError(f"{key!r} is {what}", fix=f"write {_LIKE}", where=row.where)
    return cast("list[Any]", value)


def _raw_text(row: Row, key: str) -> str:
    value: Any = row.fields.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(
            f"{key!r} is {type(value).__name__} {value!r:.60}",
            fix="make it a text",
            where=row.where,
        )
    return whole_characters(str(value), field=key, where=row.where)


def _text(row: Row, key: str) -> str:
    return _raw_text(row, key).strip()


def _texts(row: Row, key: str) -> tuple[str, ...]:
    """A text or a list of texts, without blanks and repetitions."""
    value: Any = row.fields.get(key)
    if isinstance(value, dict) and "text" in value:
        value = cast("dict[str, Any]", value)["text"]
    if value is None:
        return ()
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        raise DataError(
            f"{key!r} is not a text or a list of texts",
            fix=f'write "{key}": ["..."]',
            where=row.where,
        )
    whole = [whole_characters(t.strip(), field=key, where=row.where) for t in texts]
    return tuple(dict.fromkeys(text for text in whole if text))
