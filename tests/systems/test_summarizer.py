"""Summaries: sourced sentence by sentence, by a model or without one."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.core.errors import ConfigError
from groundtune.core.values import (
    Document,
    Hit,
    Passage,
    Span,
    SummaryCase,
    Usage,
)
from groundtune.generate.batches import Written
from groundtune.systems.drafts import Drafter
from groundtune.systems.summarizer import Material, Summarizer, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

TEMPLATE = ChatTemplate(
    "{% for message in messages %}{{ message['content'] }}\n{% endfor %}#\n"
)
SUBJECTS = ("ferry", "baker", "warden", "tern", "lighthouse", "harbour", "teacher")
STORY = "\n\n".join(
    f"The {subject} of Harrow opens the {number}th gate before sunrise. Then the "
    f"{subject} counts all {number} boats and writes the number on a slate."
    for number, subject in enumerate(SUBJECTS * 3, start=10)
)


class Words:
    """A tokenizer whose tokens are words and line ends."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def encode(self, text: str) -> list[int]:
        found = re.findall(r"\n|\S+", text)
        self.known += [word for word in dict.fromkeys(found) if word not in self.known]
        return [self.known.index(word) for word in found]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.known[number] for number in ids)

    def offsets(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(r"\S+", text)]


class Bags:
    """An embedder of bags of words."""

    name, dim, max_tokens = "bags", 96, 256
    tokenizer = Words()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.full((len(texts), self.dim), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w{4,}", text.lower()):
                vectors[row, zlib.crc32(word.encode()) % self.dim] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Scribe:
    """An engine that writes what a function makes of the text that it is shown."""

    name = "scribe"

    def __init__(self, say: Callable[[str], str], *, room: int = 4_000) -> None:
        self.tokenizer = Words()
        self.context_length = room
        self.asked: list[list[str]] = []
        self._say = say

    def write(
        self, prompts: Sequence[Sequence[int]], *, max_tokens: int
    ) -> list[Written]:
        texts = [self.tokenizer.decode(prompt) for prompt in prompts]
        self.asked.append(texts)
        for prompt in prompts:
            assert len(prompt) + max_tokens <= self.context_length
        return [
            Written(
                text=self._say(text.split("text. \n", 1)[-1]),
                usage=Usage(prompt_tokens=len(text.split()), output_tokens=1),
                is_cut=False,
            )
            for text in texts
        ]


def first_sentences(count: int) -> Callable[[str], str]:
    def say(text: str) -> str:
        found = re.findall(r"(?:The|Then)[^.]*\.", text)
        return " ".join(found[:count])

    return say


def dragons(_: str) -> str:
    return "Dragons guard crystal castles. Knights arrive."


def nothing(_: str) -> str:
    return ""


def mostly_dragons(text: str) -> str:
    return f"{first_sentences(1)(text)} Dragons sing. Knights dance."


def summed(
    scribe: Scribe | None = None, *, words: int | None = None, marks: bool = False
) -> Summary:
    system = Summarizer(
        "summary",
        Bags(),
        drafter=Drafter(scribe, TEMPLATE) if scribe else None,
        words=words,
        keeps_unsupported=marks,
    )
    return system.summarize(system.of_document(Document(id="a.txt", text=STORY)))


def check(made: Summary) -> None:
    """Every sentence has its source, and every source says it where it says so."""
    answer = made.answer
    assert made.words == len(answer.text.split())
    spans = {cited.sentence for cited in answer.citations} | set(answer.unsupported)
    covered = " ".join(
        answer.text[span.start : span.end] for span in sorted(filter(None, spans))
    )
    assert covered == answer.text
    for cited in answer.citations:
        assert STORY[cited.start : cited.end] == cited.text


@pytest.mark.parametrize("words", [40, 100, 250])
def test_an_extract_is_as_long_as_asked_for_and_all_its_own_source(words: int) -> None:
    made = summed(words=words)

    check(made)
    assert (made.method, made.why) == ("extractive", "no model was named")
    assert abs(made.words - words) <= max(10, 0.15 * words)
    for cited in made.answer.citations:
        assert cited.sentence is not None
        said = made.answer.text[cited.sentence.start : cited.sentence.end]
        assert " ".join(cited.text.split()) == said
    assert made.answer.check == "span"


def test_a_models_summary_is_taken_where_the_document_bears_it_out() -> None:
    made = summed(Scribe(first_sentences(4)), words=50)

    check(made)
    assert made.method == "abstractive"
    assert not made.answer.unsupported
    assert (made.parts, made.rounds) == (1, 0)
    assert made.answer.usage.prompt_tokens > 300


def test_a_text_beyond_the_context_is_read_in_parts_and_summed_up_again() -> None:
    scribe = Scribe(first_sentences(2), room=380)

    made = summed(scribe, words=25)

    check(made)
    assert made.method == "abstractive"
    assert made.parts == len(scribe.asked[0]) > 1
    assert made.rounds == len(scribe.asked) - 1 >= 1
    assert len(scribe.asked[-1]) == 1
    # Every passage was read, in one part or another.
    read = " ".join(scribe.asked[0])
    assert all(f"{number}th gate" in read for number in range(10, 31))


def test_short_notes_of_the_parts_are_the_summary_already() -> None:
    scribe = Scribe(first_sentences(1), room=380)

    made = summed(scribe, words=40)

    check(made)
    assert made.method == "abstractive"
    assert made.rounds == 0
    assert len(made.answer.citations) == made.parts > 2


def test_what_is_made_up_is_dropped_before_it_is_read_again() -> None:
    def invents(text: str) -> str:
        return f"{first_sentences(2)(text)} Dragons guard seventeen crystal castles."

    scribe = Scribe(invents, room=380)
    made = summed(scribe, words=30)

    check(made)
    assert made.method == "abstractive"
    assert "Dragons" not in made.answer.text
    assert not any("Dragons" in text for asked in scribe.asked for text in asked)

    marked = summed(Scribe(invents), words=30, marks=True)
    check(marked)
    (span,) = marked.answer.unsupported
    assert marked.answer.text[span.start :].startswith("Dragons guard")


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (dragons, "bear out nothing"),
        (nothing, "bear out nothing"),
        (mostly_dragons, "bear out 1 of 3 sentences"),
        (first_sentences(1), "and 60 were asked for"),
    ],
)
def test_an_extract_stands_in_where_it_is_not(
    say: Callable[[str], str], why: str
) -> None:
    made = summed(Scribe(say), words=60)

    check(made)
    assert made.method == "extractive"
    assert why in made.why
    assert abs(made.words - 60) <= 10
    assert made.answer.usage.output_tokens == 1, "the attempt is counted"


def test_a_model_that_says_too_much_is_cut_at_a_sentence() -> None:
    made = summed(Scribe(first_sentences(40)), words=50)

    check(made)
    assert made.method == "abstractive"
    assert abs(made.words - 50) <= 10


def test_a_model_that_learned_to_sum_up_is_asked_as_it_was_taught() -> None:
    scribe = Scribe(first_sentences(1))
    learned = {"instruction": "Sum it up", "max_new_tokens": 30}
    drafter = Drafter(scribe, TEMPLATE, learned=learned)
    system = Summarizer("tuned", Bags(), drafter=drafter)

    answer = system.answer(
        SummaryCase(id="a", document=STORY, summaries=("Something.",))
    )

    assert scribe.asked[0][0].startswith("Sum it up")
    assert len(answer.text.split()) < 20, "it has the length that the model learned"


def test_a_topic_is_looked_up_and_one_that_nobody_tells_of_has_no_summary() -> None:
    class Shelf:
        def search(self, query: str, *, k: int) -> list[Hit]:
            passage = Passage(id="1", document="a", start=0, end=len(STORY), text=STORY)
            weak = Passage(id="2", document="b", start=0, end=5, text="Noise.")
            return [Hit(passage=passage, score=1.0), Hit(passage=weak, score=0.1)][:k]

    system = Summarizer("rag", Bags(), retriever=Shelf(), words=30)

    made = system.summarize(system.on_topic("the baker counts boats"))
    check(made)
    assert "baker" in made.answer.text
    assert {hit.passage.document for hit in made.answer.hits} == {"a"}

    case = SummaryCase(id="q", query="opera premieres", summaries=("x",))
    answer = system.answer(case)
    assert (answer.text, answer.abstained) == ("", True)
    assert "hold nothing" in answer.reason
    with pytest.raises(ConfigError, match="no knowledge base"):
        Summarizer("plain", Bags()).answer(case)
    assert system.summarize(Material(())).answer.abstained
