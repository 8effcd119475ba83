"""Signals of an answer, and the confidence that is made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from groundtune.core.values import Answer, Citation, Hit, Passage, Usage
from groundtune.generate.confidence import Confidence, answer_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = "The harbour office opens at nine. Permits cost 12 crowns a day. Bring a photo."
SECOND = "The market is on the quay. It sells fish."


def hit(text: str, *, number: int, similarity: float | None) -> Hit:
    passage = Passage(
        id=str(number), document=f"{number}.md", start=10, end=10 + len(text), text=text
    )
    return Hit(passage=passage, score=1.0, similarity=similarity)


def answer(**changes: object) -> Answer:
    start = FIRST.index("Permits")
    quoted = "Permits cost 12 crowns a day."
    cited = Citation(
        document="1.md",
        start=10 + start,
        end=10 + start + len(quoted),
        text=quoted,
    )
    given: dict[str, object] = {
        "text": "12 crowns",
        "citations": (cited,),
        "hits": (
            hit(FIRST, number=1, similarity=0.7),
            hit(SECOND, number=2, similarity=0.3),
        ),
        "usage": Usage(prompt_tokens=50, output_tokens=3),
        "logprob": -0.8,
    }
    return Answer(**{**given, **changes})  # type: ignore[arg-type]


def test_signals_say_what_stands_where() -> None:
    found = answer_signals("How much are permits in Veltmark?", answer())
    assert found["sureness"] == pytest.approx(-0.2)
    assert found["least_doubt"] == -0.8
    assert found["similarity"] == 0.7
    assert found["lead"] == pytest.approx(0.4)
    # Of "permits" and "Veltmark" the first passage has one, and Veltmark is a name.
    assert found["words_found"] == pytest.approx(0.5)
    assert found["words_near"] == pytest.approx(0.5)
    assert found["names_found"] == 0
    assert (found["cited"], found["cited_first"]) == (1, 1)
    assert found["length"] == pytest.approx(math.log(4))
    assert found["cited_similarity"] is None


def test_what_is_cited_is_compared_with_the_question() -> None:
    def likeness(text: str, others: Sequence[str]) -> list[float]:
        return [len(text) / 100 + len(other) / 1000 for other in others]

    found = answer_signals("How much?", answer(), likeness=likeness)
    assert found["cited_similarity"] == pytest.approx(0.09 + 0.029)
    assert found["answer_similarity"] == pytest.approx(0.19 + 0.029)
    uncited = answer_signals("How much?", answer(citations=()), likeness=likeness)
    assert uncited["cited_similarity"] == 0


def test_names_and_numbers_of_the_question_are_looked_for_in_all_passages() -> None:
    other = hit("Veltmark had 1400 people.", number=3, similarity=None)
    made = answer(hits=(*answer().hits, other))
    assert answer_signals("Was Veltmark large in 1400?", made)["names_found"] == 1
    assert answer_signals("Was Veltmark large in 1600?", made)["names_found"] == 0.5
    assert answer_signals("what does a permit cost", made)["names_found"] == 1


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    plain = answer(hits=(hit(FIRST, number=1, similarity=None),), logprob=None)
    found = answer_signals("How much are permits?", plain)
    assert found["sureness"] is None
    assert found["similarity"] is None
    assert found["lead"] is None
    bare = answer_signals("Why?", answer(hits=(), citations=()))
    assert (bare["cited"], bare["words_found"], bare["words_near"]) == (0, 0, 0)


def test_confidence_rises_with_what_speaks_for_an_answer() -> None:
    confidence = Confidence(
        means={"sureness": -1.0, "cited": 0.5},
        scales={"sureness": 0.5, "cited": 0.25},
        weights={"sureness": 1.0, "cited": 0.5},
        bias=0.0,
    )
    assert confidence.of({"sureness": -1.0, "cited": 0.5}) == 0.5
    assert confidence.of({"sureness": -0.5, "cited": 1.0}) == pytest.approx(
        1 / (1 + math.exp(-2))
    )
    # A missing signal counts as an ordinary one; an absurd one does not overflow.
    assert confidence.of({"sureness": None}) == 0.5
    assert confidence.of({"sureness": -1e9, "cited": 0.5}) < 1e-9
