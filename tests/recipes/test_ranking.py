"""What training cases teach about which sentence is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.values import Hit, Passage, QaCase
from groundtune.recipes.comparison.ranking import learn_ranking
from groundtune.recipes.comparison.reading import Shown
from groundtune.retrieve.narrow import Narrower

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

THINGS = ("mayor", "tower", "river", "craft")
ASKED = ("governs", "climb", "flows", "earns")
"""In the order of `THINGS`, in words that no document uses."""
TOWNS = 24


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Knows the words of documents and those of questions, not that they are one."""
    words = (*THINGS, *ASKED)
    rows = [[1e-3, *(float(word in text) for word in words)] for text in texts]
    found = np.array(rows, np.float32).reshape(len(texts), 1 + len(words))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def shown(town: int, thing: int, *, asked: Sequence[str] = ASKED) -> Shown:
    """A question about one of four facts, each in a sentence of its own."""
    texts = [f"The {word} there is number {town}{n}." for n, word in enumerate(THINGS)]
    text = " ".join(texts)
    passage = Passage(
        id=f"t{town}", document=f"t{town}", start=0, end=len(text), text=text
    )
    case = QaCase(
        id=f"{town}/{thing}",
        question=f"Who or what {asked[thing]} so?",
        answers=(f"number {town}{thing}",),
        source=f"t{town}",
        group=f"t{town}",
    )
    return Shown(case, [passage], [Hit(passage=passage, score=1.0)])


def lessons(*, asked: Sequence[str] = ASKED, towns: int = TOWNS) -> list[Shown]:
    # Facts in turn: the first sentence is the right one no more often than others.
    return [
        shown(town, (town + n) % 4, asked=asked)
        for town in range(towns)
        for n in (0, 1)
    ]


def test_questions_in_other_words_come_to_mean_the_right_sentence() -> None:
    narrower = Narrower(encode)
    ranking = learn_ranking(lessons(), narrower, k=1)
    assert ranking.adapter is not None
    assert ranking.figures["learned"] > ranking.figures["plain"] + 0.2
    assert ranking.figures["low"] > 0
    new = shown(99, 3)
    turned = narrower.adapted(ranking.adapter)
    (best,) = turned.nearest(new.case.question, new.hits, sentences=1)
    assert "craft" in best.passage.text
    (before,) = narrower.nearest(new.case.question, new.hits, sentences=1)
    assert "craft" not in before.passage.text


def test_a_case_is_shown_by_one_that_has_not_learned_from_its_document() -> None:
    narrower = Narrower(encode)
    some = lessons()
    odd = shown(5, 0, asked=("oddly",) * 4)  # its document alone teaches that word
    ranking = learn_ranking([*some, odd], narrower, k=1)
    own = ranking.narrower_for(odd.case)
    other = ranking.narrower_for(some[0].case)
    sentences = [odd.right[0]]
    assert own.nearness("governs", sentences) != other.nearness("governs", sentences)
    unknown = QaCase(id="x", question="?", answers=(), source="new")
    assert ranking.adapter is not None
    final = narrower.adapted(ranking.adapter).nearness("governs", sentences)
    assert ranking.narrower_for(unknown).nearness("governs", sentences) == final
    assert own.nearness("governs", sentences) != final


def test_what_needs_no_learning_learns_nothing() -> None:
    narrower = Narrower(encode)
    ranking = learn_ranking(lessons(asked=THINGS), narrower, k=1)
    assert ranking.adapter is None
    assert ranking.figures["plain"] == pytest.approx(1.0)
    assert ranking.narrower_for(lessons()[0].case) is narrower


@pytest.mark.parametrize("towns", [0, 2, 4])
def test_few_documents_cannot_tell(towns: int) -> None:
    ranking = learn_ranking(lessons(towns=towns), Narrower(encode), k=1)
    assert ranking.adapter is None


def test_cases_whose_sentence_was_not_found_teach_nothing() -> None:
    lost = [one._replace(hits=[]) for one in lessons()]
    assert learn_ranking(lost, Narrower(encode), k=1).figures == {}
