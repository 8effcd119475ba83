"""Prompts of the tasks that write."""

from __future__ import annotations

import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.texts import (
    REPLY_TO_CUSTOMER,
    TextPromptBuilder,
    language_name,
    translation_instruction,
)
from groundtune.core.values import Message, Span

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>"
    "{{ message['content'] | trim }}\n"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


class Characters:
    """A tokenizer whose tokens are characters, so that prompts can be read back."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: list[int] | tuple[int, ...]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(at, at + 1) for at in range(len(text))]


def shown(turns: list[Message]) -> tuple[str, str]:
    builder = TextPromptBuilder(
        ChatTemplate(TEMPLATE),
        Characters(),  # type: ignore[arg-type]
        instruction=REPLY_TO_CUSTOMER,
    )
    prompt = builder.build(turns)
    assert prompt.tokens == prompt.head + prompt.tail
    return Characters().decode(prompt.head), Characters().decode(prompt.tail)


def test_the_head_is_what_all_cases_share() -> None:
    one, other = (
        shown([Message("user", text)]) for text in ("Where is it?", " I want\r\nmore ")
    )

    assert one[0] == other[0] == f"<system>{REPLY_TO_CUSTOMER}\n<user>"
    assert one[1] == "Where is it?\n<assistant>"
    assert other[1] == "I want\nmore\n<assistant>"


def test_a_conversation_keeps_its_own_instruction_and_order() -> None:
    head, tail = shown(
        [
            Message("system", "Be kind."),
            Message("user", "Hello"),
            Message("assistant", "Yes?"),
            Message("user", "Where?"),
        ]
    )

    assert head == "<system>Be kind.\n<user>"
    assert tail == "Hello\n<assistant>Yes?\n<user>Where?\n<assistant>"


def test_nothing_asked_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="nothing is asked"):
        shown([Message("system", "Be kind.")])


def test_languages_are_named_where_they_are_known() -> None:
    assert translation_instruction("fr", "") == (
        "Translate from French. Reply with the translation only."
    )
    assert translation_instruction("", "xx") == (
        "Translate the text. Reply with the translation only."
    )
    assert language_name("zh_Hant") == "Chinese"
