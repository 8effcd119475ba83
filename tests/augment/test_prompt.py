from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import BRIEF, INSTRUCTION, PromptBuilder, Shot
from groundtune.augment.untrusted import as_data
from groundtune.core.errors import ConfigError, ModelLoadError
from groundtune.core.values import Hit, Message, Passage, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


class Characters:
    """A tokenizer whose tokens are characters, so that prompts can be read back."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(at, at + 1) for at in range(len(text))]


def builder(style: object = INSTRUCTION) -> PromptBuilder:
    assert style in (INSTRUCTION, BRIEF)
    return PromptBuilder(ChatTemplate(TEMPLATE), Characters(), style=style)  # type: ignore[arg-type]


def hit(text: str, heading: str = "") -> Hit:
    passage = Passage(
        id=text[:8],
        document="d",
        start=0,
        end=len(text),
        text=text,
        heading=heading,
    )
    return Hit(passage=passage, score=1.0)


def read(tokens: Sequence[int]) -> str:
    return Characters().decode(tokens)


def test_prompt_numbers_the_passages_and_ends_where_the_answer_begins() -> None:
    prompt = builder().build(
        "Who?", [hit("Ada did.", "Book > One"), hit("Bo slept.")], budget=5000
    )

    text = read(prompt.tokens)
    assert "[1] Book > One\nAda did.\n\n[2] Bo slept.\n\nQuestion: Who?" in text
    assert text.endswith("Question: Who?\n<assistant>")
    assert text.startswith(f"<system>{INSTRUCTION.with_evidence}")
    assert prompt.dropped == 0


def test_a_heading_that_opens_the_passage_is_shown_once() -> None:
    prompt = builder().build(
        "Who?", [hit("## One\n\nAda did.", "Book > One")], budget=5000
    )

    assert "[1] Book > One\nAda did.\n\nQuestion" in read(prompt.tokens)


def test_closed_book_shows_no_passages_and_its_own_instruction() -> None:
    prompt = builder().build("Who?", None, budget=5000)

    text = read(prompt.tokens)
    assert INSTRUCTION.closed_book in text
    assert "[1]" not in text
    assert INSTRUCTION.with_evidence not in text


questions = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=40
)


@given(questions, questions)
def test_head_depends_on_the_evidence_alone(one: str, other: str) -> None:
    hits = [hit("Ada did it."), hit("Bo slept.")]

    first = builder().build(one, hits, budget=9000)
    second = builder().build(other, hits, budget=9000)

    assert first.head == second.head
    assert as_data(one) in read(first.tail)
    assert builder().tail(other, with_evidence=True) == second.tail


@given(st.lists(st.integers(1, 300), max_size=5), st.integers(200, 900))
def test_a_prompt_never_exceeds_its_budget(sizes: list[int], budget: int) -> None:
    hits = [hit(f"{n} " + "x" * size) for n, size in enumerate(sizes)]

    prompt = builder().build("Who?", hits, budget=budget)

    assert len(prompt.tokens) <= budget
    assert prompt.hits == tuple(hits[: len(prompt.hits)])
    assert prompt.dropped == len(hits) - len(prompt.hits)


@given(st.lists(st.integers(1, 300), max_size=5), st.integers(200, 900))
def test_messages_say_what_the_tokens_say(sizes: list[int], budget: int) -> None:
    hits = [hit(f"{n} " + "x" * size, "H > I") for n, size in enumerate(sizes)]

    for evidence in (hits, None):
        prompt = builder().build("Who?<|im_end|>", evidence, budget=budget)
        rendered = ChatTemplate(TEMPLATE).render(prompt.messages)
        assert rendered == read(prompt.tokens)


def test_the_weakest_passages_are_dropped_first() -> None:
    hits = [hit("a" * 100), hit("b" * 100), hit("c" * 100)]
    full = len(builder().build("Who?", hits, budget=5000).tokens)

    prompt = builder().build("Who?", hits, budget=full - 1)

    assert prompt.hits == tuple(hits[:2])


def test_a_single_passage_that_is_too_long_is_cut_at_its_end() -> None:
    prompt = builder().build("Who?", [hit("start " + "y" * 3000)], budget=400)

    text = read(prompt.tokens)
    assert len(prompt.tokens) <= 400
    assert "[1] start yyy" in text
    assert text.endswith("Question: Who?\n<assistant>")


def test_a_question_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="question alone takes"):
        builder().build("Who? " * 200, None, budget=300)


def test_shots_stand_before_the_question_with_their_evidence() -> None:
    from dataclasses import replace

    style = replace(
        BRIEF, shots=(Shot(question="Where?", answer="Oslo", evidence=("In Oslo.",)),)
    )
    made = PromptBuilder(ChatTemplate(TEMPLATE), Characters(), style=style)

    with_evidence = read(made.build("Who?", [hit("Ada.")], budget=5000).tokens)
    closed = read(made.build("Who?", None, budget=5000).tokens)

    assert "[1] In Oslo.\n\nQuestion: Where?\n<assistant>Oslo\n<user>[1] Ada." in (
        with_evidence
    )
    assert "In Oslo." not in closed
    assert "Question: Where?\n<assistant>Oslo\n" in closed


def test_template_runs_in_a_sandbox() -> None:
    escape = ChatTemplate("{{ messages.__class__.__mro__[1].__subclasses__() }}")

    with pytest.raises(ModelLoadError, match="chat template fails"):
        escape.render([Message("user", "hi")])


def test_template_may_refuse_with_its_own_words() -> None:
    template = ChatTemplate("{{ raise_exception('no system turn') }}", where="m")

    with pytest.raises(ModelLoadError, match="no system turn"):
        template.render([Message("user", "hi")])


@pytest.mark.parametrize("source", ["", "{% for %}"])
def test_a_broken_template_is_named(source: str) -> None:
    with pytest.raises(ModelLoadError, match="template") as caught:
        ChatTemplate(source, where="my-model")

    assert "my-model" in str(caught.value)


def test_content_is_not_template_source() -> None:
    rendered = ChatTemplate(TEMPLATE).render([Message("user", "{{ 7 * 7 }}")])

    assert "{{ 7 * 7 }}" in rendered
    assert json.dumps(rendered)
