"""The one class behind the four arms, with an engine that really reads its prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import INSTRUCTION, PromptBuilder
from groundtune.core.values import Hit, Passage, QaCase, Span, Usage
from groundtune.retrieve.narrow import Narrower
from groundtune.systems.arm import Given, KnowledgeSystem, Retrieved
from groundtune.tasks.qa import is_abstention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from groundtune.augment.prompt import PromptStyle

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n"
    "{% endfor %}<assistant>"
)
DOCUMENT = "The mill is old. Mira Holt built the tower. It is tall."


class Characters:
    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(at, at + 1) for at in range(len(text))]


@dataclass(frozen=True)
class Said:
    text: str
    usage: Usage
    first_token_ms: float = 1.0
    total_ms: float = 2.0
    logprob: float | None = None


class Reader:
    """Answers with what stands before `built the tower` in the prompt it is given."""

    name = "reader"
    context_length = 4000

    def __init__(self) -> None:
        self.asked = 0
        self.tokenizer = Characters()

    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Said:
        self.asked += 1
        answer = self.reply(self.tokenizer.decode(prompt))[:max_tokens]
        if on_text:
            on_text(answer)
        return Said(answer, Usage(prompt_tokens=len(prompt), output_tokens=len(answer)))

    def reply(self, text: str) -> str:
        before, found, _ = text.partition(" built the tower")
        return f"{before.rsplit('. ', 1)[-1]} [1]" if found else "Not in the documents."


class Shelf:
    """A retriever over one document."""

    def __init__(self, *texts: str) -> None:
        self._hits = [
            Hit(
                passage=Passage(
                    id=str(n), document="d", start=100, end=100 + len(text), text=text
                ),
                score=1.0,
            )
            for n, text in enumerate(texts)
        ]
        self.queries: list[str] = []

    def search(self, query: str, *, k: int) -> list[Hit]:
        self.queries.append(query)
        return self._hits[:k]


CASE = QaCase(
    id="1",
    question="Who made the tower?",
    answers=("Mira Holt",),
    source="secret.md",
    evidence=("secret evidence",),
)


class Nearest:
    """Encodes a text as whether it speaks of what was made."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [[1.0, 0.0] if "made" in t or "Mira" in t else [0.0, 1.0] for t in texts]
        return np.array(rows, np.float32)


def system(
    *,
    shelf: Shelf | None = None,
    engine: Reader | None = None,
    style: PromptStyle = INSTRUCTION,
) -> KnowledgeSystem:
    reader = engine or Reader()
    return KnowledgeSystem(
        "rag",
        reader,
        PromptBuilder(ChatTemplate(TEMPLATE), reader.tokenizer, style=style),
        evidence=Retrieved(shelf, 3) if shelf is not None else None,
        narrower=Narrower(Nearest().encode),
        max_tokens=30,
    )


def test_an_answer_rests_on_the_sentence_that_holds_it() -> None:
    answer = system(shelf=Shelf(DOCUMENT)).answer(CASE)

    assert answer.text == "Mira Holt"
    (citation,) = answer.citations
    assert citation.text == "Mira Holt built the tower."
    assert DOCUMENT[citation.start - 100 : citation.end - 100] == citation.text
    assert not answer.abstained
    assert answer.usage.prompt_tokens > 0
    assert answer.timing.total_ms > 0


class Quoting(Reader):
    """Answers with the first passage that it is shown."""

    def reply(self, text: str) -> str:
        return text.partition("[1] ")[2].partition("\n")[0] + " [1]"


def test_a_style_may_read_the_nearest_sentences_alone() -> None:
    shelf, engine = Shelf(DOCUMENT), Quoting()
    style = replace(INSTRUCTION, sentences=1)
    answer = system(shelf=shelf, engine=engine, style=style).answer(CASE)

    assert answer.text == "Mira Holt built the tower."
    assert list(answer.hits) == shelf.search("", k=3), "what was found is told whole"
    (citation,) = answer.citations
    assert DOCUMENT[citation.start - 100 : citation.end - 100] == answer.text


class Copying(Reader):
    """Answers with the last word that it may copy."""

    def copy(
        self,
        prompt: Sequence[int],
        *,
        texts: Sequence[str],
        question: str,
        otherwise: str,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Said:
        del max_tokens, on_text
        assert is_abstention(otherwise)
        assert question in self.tokenizer.decode(prompt)
        words = " ".join(texts).rstrip(".").split()
        return Said(words[-1], Usage(prompt_tokens=len(prompt), output_tokens=1))


def test_a_style_may_bind_the_model_to_what_it_reads() -> None:
    shelf, engine = Shelf(DOCUMENT), Copying()
    style = replace(INSTRUCTION, sentences=1, copies=True)
    one = system(shelf=shelf, engine=engine, style=style)
    answer = one.answer(CASE)

    assert one.can_copy
    assert not system(shelf=shelf).can_copy
    free = system(shelf=shelf).with_style(replace(INSTRUCTION, copies=True))
    assert free.answer(CASE).text == "Mira Holt", "an engine that cannot be bound"
    assert answer.text == "tower"
    assert [hit.passage.text for hit in answer.read] == ["Mira Holt built the tower."]
    assert engine.asked == 0, "it never wrote what it liked"


def test_sentences_are_looked_for_in_more_passages_than_are_read_whole() -> None:
    shelf, engine = Shelf(*["The mill is old."] * 3, DOCUMENT), Quoting()
    assert len(system(shelf=shelf, engine=engine).answer(CASE).hits) == 3
    style = replace(INSTRUCTION, sentences=1)
    answer = system(shelf=shelf, engine=engine, style=style).answer(CASE)

    assert answer.text == "Mira Holt built the tower."
    assert len(answer.hits) == 4


def test_the_question_alone_reaches_retrieval_and_prompt() -> None:
    seen: list[str] = []

    class Watching(Reader):
        def reply(self, text: str) -> str:
            seen.append(text)
            return super().reply(text)

    shelf = Shelf("The mill is old.")
    system(shelf=shelf, engine=Watching()).answer(CASE)

    assert shelf.queries == [CASE.question]
    assert CASE.question in seen[0]
    assert "Mira Holt" not in seen[0], "accepted answers never reach a prompt"
    assert "secret" not in seen[0], "nor does evidence, but through retrieval"


def test_answers_do_not_depend_on_the_accepted_answers() -> None:
    other = replace(CASE, answers=("nobody",), answerable=False, evidence=())

    first = system(shelf=Shelf(DOCUMENT)).answer(CASE)
    second = system(shelf=Shelf(DOCUMENT)).answer(other)

    assert (first.text, first.citations) == (second.text, second.citations)


def test_without_hits_it_abstains_and_asks_no_model() -> None:
    engine = Reader()

    answer = system(shelf=Shelf(), engine=engine).answer(CASE)

    assert answer.abstained
    assert "documents hold nothing" in answer.reason
    assert engine.asked == 0


def test_the_models_own_refusal_is_an_abstention_without_citations() -> None:
    answer = system(shelf=Shelf("The mill is old.")).answer(CASE)

    assert answer.abstained
    assert answer.citations == ()
    assert answer.hits
    assert "model found no answer" in answer.reason


def test_closed_book_has_neither_hits_nor_citations() -> None:
    answer = system().answer(CASE)

    assert answer.hits == ()
    assert answer.citations == ()
    assert answer.timing.retrieve_ms == 0


def test_given_evidence_is_looked_up_by_case() -> None:
    (hit,) = Shelf(DOCUMENT).search("", k=1)
    given = Given({"1": [hit]})

    assert given.find(CASE) == [hit]
    assert given.find(replace(CASE, id="2")) == []


def test_text_is_streamed_as_written() -> None:
    pieces: list[str] = []

    system(shelf=Shelf(DOCUMENT)).answer(CASE, on_text=pieces.append)

    assert "".join(pieces) == "Mira Holt [1]"
