"""Step 2 of fine-tuning, for `qa`: cases and their evidence become examples.

Closed book: the question and its answer, many to a pack. With context, after RAFT
(arXiv 2403.10131): the right passage among hard distractors from the real retriever,
in random order, with all the questions about that passage behind one head; and beside
them questions whose passage is missing, whose answer is "not in the documents".
Evidence is handed in: this room never searches.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.tasks.qa import NOT_IN_DOCUMENTS, target
from groundtune.tune.dataset import Example, Turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        anchor = _anchor(evidence[case.id])
        if anchor is not None and (case.answerable or evidence[case.id].hits):
            by_passage[anchor.passage.id].append(case)
    examples: list[Example] = []
    for passage_id in sorted(by_passage):
        own = by_passage[passage_id]
        first = evidence[own[int(rng.integers(len(own)))].id]
        anchor = _anchor(first)
        assert anchor is not None, "grouped by it"
        others = [hit for hit in first.hits if hit.passage.id != passage_id]
        shown = int(rng.integers(settings.distractors + 1))
        hits = [anchor, *others[:shown]]
        hits = [hits[int(i)] for i in rng.permutation(len(hits))]
        number = 1 + [hit.passage.id for hit in hits].index(passage_id)
        turns = [(case, number if case.answerable else None) for case in own]
        turns += [
            (case, None)
            for case in _missing(
                by_passage, others[shown:], hits, len(own), settings, rng
            )
        ]
        laid = [turns[int(i)] for i in rng.permutation(len(turns))]
        examples.append(
            Example(
                writer.builder.evidence_head(hits),
                tuple(
                    writer.turn(
                        case.question,
                        NOT_IN_DOCUMENTS
                        if cited is None
                        else target(case, citation_number=cited),
                        with_evidence=True,
                    )
                    for case, cited in laid
                ),
            )
        )
    return examples


def _anchor(found: Evidence) -> Hit | None:
    """The passage that a case is filed under."""
    return found.gold or (found.hits[0] if found.hits else None)


def _missing(
    by_passage: Mapping[str, Sequence[QaCase]],
    absent: Sequence[Hit],
    hits: Sequence[Hit],
    own: int,
    settings: ContextSettings,
    rng: np.random.Generator,
) -> list[QaCase]:
    """Questions near the passages shown whose own passage is not among them.

    They are asked about passages that the retriever ranked next. A question whose
    answer happens to stand in a shown passage is no such question.
    """
    text = "\n".join(hit.passage.text for hit in hits).casefold()
    near = [
        case
        for hit in absent
        for case in by_passage.get(hit.passage.id, ())
        if not any(answer.casefold() in text for answer in case.answers)
    ]
    share = (1 - settings.gold_share) / settings.gold_share
    wanted = min(int(rng.poisson(own * share)), len(near))
    if not wanted:
        return []
    return [near[int(i)] for i in rng.choice(len(near), size=wanted, replace=False)]
