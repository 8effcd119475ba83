"""Passages for a turn: two searches joined, topics told apart, history dropped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import INSTRUCTION, PromptBuilder
from groundtune.augment.rewriting import (
    MAX_QUERY_TOKENS,
    RewritePromptBuilder,
    Standalone,
)
from groundtune.core.values import DialogueCase, Hit, Message, Passage, Span, Usage
from groundtune.generate.engines import Generated
from groundtune.systems.dialogue import DialogueSystem
from groundtune.systems.follow_ups import (
    ModelRewriter,
    TurnFinder,
    as_asked,
    join_hits,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEXTS = {
    "tools.md": [
        "A drill may be kept for five days.",
        "A drill that comes back late costs two crowns a day.",
    ],
    "members.md": [
        "Children join the library at the age of ten.",
        "Membership costs thirty crowns a year.",
    ],
    "bread.md": ["Rye bread rises overnight and is baked at dawn."],
}
DRILL = [
    Message("user", "How long may I keep a drill?"),
    Message("assistant", "A drill may be kept for five days."),
]


class Words:
    """Words as tokens."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(r"\w+", text)]


class Library:
    """Ranks passages by the rarity of the words that they share with the query."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.passages = [
            Passage(id=f"{document}-{n}", document=document, start=0, end=1, text=text)
            for document, texts in TEXTS.items()
            for n, text in enumerate(texts)
        ]

    def search(self, query: str, *, k: int) -> list[Hit]:
        self.queries.append(query)
        words = [set(re.findall(r"\w+", p.text.lower())) for p in self.passages]
        asked = set(re.findall(r"\w+", query.lower()))
        scores = [
            sum(1 / sum(word in other for other in words) for word in asked & own)
            for own in words
        ]
        hits = [
            Hit(passage=passage, score=score)
            for passage, score in zip(self.passages, scores, strict=True)
            if score > 0
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))[:k]


class Speaker:
    """Says what it was told to; remembers what it was asked."""

    name = "speaker"
    context_length = 4000

    def __init__(self, *answers: str) -> None:
        self.tokenizer = Words()
        self.prompts: list[str] = []
        self._answers = list(answers)

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Generated:
        self.prompts.append(self.tokenizer.decode(prompt))
        text = self._answers.pop(0)
        if on_text:
            on_text(text)
        usage = Usage(prompt_tokens=len(prompt), output_tokens=min(9, max_tokens))
        return Generated(text=text, usage=usage, first_token_ms=1.0, total_ms=2.0)


TEMPLATE = ChatTemplate(
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
)


def asked(question: str, *, after: Sequence[Message] = ()) -> list[Message]:
    return [*after, Message("user", question)]


def first(hits: Sequence[Hit]) -> str:
    return hits[0].passage.id


def test_a_first_turn_is_searched_for_as_it_stands() -> None:
    library = Library()
    finder = TurnFinder(library, Words())

    turn = finder.read(asked("What does membership cost?"))

    assert turn.standalone == Standalone(text="What does membership cost?")
    assert finder.find(turn, k=2) == Library().search(turn.question, k=2)
    assert library.queries == ["What does membership cost?"]


def test_a_follow_up_finds_what_it_leaves_out() -> None:
    finder = TurnFinder(Library(), Words())
    turn = finder.read(asked("What if it comes back late?", after=DRILL))
    vague = finder.read(asked("Which costs?", after=DRILL))

    assert first(finder.find(turn, k=3)) == "tools.md-1"
    assert "drill" in vague.standalone.carried
    # Alone it fits two documents alike; what was said before decides.
    assert first(Library().search("Which costs?", k=3)) == "members.md-1"
    found = [hit.passage.id for hit in finder.find(vague, k=5)]
    assert found[0].startswith("tools.md")
    assert found.index("tools.md-1") < found.index("members.md-1")


def test_a_new_topic_drops_the_history() -> None:
    finder = TurnFinder(Library(), Words())
    turn = finder.read(asked("Can children join the library?", after=DRILL))

    assert turn.standalone.new_topic
    assert turn.topic == "new"
    assert turn.history == ()
    assert turn.standalone.text == turn.question
    assert first(finder.find(turn, k=1)) == "members.md-0"


@pytest.mark.parametrize("question", ["Why?", "Is a drill for children, too?"])
def test_few_words_or_known_ones_go_on_with_the_topic(question: str) -> None:
    turn = TurnFinder(Library(), Words()).read(asked(question, after=DRILL))

    assert not turn.standalone.new_topic
    assert turn.history == tuple(DRILL)


def test_a_doubtful_turn_leans_more_on_its_own_words() -> None:
    finder = TurnFinder(Library(), Words())
    turn = finder.read(asked("Is rye baked?", after=DRILL))
    sure = turn._replace(topic="same")

    assert turn.topic == "doubtful"
    assert turn.history == tuple(DRILL)
    scores = [
        {hit.passage.id: hit.score for hit in finder.find(each, k=5)}
        for each in (turn, sure)
    ]
    assert scores[0]["tools.md-0"] < scores[1]["tools.md-0"]


def test_the_history_keeps_to_its_budget() -> None:
    finder = TurnFinder(Library(), Words(), history_tokens=8)
    turn = finder.read(asked("And late ones?", after=DRILL))

    assert turn.history == (DRILL[1],)
    none = TurnFinder(Library(), Words(), history_tokens=0)
    assert none.read(asked("And late ones?", after=DRILL)).history == ()


def test_without_rewriting_the_last_turn_alone_is_searched_for() -> None:
    library = Library()
    finder = TurnFinder(library, Words(), rewrite=as_asked)
    finder.find(finder.read(asked("And the costs?", after=DRILL)), k=2)

    assert library.queries == ["And the costs?"]


def hit(name: str, score: float) -> Hit:
    passage = Passage(id=name, document="d", start=0, end=1, text=name)
    return Hit(passage=passage, score=score)


def test_lists_are_joined_by_scaled_scores() -> None:
    asked_for = [hit("a", 9.0), hit("b", 5.0), hit("c", 1.0)]
    alone = [hit("c", 0.4), hit("b", 0.3), hit("d", 0.0)]

    joined = join_hits(asked_for, alone, weight=0.5)

    assert [h.passage.id for h in joined] == ["b", "a", "c", "d"]
    assert joined[0].score == pytest.approx(0.5 * 0.75 + 0.5 * 0.5)
    assert [h.score for h in joined[1:]] == [0.5, 0.5, 0.0]


@given(
    scores=st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    shift=st.floats(-3, 3),
    times=st.floats(0.5, 4),
)
def test_scaling_does_not_depend_on_what_scores_are(
    scores: list[float], shift: float, times: float
) -> None:
    hits = [hit(str(n), round(s, 3)) for n, s in enumerate(scores)]
    moved = [hit(h.passage.id, h.score * times + shift) for h in hits]

    values = [score for _, score in scaled(hits)]

    assert max(values) == 1.0
    assert all(0 <= value <= 1 for value in values)
    assert [s for _, s in scaled(moved)] == pytest.approx(values, abs=1e-6)


def test_a_model_puts_the_question_and_the_rules_stand_in() -> None:
    speaker = Speaker("What does a late drill cost?", "Bananas are yellow.")
    rewriter = ModelRewriter(speaker, RewritePromptBuilder(TEMPLATE, Words()))

    made = rewriter("What if it is late?", DRILL)
    refused = rewriter("What if it is late?", DRILL)

    assert (made.text, made.by) == ("What does a late drill cost?", "model")
    assert refused.by == "rules"
    assert refused.refused == "it leaves out what was asked"
    assert "Assistant: A drill may be kept for five days." in speaker.prompts[0]


def test_the_answering_model_reads_a_question_and_not_a_list_of_words() -> None:
    speaker = Speaker("What does a late drill cost?")
    rewriter = ModelRewriter(speaker, RewritePromptBuilder(TEMPLATE, Words()))
    late = asked("What if it is late?", after=DRILL)

    by_rules = TurnFinder(Library(), Words()).read(late)
    by_model = TurnFinder(Library(), Words(), rewrite=rewriter).read(late)

    before = 'Asked before: "How long may I keep a drill?"'
    assert by_rules.shown == f"What if it is late? ({before})"
    assert by_model.shown == "What does a late drill cost?"


def test_a_prompt_that_does_not_fit_loses_its_oldest_turns() -> None:
    speaker = Speaker("What does a late drill cost?")
    builder = RewritePromptBuilder(TEMPLATE, Words())
    fits = len(builder.build("What if it is late?", DRILL))
    speaker.context_length = fits + MAX_QUERY_TOKENS + 20
    rewriter = ModelRewriter(speaker, builder)
    old = Message("user", "An old turn. " * 10)

    rewriter("What if it is late?", [old, *DRILL])

    assert "An old turn." not in speaker.prompts[0]
    assert "A drill may be kept" in speaker.prompts[0]


def test_a_turn_is_answered_with_citations_of_its_own() -> None:
    speaker = Speaker("It costs two crowns a day [1]", "At the age of ten [1]")
    system = DialogueSystem(
        "rag",
        speaker,
        PromptBuilder(TEMPLATE, Words(), style=INSTRUCTION),
        TurnFinder(Library(), Words()),
        k=2,
        max_tokens=20,
    )
    seen: list[str] = []

    def say(question: str) -> DialogueCase:
        messages = tuple(asked(question, after=DRILL))
        return DialogueCase(id="1", messages=messages, answers=())

    late = system.answer(
        say("What if it comes back late?"),
        on_turn=lambda turn: seen.append(turn.standalone.text),
    )
    children = system.answer(say("Which age do children join the library at?"))

    assert [c.document for c in late.citations] == ["tools.md"]
    assert late.citations[0].text == TEXTS["tools.md"][1]
    assert [c.document for c in children.citations] == ["members.md"]
    assert seen[0].startswith("What if it comes back late? (")
    assert late.timing.total_ms >= late.timing.retrieve_ms > 0
    assert "drill" not in speaker.prompts[1].rsplit("Question:", 1)[1]
