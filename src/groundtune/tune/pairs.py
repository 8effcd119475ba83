"""Questions with their right and wrong passages: what an embedder is trained on.

Pairs come from labelled questions, or are made from the documents themselves. Pure;
which passages are mined as wrong ones is found by a recipe, with the retriever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundtune.data.sentences import sentence_spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.core.values import Passage

_FEWEST_WORDS, _MOST_WORDS = 6, 40
"""Of a sentence that can stand for a question."""
_LEAST_REST = 100
"""Characters that must be left of a passage without that sentence."""
_FEWEST_TITLE_WORDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A question, one right text, and texts that only look right."""

    query: str
    positive: str
    negatives: tuple[str, ...] = ()
    """The hardest first; an epoch takes some of them in turn."""
    also_right: tuple[str, ...] = ()
    """Other right texts of the question: never counted as wrong ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A held-out question with the texts that are ranked for it."""

    query: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeQuestion:
    """A question made from a document, and the passage that it is about."""

    id: str
    query: str
    passage: Passage
    text: str
    """Text of the passage to train with: what the question was taken from is gone."""


def made_questions(passages: Iterable[Passage], *, most: int) -> list[MadeQuestion]:
    """Questions that passages answer: the nearest heading, or else a sentence.

    The question's words are left out of the text that it is paired with, so that a
    model cannot learn to look for equal words. Which passages are used, where there
    are more than `most`, follows from their ids.
    """
    made: list[MadeQuestion] = []
    for passage in sorted(passages, key=lambda passage: _rank(passage.id)):
        if len(made) == most:
            break
        if question := _from_heading(passage) or _from_sentence(passage):
            made.append(question)
    return made


def _from_heading(passage: Passage) -> MadeQuestion | None:
    above, _, title = passage.heading.rpartition(" > ")
    if len(title.split()) < _FEWEST_TITLE_WORDS or _rank(passage.id) > "8":
        return None
    # A reader may leave the heading in the text as well.
    body = passage.text.replace(title, "", 1).strip()
    if len(body) < _LEAST_REST:
        return None
    return MadeQuestion(
        id=passage.id,
        query=title,
        passage=passage,
        text=f"{above}\n{body}" if above else body,
    )


def _from_sentence(passage: Passage) -> MadeQuestion | None:
    spans = sentence_spans(passage.text)
    fitting = [
        (start, end)
        for start, end in spans
        if _FEWEST_WORDS <= len(passage.text[start:end].split()) <= _MOST_WORDS
        and end - start + _LEAST_REST <= len(passage.text)
    ]
    if not fitting:
        return None
    start, end = fitting[int(_rank(passage.id), 16) % len(fitting)]
    rest = f"{passage.text[:start].rstrip()} {passage.text[end:].lstrip()}".strip()
    return MadeQuestion(
        id=passage.id,
        query=" ".join(passage.text[start:end].split()),
        passage=passage,
        text=f"{passage.heading}\n{rest}" if passage.heading else rest,
    )


def plan_batches(
    pairs: Sequence[Pair], *, epochs: int, batch_pairs: int, most: int, seed: int
) -> list[list[int]]:
    """Which pairs make which step: every pair once an epoch, in an order of its own.

    A last step that would hold a single pair is left out: it has nothing to learn
    from. Ends after `most` pairs.
    """
    steps: list[list[int]] = []
    used = 0
    for epoch in range(epochs):
        order = sorted(range(len(pairs)), key=lambda i: _rank(f"{seed}\0{epoch}\0{i}"))
        for start in range(0, len(order), batch_pairs):
            batch = order[start : start + batch_pairs]
            if len(batch) < 2 or used >= most:
                continue
            steps.append(batch)
            used += len(batch)
    return steps


def _rank(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
