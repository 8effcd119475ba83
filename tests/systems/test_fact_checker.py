"""Sentences are picked where they stand, and judges decide from them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.values import Hit, Passage
from groundtune.systems.fact_checker import (
    Evidence,
    EvidenceFinder,
    FactChecker,
    Sentence,
    decide,
)
from groundtune.systems.judges import Decision, RuleJudge, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

TEXT = (
    "# The harbour\n\nThe harbour was deepened in 2011. Fog never cancels the ferry. "
    "The waiting room is heated\nand open at night. Dogs travel on deck only."
)


class Words:
    """An embedder that counts words, hashed into 256 places."""

    name, dim, max_tokens = "words", 256, 512

    @property
    def tokenizer(self) -> None:
        return None

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().replace(".", " ").split():
                rows[row, zlib.crc32(word.encode()) % self.dim] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@dataclass
class Fixed:
    """A retriever that always finds the same."""

    hits: list[Hit]

    def search(self, query: str, *, k: int) -> list[Hit]:
        del query
        return self.hits[:k]


def hit(document: str, text: str, *, start: int = 0, end: int | None = None) -> Hit:
    part = text[start:end]
    passage = Passage(
        id=f"{document}{start}",
        document=document,
        start=start,
        end=start + len(part),
        text=part,
    )
    return Hit(passage=passage, score=1.0)


def checker(*hits: Hit) -> FactChecker:
    finder = EvidenceFinder(Fixed(list(hits)), Words())  # pyright: ignore[reportArgumentType]
    return FactChecker("check", finder, RuleJudge())


def test_a_supported_claim_is_cited_where_it_stands() -> None:
    found = checker(hit("harbour.md", TEXT)).check("The harbour was deepened in 2011.")

    assert found.label == "SUPPORTED"
    (citation,) = found.answer.citations
    assert TEXT[citation.start : citation.end] == citation.text
    assert citation.text == "The harbour was deepened in 2011."
    assert citation.sentence == (0, len(found.answer.text))
    assert not found.answer.abstained
    assert "untuned" in found.answer.check


def test_a_wrong_number_and_a_negation_refute() -> None:
    system = checker(hit("harbour.md", TEXT))

    assert system.check("The harbour was deepened in 1975.").label == "REFUTED"
    assert system.check("Fog cancels the ferry.").label == "REFUTED"


def test_what_the_documents_do_not_decide_is_left_open() -> None:
    system = checker(hit("harbour.md", TEXT))

    found = system.check("The mayor likes opera.")

    assert found.label == "NOT_ENOUGH_INFO"
    assert found.answer.abstained
    assert found.answer.reason
    assert found.answer.citations == ()
    assert checker().check("Anything.").answer.reason == (
        "the documents hold nothing on this"
    )


def test_overlapping_passages_show_a_sentence_once() -> None:
    cut = TEXT.index("Fog")
    finder = EvidenceFinder(
        Fixed([]),
        Words(),  # pyright: ignore[reportArgumentType]
    )

    (found,) = finder.select(
        "Fog never cancels the ferry",
        [hit("a.md", TEXT, start=cut), hit("a.md", TEXT)],
    )

    places = [(one.start, one.end) for one in found.sentences]
    assert len(found.sentences) == 3
    assert places == sorted(set(places))
    assert all(TEXT[one.start : one.end] == one.text for one in found.sentences)
    assert "heated and open" in " ".join(found.texts)


def test_five_documents_are_read_at_most() -> None:
    hits = [hit(f"{number}.md", TEXT) for number in range(8)]

    found = EvidenceFinder(Fixed([]), Words()).select("The harbour", hits)  # pyright: ignore[reportArgumentType]

    assert [one.document for one in found] == [f"{number}.md" for number in range(5)]


def test_a_decision_shifts_logits_and_the_surest_document_decides() -> None:
    logits = np.array([[0.0, 0.1, 3.0], [2.0, 2.5, 0.5]])

    assert Decision().best(logits) == 1
    assert Decision().verdict(logits) == "REFUTED"
    assert Decision(refuted=-1.0).verdict(logits) == "SUPPORTED"
    assert Decision(not_enough=4.0).verdict(logits) == "NOT_ENOUGH_INFO"
    assert Decision(refuted=1.0).shares(logits).sum(axis=1) == pytest.approx([1, 1])


def test_no_evidence_is_not_enough() -> None:
    found = decide(RuleJudge(), "A claim.", [])

    assert found.label == "NOT_ENOUGH_INFO"
    assert sum(found.scores.values()) == 1.0


def test_words_of_a_generator() -> None:
    assert said("REFUTED by [2]") == "REFUTED"
    assert said("not supported") == "REFUTED"
    assert said("not enough info") == "NOT_ENOUGH_INFO"
    assert said("") == "NOT_ENOUGH_INFO"


def test_evidence_knows_its_best_sentence() -> None:
    sentences = (Sentence("a", 0, 3, "a  b", 0.2), Sentence("a", 4, 6, "c", 0.7))

    evidence = Evidence(document="a", sentences=sentences)

    assert evidence.likeness == 0.7
    assert evidence.texts == ("a b", "c")
