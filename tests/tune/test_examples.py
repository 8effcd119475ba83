from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import INSTRUCTION, PromptBuilder
from groundtune.config.training import ContextSettings
from groundtune.core.values import Hit, Passage, QaCase
from groundtune.tasks.qa import NOT_IN_DOCUMENTS
from groundtune.tune.examples import (
    Evidence,
    Writer,
    closed_book_examples,
    context_examples,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.values import Span
    from groundtune.tune.dataset import Turn

END = 0
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n"
    "{% endfor %}<assistant>"
)


class Characters:
    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(chr(number) for number in ids if number != END)

    def offsets(self, text: str) -> list[Span]:
        raise AssertionError(text)


READER = Characters()


@pytest.fixture
def writer() -> Writer:
    builder = PromptBuilder(ChatTemplate(TEMPLATE), READER, style=INSTRUCTION)
    return Writer(builder, READER, END)


def hit(number: int) -> Hit:
    text = f"Fact {number} is value{number}."
    passage = Passage(id=f"p{number}", document="d", start=0, end=len(text), text=text)
    return Hit(passage=passage, score=1.0 - number / 100)


def cases_and_evidence(count: int) -> tuple[list[QaCase], dict[str, Evidence]]:
    cases = [
        QaCase(
            id=f"c{n}-{q}",
            question=f"What is fact {n}, way {q}?",
            answers=(f"value{n}.",),
            source="d",
        )
        for n in range(count)
        for q in range(3)
    ]
    evidence = {
        case.id: Evidence(
            hit(at := int(case.id[1:].split("-")[0])),
            tuple(hit((at + step) % count) for step in range(8)),
        )
        for case in cases
    }
    return cases, evidence


def asked(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    return [(READER.decode(turn.tail), READER.decode(turn.target)) for turn in turns]


def test_closed_book_puts_every_answerable_case_behind_one_head(
    writer: Writer,
) -> None:
    cases, _ = cases_and_evidence(4)
    none = QaCase(id="u", question="Why?", answers=(), answerable=False)

    (example,) = closed_book_examples([*cases, none], writer=writer)

    assert len(example.turns) == len(cases)
    assert asked(example.turns)[0][1] == "value0."
    assert all(turn.target[-1] == END for turn in example.turns)
    assert closed_book_examples([none], writer=writer) == []


def test_the_answer_names_the_number_of_the_right_passage(writer: Writer) -> None:
    cases, evidence = cases_and_evidence(12)
    settings = ContextSettings(gold_share=1.0, distractors=3)

    examples = context_examples(
        cases, evidence, writer=writer, settings=settings, seed=0
    )

    numbers: set[str] = set()
    for example in examples:
        head = READER.decode(example.head)
        for question, answer in asked(example.turns):
            value, _, number = answer.rpartition(" ")
            fact = question.split("fact ")[1].split(",")[0]
            assert f"{number} Fact {fact} is {value}" in head
            numbers.add(number)
    assert numbers == {"[1]", "[2]", "[3]", "[4]"}, "order is shuffled"
    assert sum(len(example.turns) for example in examples) == len(cases)


def test_sentences_are_learned_from_nearest_first(writer: Writer) -> None:
    cases, _ = cases_and_evidence(1)
    settings = ContextSettings(gold_share=1.0, distractors=3, sentences=4)

    def facts(*found: int) -> list[list[str]]:
        evidence = {
            case.id: Evidence(hit(0), tuple(hit(one) for one in found))
            for case in cases
        }
        heads = [
            READER.decode(example.head)
            for seed in range(12)
            for example in context_examples(
                cases, evidence, writer=writer, settings=settings, seed=seed
            )
        ]
        return [re.findall(r"Fact (\d)", head) for head in heads]

    for shown in facts(3, 0, 2, 1):
        assert shown == [one for one in "3021" if one in shown]
    assert {tuple(shown)[-1] for shown in facts(3, 2, 1)} == {"0"}, "not found: last"


def test_missing_passages_are_answered_by_saying_so(writer: Writer) -> None:
    cases, evidence = cases_and_evidence(40)
    settings = ContextSettings(gold_share=0.7, distractors=2)

    examples = context_examples(
        cases, evidence, writer=writer, settings=settings, seed=1
    )

    refused = total = 0
    for example in examples:
        head = READER.decode(example.head)
        for question, answer in asked(example.turns):
            total += 1
            if answer == NOT_IN_DOCUMENTS:
                refused += 1
                fact = question.split("fact ")[1].split(",")[0]
                assert f"value{fact}." not in head
    assert 0.2 < refused / total < 0.4


def test_an_unanswerable_case_is_filed_under_its_best_hit(writer: Writer) -> None:
    case = QaCase(id="u", question="Why?", answers=(), answerable=False)
    found = {"u": Evidence(None, (hit(1), hit(2)))}

    (example,) = context_examples(
        [case], found, writer=writer, settings=ContextSettings(), seed=0
    )

    assert [answer for _, answer in asked(example.turns)] == [NOT_IN_DOCUMENTS]


def test_a_case_whose_passage_is_unknown_is_left_out(writer: Writer) -> None:
    cases, evidence = cases_and_evidence(2)
    evidence[cases[0].id] = Evidence(None, (hit(1),))

    examples = context_examples(
        cases,
        evidence,
        writer=writer,
        settings=ContextSettings(gold_share=1.0),
        seed=0,
    )

    questions = [q for example in examples for q, _ in asked(example.turns)]
    assert not any(cases[0].question in question for question in questions)
    assert len(questions) == len(cases) - 1


def test_the_seed_decides_the_draw(writer: Writer) -> None:
    cases, evidence = cases_and_evidence(12)

    def drawn(seed: int) -> list[object]:
        return list(
            context_examples(
                cases, evidence, writer=writer, settings=ContextSettings(), seed=seed
            )
        )

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
