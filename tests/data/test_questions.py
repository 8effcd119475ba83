"""Questions drafted by rule: what each rule makes of a page, and what is sifted out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundtune.core.errors import DataError
from groundtune.core.values import Block, Document, Span
from groundtune.data.cases import read_cases, write_cases
from groundtune.data.questions.draft import chosen, draft_all, sift
from groundtune.data.questions.drafts import Draft, one_line
from groundtune.data.questions.file import fact_of, read_facts, write_facts
from groundtune.data.read import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.data.questions.draft import Sifted


def page(text: str, *, title: str = "", name: str = "page.md") -> Document:
    return Document(id=name, text=text, title=title)


def sifted(*documents: Document) -> Sifted:
    texts = {document.id: document.text for document in documents}
    return sift(draft_all(documents), texts)


def asked(text: str, *, title: str = "") -> list[tuple[str, str, str]]:
    return [
        (draft.rule, draft.questions[0], draft.answer)
        for draft in sifted(page(text, title=title)).drafts
    ]


@pytest.mark.parametrize(
    ("sentence", "rule", "question", "answer"),
    [
        (
            "Linux is the kernel of a Unix-like operating system.",
            "definition",
            "What is Linux?",
            "the kernel of a Unix-like operating system",
        ),
        (
            "The Debian Project was created by Ian Murdock in 1993.",
            "date",
            "When was the Debian Project created by Ian Murdock?",
            "1993",
        ),
        (
            "The Debian Project was created by Ian Murdock in 1993.",
            "name",
            "By whom was the Debian Project created?",
            "Ian Murdock",
        ),
        (
            "The ferry to Harrow leaves at 6:40 from the mole.",
            "date",
            "When does the ferry to Harrow leave?",
            "6:40",
        ),
        (
            "Debian comes with more than 59100 packages and runs on 9 architectures.",
            "count",
            "How many packages does Debian come with?",
            "more than 59100",
        ),
        (
            "Four hundred terns breed in the Harrow dunes.",
            "count",
            "How many terns breed in the Harrow dunes?",
            "Four hundred",
        ),
        (
            "The ferry from Marnholm takes 35 minutes.",
            "amount",
            "How long does the ferry from Marnholm take?",
            "35 minutes",
        ),
        (
            "The Debian release after bullseye will be called bookworm.",
            "name",
            "What will the Debian release after bullseye be called?",
            "bookworm",
        ),
        (
            "We follow the Filesystem Hierarchy Standard (FHS) of Linux.",
            "abbreviation",
            "What does FHS stand for?",
            "Filesystem Hierarchy Standard",
        ),
        (
            "The Lantern tower is 31 metres high and has 142 steps.",
            "value",
            "How high is the Lantern tower?",
            "31 metres",
        ),
        (
            "The keys of Debian are stored in /usr/share/keyrings.",
            "place",
            "Where are the keys of Debian stored?",
            "/usr/share/keyrings",
        ),
        (
            "The dpkg-deb program is used to build packages.",
            "purpose",
            "What is the dpkg-deb program used for?",
            "build packages",
        ),
        (
            "To remove Python, open Settings and use Apps and Features.",
            "how to",
            "How do you remove Python?",
            "open Settings and use Apps and Features",
        ),
        (
            "The term Recto refers to the right page of a book.",
            "meaning",
            "What does Recto refer to?",
            "the right page of a book",
        ),
    ],
)
def test_a_rule_asks_for_what_a_sentence_says(
    sentence: str, rule: str, question: str, answer: str
) -> None:
    assert (rule, question, answer) in asked(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "It is the kernel of a Unix-like operating system.",
        "This package was created by Ian Murdock in 1993.",
        "The first argument is the name of a file.",
        "Choosing a room is an important decision.",
        "There are four hundred terns.",
        "A key is the solution for this group of people.",
        "See https://example.org which was created by Ian Murdock in 1993.",
        "Which terns breed here?",
    ],
)
def test_what_means_nothing_alone_is_not_asked(sentence: str) -> None:
    assert asked(sentence) == []


def test_a_thing_without_a_name_is_asked_for_with_its_page() -> None:
    found = asked("A bed costs 24 crowns a night.", title="Rooms")
    assert found == [
        (
            "amount",
            'How much does a bed cost, according to "Rooms"?',
            "24 crowns a night",
        )
    ]


def test_structure_asks_too(tmp_path: Path) -> None:
    path = tmp_path / "house.md"
    path.write_text(
        "# The house\n\n## Where is the key of the house?\n\nThe key hangs behind the "
        "blue door.\n\n## Opening hours\n\nFrom 9 to 17.\n\n## Facts\n\n"
        "- Rent: 900 crowns\n- Lantern: a room with eight beds\n",
        encoding="utf-8",
    )
    found = sifted(read_document(path, root=tmp_path)).drafts
    told = {(draft.rule, draft.questions[0], draft.answer) for draft in found}
    assert told == {
        (
            "heading question",
            "Where is the key of the house?",
            "The key hangs behind the blue door",
        ),
        (
            "heading",
            'What are the opening hours, according to "The house"?',
            "From 9 to 17",
        ),
        ("key", 'What is the rent, according to "Facts"?', "900 crowns"),
        (
            "description",
            'What is Lantern, according to "Facts"?',
            "a room with eight beds",
        ),
    }


def test_a_table_is_asked_cell_by_cell() -> None:
    text = "room: Lantern; beds: 8; price: 24 crowns\nroom: Attic; beds: 2; price: 30"
    table = Document(
        id="t.csv", text=text, blocks=(Block(kind="table", start=0, end=len(text)),)
    )
    told = {(d.questions[0], d.answer) for d in sifted(table).drafts}
    assert ("What is the price of Lantern?", "24 crowns") in told
    assert ("What are the beds of Attic?", "2") in told
    assert len(told) == 4


def test_a_table_in_markdown_is_a_table_too() -> None:
    text = "| room | beds |\n| --- | --- |\n| Lantern | 8 |\n| Attic | 2 |\n"
    table = Document(
        id="t.md", text=text, blocks=(Block(kind="table", start=0, end=len(text)),)
    )
    told = {(d.questions[0], d.answer) for d in sifted(table).drafts}
    assert told == {
        ("What are the beds of Lantern?", "8"),
        ("What are the beds of Attic?", "2"),
    }


def test_a_question_with_two_answers_in_the_base_is_left_out() -> None:
    found = sifted(
        page("The Harrow ferry takes 35 minutes.", name="a"),
        page("The Harrow ferry takes 50 minutes.", name="b"),
        page("The Amling ferry takes 20 minutes.", name="c"),
    )
    assert [draft.answer for draft in found.drafts] == ["20 minutes"]
    assert found.dropped == {"several answers in the documents": 2}


def test_the_same_question_is_kept_once() -> None:
    found = sifted(
        page("The Harrow ferry takes 35 minutes.", name="a"),
        page("The Harrow ferry takes 35 minutes.", name="b"),
    )
    assert [draft.document for draft in found.drafts] == ["a"]
    assert found.dropped == {"nearly the same as another": 1}


def test_a_question_that_gives_its_answer_away_is_left_out() -> None:
    document = page("The Lantern room is a room. It is called Lantern.")
    given_away = Draft(
        questions=("Is Lantern a room?", "Which room is Lantern?", "Lantern?"),
        answer="Lantern",
        rule="test",
        document="page.md",
        evidence=Span(0, 27),
    )
    elsewhere = Draft(
        questions=("What?", "Which?", "Who?"),
        answer="the moon",
        rule="test",
        document="page.md",
        evidence=Span(0, 27),
    )
    found = sift([given_away, elsewhere], {"page.md": document.text})
    assert found.drafts == ()
    assert found.dropped == {
        "question gives its answer away": 1,
        "answer not in its evidence": 1,
    }


TEXT = (
    "The Harrow ferry Linux is are was created by Ian in 1993 a the set of terns used "
    "to costs three crowns has called means room . , : ( ) ? - \n | 31 metres high "
    "https://x.org /var/log It FHS"
)
WORDS = st.sampled_from(TEXT.split(" "))


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_whatever_is_asked_stands_in_its_document(words: list[str]) -> None:
    document = page(" ".join(words), title="Rooms")
    for draft in sifted(document).drafts:
        evidence = document.text[draft.evidence.start : draft.evidence.end]
        assert draft.answer in one_line(evidence)
        assert len(set(draft.questions)) >= 3
        assert all(question.endswith("?") for question in draft.questions)


def test_a_limit_is_spread_over_documents_and_rules() -> None:
    long = page(
        " ".join(f"The Harrow{n} ferry takes {n} minutes." for n in range(20, 60)),
        name="long",
    )
    short = page("The Amling ferry takes 20 minutes.", name="short")
    drafts = sifted(long, short).drafts
    taken = chosen(drafts, limit=4, seed=0)
    assert len(taken) == 4
    assert {draft.document for draft in taken} == {"long", "short"}
    assert taken == chosen(drafts, limit=4, seed=0)
    assert taken != chosen(drafts, limit=4, seed=1)
    assert chosen(drafts, limit=None, seed=0) == list(drafts)


def test_drafts_are_cases_that_say_they_are_not_reviewed(tmp_path: Path) -> None:
    document = page("The Harrow ferry takes 35 minutes.", name="ferry.md")
    facts = [fact_of(draft, document) for draft in sifted(document).drafts]
    path = tmp_path / "drafts.jsonl"
    write_facts(path, facts)
    assert read_facts(path) == facts
    cases = read_cases(path)
    assert len(cases) == 3
    assert not any(case.reviewed for case in cases)
    assert {case.answers for case in cases} == {("35 minutes",)}
    assert {case.evidence for case in cases} == {(document.text,)}
    # The mark goes along wherever cases are written; that of others is not spelt out.
    write_cases(path, cases)
    assert not any(case.reviewed for case in read_cases(path))
    accepted = facts[0].edited()
    write_facts(path, [accepted])
    assert all(case.reviewed for case in read_cases(path))
    write_cases(path, read_cases(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all("reviewed" not in json.loads(line) for line in lines)


def test_an_edit_must_stay_within_the_evidence() -> None:
    document = page("The Harrow ferry takes 35 minutes.")
    fact = fact_of(sifted(document).drafts[0], document)
    changed = fact.edited(questions=["How long is the crossing?"], answer="35")
    assert (changed.questions, changed.answer, changed.reviewed) == (
        ("How long is the crossing?",),
        "35",
        True,
    )
    assert changed.made_by == "rule: amount, edited"
    assert fact.edited().made_by == "rule: amount"
    with pytest.raises(DataError, match="does not stand in the evidence"):
        fact.edited(answer="50 minutes")
    with pytest.raises(DataError, match="needs a question"):
        fact.edited(questions=[" "])
