"""The file that a conversation is kept in: a line a turn, written when it is answered.

The first line says what the file is, so that no other file is taken for one and cut.
What is searched and said belongs to `chat`.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from groundtune.core.errors import DataError, StoreError
from groundtune.core.values import Message
from groundtune.store.files import (
    JsonLinesLog,
    explained,
    read_json_lines,
    write_lock,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_HEADER = {"groundtune_chat": 1}
_FIX = "name a file that chat wrote, or one that is not there yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTurn:
    """What is kept of a turn."""

    question: str
    query: str
    """What was searched for."""
    new_topic: bool
    """Whether the turns before it were dropped."""
    answer: str
    abstained: bool
    citations: list[dict[str, Any]]


class ChatHistory:
    """A conversation on disk; use it as a context manager.

    One process at a time holds it. A turn that `append` returned from survives a crash.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            DataError: It is no history of a conversation; it is left as it is.
            StoreError: It cannot be written, or another process holds it.
        """
        self.path = path
        self._held = ExitStack()
        try:
            lock = path.with_name(f".{path.name}.lock")
            self._held.enter_context(write_lock(lock))
            self.turns = _read(path)
            self._log = JsonLinesLog(path)
            self._held.callback(self._log.close)
            if path.stat().st_size == 0:
                self._log.append(_HEADER)
        except BaseException:
            self._held.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, turn: KeptTurn) -> None:
        """Keep a turn.

        Raises:
            StoreError: It could not be written; earlier turns stand.
        """
        self._log.append(asdict(turn))
        self.turns.append(turn)

    def begin_anew(self) -> None:
        """Mark that what follows is another conversation.

        Raises:
            StoreError: It could not be written.
        """
        self._log.append({"new": True})
        self.turns.clear()

    def close(self) -> None:
        """Let the file go."""
        self._held.close()


def messages_of(turns: list[KeptTurn]) -> list[Message]:
    """What was said since the topic began, oldest first."""
    start = max((n for n, turn in enumerate(turns) if turn.new_topic), default=0)
    said: list[Message] = []
    for turn in turns[start:]:
        said.append(Message("user", turn.question))
        if turn.answer and not turn.abstained:
            said.append(Message("assistant", turn.answer))
    return said


def _read(path: Path) -> list[KeptTurn]:
    """The turns of the last conversation in the file.

    Raises:
        DataError: It is something else than a history.
    """
    if not path.exists():
        return []
    if path.is_dir():
        raise StoreError("is a folder", fix="name a file", where=str(path))
    with explained(path):
        begins = path.read_bytes()[:64]
    header = json.dumps(_HEADER).encode() + b"\n"
    # A crash may have left a part of the first line.
    if not (begins.startswith(header) or header.startswith(begins)):
        raise DataError("not a history of chat", fix=_FIX, where=str(path))
    turns: list[KeptTurn] = []
    for number, line in enumerate(read_json_lines(path)[1:], start=2):
        if line == {"new": True}:
            turns.clear()
            continue
        try:
            turns.append(_turn(line))
        except (TypeError, KeyError) as error:
            raise DataError(
                f"not a turn of a conversation: {error}",
                fix="delete this line",
                where=f"{path}:{number}",
            ) from error
    return turns


def _turn(line: dict[str, Any]) -> KeptTurn:
    for name in ("question", "query", "answer"):
        if not isinstance(line[name], str):
            msg = f"{name} is no text"
            raise TypeError(msg)
    return KeptTurn(**line)
