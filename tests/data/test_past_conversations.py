"""Past conversations among documents."""

from __future__ import annotations

import json

import pytest

from groundtune.data.past_conversations import Exchange, exchanges_of
from groundtune.data.read_json import read_json, read_json_lines

MESSAGES = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "user", "content": " Where is\nmy kite? "},
        {"role": "assistant", "content": "It is under way.\n\nThank you!"},
    ]
}
SHAREGPT = {
    "conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}]
}
PAIR = {"instruction": "Can I cancel?", "response": "Of course.", "intent": "cancel"}


def lines(*records: object) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


def test_every_conversation_becomes_a_section() -> None:
    raw = lines(MESSAGES, PAIR)
    (read,) = read_json_lines(raw, name="past.jsonl", where="past.jsonl")

    assert read.metadata["kind"] == "conversation"
    shown = [(block.kind, read.text[block.start : block.end]) for block in read.blocks]
    assert shown == [
        ("heading", "Where is my kite?"),
        ("paragraph", "It is under way."),
        ("paragraph", "Thank you!"),
        ("heading", "Can I cancel?"),
        ("paragraph", "Of course."),
    ]


def test_a_json_list_of_conversations_is_read_alike() -> None:
    raw = json.dumps([MESSAGES, SHAREGPT]).encode()
    (read,) = read_json(raw, name="past.json", where="past.json")
    assert read.metadata["kind"] == "conversation"
    assert "Hello" not in read.text
    assert read.text.endswith("A\n\nB")


@pytest.mark.parametrize(
    "record",
    [
        {"title": "Kites", "text": "They fly."},
        {"messages": []},
        {"messages": "none"},
        {"messages": [{"role": "user", "content": "Hello?"}]},
        {"messages": [{"role": "stranger", "content": "Hello?"}]},
        {"messages": ["Hello?"]},
        {"instruction": "Answer.", "response": ""},
        "a text",
        [],
    ],
)
def test_one_record_that_is_no_conversation_makes_it_an_ordinary_file(
    record: object,
) -> None:
    assert exchanges_of([PAIR, record]) == []
    raw = lines({"title": "Kites", "text": "They fly."}, PAIR, record)
    (read,) = read_json_lines(raw, name="a.jsonl", where="a.jsonl")
    assert "kind" not in read.metadata


def test_the_last_exchange_counts() -> None:
    assert exchanges_of([MESSAGES]) == [
        Exchange("Where is\nmy kite?", "It is under way.\n\nThank you!")
    ]
    assert exchanges_of([]) == []
