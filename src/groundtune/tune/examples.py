"""Step 2 of fine-tuning, for `qa`: cases and their evidence become examples.

Closed book: the question and its answer, many to a pack. With context, after RAFT
(arXiv 2403.10131): the right passage among hard distractors from the real retriever,
in random order, or the right sentence among others, nearest first, with all the
questions about it behind one head; and beside them questions whose passage is missing,
whose answer is "not in the documents".
Evidence is handed in: this room never searches.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.data.gold import holds_answer
from groundtune.tasks.qa import NOT_IN_DOCUMENTS, target
from groundtune.tune.dataset import Example, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.augment.prompt import PromptBuilder
    from groundtune.config.training import ContextSettings
    from groundtune.core.protocols import Tokenizer
    from groundtune.core.values import Hit, QaCase


class Evidence(NamedTuple):
    """What the retriever found for a training case."""

    gold: Hit | None
    """The right passage; None for an unanswerable case, or where it is not known."""
    hits: tuple[Hit, ...]
    """Best first; may hold the right passage."""


class Writer(NamedTuple):
    """How text becomes the tokens that the model will be served with."""

    builder: PromptBuilder
    tokenizer: Tokenizer
    end_token: int

    def turn(self, question: str, answer: str, *, with_evidence: bool) -> Turn:
        """One question and the answer to learn."""
        tail = self.builder.tail(question, with_evidence=with_evidence)
        words = tuple(self.tokenizer.encode(answer))
        return Turn(tail, (*words, self.end_token))


def closed_book_examples(cases: Sequence[QaCase], *, writer: Writer) -> list[Example]:
    """Questions and answers without documents, all behind the one closed-book head.

    Unanswerable cases are left out: without documents they say nothing.
    """
    turns = tuple(
        writer.turn(
            case.question, target(case, citation_number=None), with_evidence=False
        )
        for case in cases
        if case.answerable
    )
    return [Example(writer.builder.head(None), turns)] if turns else []


def context_examples(
    cases: Sequence[QaCase],
    evidence: Mapping[str, Evidence],
    *,
    writer: Writer,
    settings: ContextSettings,
    seed: int,
) -> list[Example]:
    """Examples of reading: one head of passages for each right passage.

    Args:
        cases: Training cases; those without a known right passage are left out,
            unless they are unanswerable.
        evidence: By case id.
        writer: Prompt and tokens.
        settings: Share of questions with their passage present, and distractors.
        seed: Another seed draws other distractors, orders and missing passages.
    """
    rng = np.random.default_rng(seed)
    by_passage: dict[str, list[QaCase]] = defaultdict(list)
    for case in cases:
        found = evidence[case.id]
        anchor = _anchor(found)
        if anchor is not None and (found.gold or not case.answerable):
            by_passage[anchor.passage.id].append(case)
    return [
        _reading(by_passage, name, evidence, writer, settings=settings, rng=rng)
        for name in sorted(by_passage)
    ]


def _anchor(found: Evidence) -> Hit | None:
    """The passage that a case is filed under: the right one, else the best hit."""
    return found.gold or (found.hits[0] if found.hits else None)


def _nearness_places(found: Evidence) -> Callable[[Hit], int]:
    """Where a hit stands among what was found; what was not found comes last.

    Sentences are read nearest first, and learned from in that order: that the first is
    the likeliest is worth knowing. Passages are learned from in random order (RAFT).
    """
    places = {hit.passage.id: place for place, hit in enumerate(found.hits)}
    return lambda hit: places.get(hit.passage.id, len(places))


def _reading(
    by_passage: Mapping[str, Sequence[QaCase]],
    passage_id: str,
    evidence: Mapping[str, Evidence],
    writer: Writer,
    *,
    settings: ContextSettings,
    rng: np.random.Generator,
) -> Example:
    """One head of passages, the questions about one of them, and some about none."""
    own = by_passage[passage_id]
    found = evidence[own[int(rng.integers(len(own)))].id]
    anchor = _anchor(found)
    assert anchor is not None, "grouped by it"
    others = [hit for hit in found.hits if hit.passage.id != passage_id]
    shown = int(rng.integers(settings.distractors + 1))
    hits = [anchor, *others[:shown]]
    hits = [hits[int(i)] for i in rng.permutation(len(hits))]
    if settings.sentences:
        hits.sort(key=_nearness_places(found))
    number = 1 + [hit.passage.id for hit in hits].index(passage_id)
    text = "\n".join(hit.passage.text for hit in hits)
    near = [
        case
        for hit in others[shown:]
        for case in by_passage.get(hit.passage.id, ())
        # One whose answer happens to stand in a shown passage is not in vain.
        if not holds_answer(text, case.answers)
    ]
    share = (1 - settings.gold_share) / settings.gold_share
    wanted = min(int(rng.poisson(len(own) * share)), len(near))
    absent = [near[int(i)] for i in rng.choice(len(near), wanted, replace=False)]
    asked: list[tuple[QaCase, int | None]] = [(case, number) for case in own]
    asked += [(case, None) for case in absent]
    turns = [
        writer.turn(
            case.question,
            NOT_IN_DOCUMENTS if cited is None else target(case, citation_number=cited),
            with_evidence=True,
        )
        for case, cited in asked
    ]
    laid = tuple(turns[int(i)] for i in rng.permutation(len(turns)))
    return Example(writer.builder.evidence_head(hits), laid)
