"""Answers that are bound to be runs of words of what is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.protocols import CopyingEngine
from groundtune.generate.engines import open_engine
from groundtune.generate.spans import span_grammar
from groundtune.tasks.qa import NOT_IN_DOCUMENTS

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

LITERAL = r'"(?:[^"\\]|\\.)*"'
RULE = re.compile(rf"({LITERAL})(?: \(({LITERAL}) (\w+)\)(\??))?")


def sentences(grammar: str) -> set[str]:
    """Every text that a grammar allows, the space before it left out."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())

    def from_rule(name: str) -> set[str]:
        found = RULE.fullmatch(rules[name])
        assert found is not None, rules[name]
        word = json.loads(found[1])
        if found[2] is None:
            return {word}
        longer = {word + json.loads(found[2]) + rest for rest in from_rule(found[3])}
        return longer | {word} if found[4] else longer

    assert rules["root"].startswith('" "? (run mark?')
    return {text for name in rules["run"].split(" | ") for text in from_rule(name)}


def test_every_run_of_words_is_allowed_and_nothing_else() -> None:
    assert sentences(span_grammar(["Ida paid."])) == {"Ida", "Ida paid", "paid"}


def test_what_stands_around_a_run_is_left_out_and_within_is_kept() -> None:
    found = sentences(span_grammar(['"Who?" said (Ida) - a clerk.']))
    assert 'Who?" said' in found
    assert "Ida" in found
    assert "Ida) - a clerk" in found
    assert not any(text.endswith(("-", ".", ")")) for text in found)
    assert not any(text.startswith(("-", "(", '"')) for text in found)


def test_no_run_begins_with_a_word_of_the_question() -> None:
    grammar = span_grammar(["A tower is 58 ells."], question="Is it a tower?")
    assert sentences(grammar) == {"58", "58 ells", "ells"}


def test_a_run_may_be_cited_and_another_thing_be_said() -> None:
    grammar = span_grammar(["Ida.", "Jon."], otherwise='Not "in" it.')
    assert 'root ::= " "? (run mark? | "Not \\"in\\" it.")' in grammar
    assert 'mark ::= " [1]" | " [2]"' in grammar


def test_a_text_of_nothing_but_the_question_may_be_repeated() -> None:
    assert sentences(span_grammar(["High tower"], question="A high tower?")) == {
        "High",
        "High tower",
        "tower",
    }


@pytest.mark.parametrize("texts", [[], ["", " \n"], ["- ... !"]])
def test_without_a_word_there_is_no_grammar(texts: list[str]) -> None:
    assert span_grammar(texts) == ""


@given(st.lists(st.text(max_size=30), max_size=3), st.text(max_size=12))
@settings(max_examples=200)
def test_whatever_is_written_stands_in_a_text(texts: list[str], question: str) -> None:
    grammar = span_grammar(texts, question=question)
    spaced = [" ".join(text.split()) for text in texts]
    for allowed in sentences(grammar) if grammar else ():
        assert any(allowed in text for text in spaced)


@pytest.fixture(scope="module")
def engine(generator_model: ModelFolder) -> CopyingEngine:
    opened = open_engine(generator_model)
    assert isinstance(opened, CopyingEngine)
    return opened


def test_the_model_writes_a_run_of_a_text(
    engine: CopyingEngine, generator_model: ModelFolder
) -> None:
    texts = ["The “Orvale” bridge \\ was built by Pétra Lindqvist — in 1871."]
    asked = "Who built the Orvale bridge?"
    prompt = generator_model.tokenizer().encode(
        f"<|im_start|>user\n{texts[0]} {asked}<|im_end|>\n<|im_start|>assistant\n"
    )
    pieces: list[str] = []
    made = engine.copy(
        prompt,
        texts=texts,
        question=asked,
        otherwise=NOT_IN_DOCUMENTS,
        max_tokens=24,
        on_text=pieces.append,
    )
    copied = made.text.strip().removesuffix(" [1]")
    assert copied
    assert copied in texts[0] or copied == NOT_IN_DOCUMENTS
    assert "".join(pieces) == made.text
    assert made.text.split()[0].casefold() not in asked.casefold().split()
    assert made.logprob is not None
    assert made.logprob < 0
    free = engine.copy(
        prompt, texts=["..."], question=asked, otherwise="", max_tokens=8
    )
    assert free.text, "nothing to copy: it writes what it likes"
