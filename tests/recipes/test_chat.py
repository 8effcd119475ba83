"""A conversation that is kept: turn by turn, over crashes, and once more by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import (
    ConfigError,
    DataError,
    GenerationError,
    StoreError,
)
from groundtune.core.values import Answer, Citation, Message
from groundtune.recipes.chat import Conversation, chat
from groundtune.recipes.chat_history import ChatHistory, KeptTurn, messages_of
from groundtune.systems.follow_ups import TurnFinder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.core.values import DialogueCase, Hit
    from groundtune.systems.follow_ups import Turn


class Nowhere:
    """A retriever over nothing: every topic goes on."""

    def search(self, query: str, *, k: int) -> list[Hit]:
        return []


class Words:
    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def decode(self, ids: object) -> str:
        return ""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [(n, n) for n, _ in enumerate(text.split())]


class Echo:
    """Answers with the number of messages that it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[Message, ...]] = []

    def answer(
        self,
        case: DialogueCase,
        *,
        on_text: Callable[[str], None] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Answer:
        self.seen.append(case.messages)
        if on_turn is not None:
            on_turn(TurnFinder(Nowhere(), Words()).read(case.messages))  # pyright: ignore[reportArgumentType]
        asked = case.messages[-1].content
        if asked == "fail":
            raise GenerationError("broken", fix="mend it")
        if asked == "stop":
            raise KeyboardInterrupt
        if on_text is not None:
            on_text("said")
        cited = Citation(document="a.md", start=0, end=2, text="ab")
        return Answer(text=f"answer {len(case.messages)}", citations=(cited,))


def talk(path: Path | None, *said: str) -> Echo:
    echo = Echo()
    history = ChatHistory(path) if path else None
    with Conversation(echo, history) as conversation:  # pyright: ignore[reportArgumentType]
        for line in said:
            if line == "/new":
                conversation.begin_anew()
            else:
                conversation.say(line)
    return echo


def test_a_turn_sees_what_was_said_before(tmp_path: Path) -> None:
    echo = talk(None, "first thing", "and that?")

    assert echo.seen[1] == (
        Message("user", "first thing"),
        Message("assistant", "answer 1"),
        Message("user", "and that?"),
    )


def test_a_conversation_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    talk(path, "first thing")
    echo = talk(path, "and that?")

    assert [turn.content for turn in echo.seen[0]] == [
        "first thing",
        "answer 1",
        "and that?",
    ]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"groundtune_chat": 1}
    assert [line["question"] for line in lines[1:]] == ["first thing", "and that?"]
    assert lines[2]["query"].startswith("and that? (")
    assert lines[2]["citations"][0]["document"] == "a.md"


def test_new_begins_another_conversation_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    echo = talk(path, "first thing", "/new", "other")

    assert len(echo.seen[1]) == 1
    assert [turn.content for turn in talk(path, "more").seen[0]] == [
        "other",
        "answer 1",
        "more",
    ]
    assert "first thing" in path.read_text()


def test_turns_that_fail_or_are_stopped_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    with pytest.raises(GenerationError):
        talk(path, "first thing", "fail")
    with pytest.raises(KeyboardInterrupt):
        talk(path, "stop")

    assert [len(seen) for seen in talk(path, "more").seen] == [3]


def test_a_torn_last_line_is_cut_and_the_rest_stands(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    talk(path, "first thing", "second thing")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])

    assert len(talk(path, "more").seen[0]) == 3
    assert path.read_bytes().startswith(whole[: whole.index(b"second thing") - 20])
    path.write_bytes(whole[:7])
    assert len(talk(path, "more").seen[0]) == 1


@pytest.mark.parametrize(
    "content", ["my notes, without a line end", '{"question": "x"}\n', "\n", " "]
)
def test_no_other_file_is_taken_for_a_history(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)

    with pytest.raises(DataError, match="not a history"):
        ChatHistory(path)

    assert path.read_text() == content


def test_a_line_that_is_no_turn_is_named(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text('{"groundtune_chat": 1}\n{"question": 3}\n')

    with pytest.raises(DataError) as caught:
        ChatHistory(path)

    assert caught.value.where == f"{path}:2"


def test_one_process_at_a_time_holds_a_history(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    with ChatHistory(path), pytest.raises(StoreError, match="in use"):
        ChatHistory(path)
    with ChatHistory(path) as again:
        assert again.turns == []
    with pytest.raises(StoreError, match="folder"):
        ChatHistory(tmp_path)


def turn(
    question: str, *, new_topic: bool = False, abstained: bool = False
) -> KeptTurn:
    return KeptTurn(
        question=question,
        query=question,
        new_topic=new_topic,
        answer=f"{question}!",
        abstained=abstained,
        citations=[],
    )


def test_what_was_said_counts_from_the_last_topic_on() -> None:
    said = [turn("a"), turn("b", new_topic=True), turn("c", abstained=True), turn("d")]

    assert [m.content for m in messages_of(said)] == ["b", "b!", "c", "d", "d!"]
    assert messages_of([]) == []


def test_mistakes_are_named_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none"):
        chat(kb=tmp_path / "none", model="no-such-model")
    with pytest.raises(ConfigError, match="history_tokens"):
        chat(kb=tmp_path / "none", history_tokens=-1)
    with pytest.raises(ConfigError, match="question is empty"):
        talk(None, " ")
