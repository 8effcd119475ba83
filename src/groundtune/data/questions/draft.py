"""Documents to drafts that can be asked: every rule, then what sifts them.

Drafting is by rule from structure and pure. A question is kept where its answer stands
in the evidence, where it does not give its own answer away, where the base answers it
in one way only, and where no other question is nearly the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundtune.core.values import Block
from groundtune.data.near import fingerprints, near_repeats
from groundtune.data.questions.drafts import content_words, one_line, words_of
from groundtune.data.questions.sentence_rules import from_sentences
from groundtune.data.questions.structure_rules import from_structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from groundtune.core.values import Document
    from groundtune.data.questions.drafts import Draft

FEWEST_WORDINGS = 3
_SHORT_ANSWER = 3
"""Content words up to which no word of an answer may stand in its question."""
_FEWEST_NEW = 3
"""Content words that a longer answer must have beyond those of its question."""
_NEAR = 0.85
"""Similarity from which two questions are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """What is left, and what was dropped why."""

    drafts: tuple[Draft, ...]
    dropped: Mapping[str, int]
    """Reason to how many."""


def draft_all(documents: Iterable[Document]) -> list[Draft]:
    """Everything that the rules find, documents in order."""
    found: list[Draft] = []
    for document in documents:
        blocks = document.blocks or (
            Block(kind="paragraph", start=0, end=len(document.text)),
        )
        found += from_structure(document, blocks)
        found += from_sentences(document, blocks)
    return found


def sift(drafts: Sequence[Draft], texts: Mapping[str, str]) -> Sifted:
    """Drop what makes a bad question.

    Args:
        drafts: As `draft_all` gives them.
        texts: Document to its text.
    """
    dropped: Counter[str] = Counter()
    kept: list[Draft] = []
    for one in drafts:
        why = _fault(one, texts[one.document])
        if why:
            dropped[why] += 1
        else:
            kept.append(one)
    kept = _unambiguous(kept, dropped)
    kept = _distinct(kept, dropped)
    return Sifted(drafts=tuple(kept), dropped=dict(dropped))


def chosen(drafts: Sequence[Draft], *, limit: int | None, seed: int) -> list[Draft]:
    """At most `limit` drafts, spread over documents and rules, in their own order.

    Documents take turns, and so do the rules within a document, so that a long page or
    a rule that fits often does not crowd out the others.
    """
    if limit is None or limit >= len(drafts):
        return list(drafts)
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, int, float, int]] = []
    by_rule: Counter[tuple[str, str]] = Counter()
    for place in rng.permutation(len(drafts)).tolist():
        one = drafts[place]
        turn = by_rule[one.document, one.rule]
        by_rule[one.document, one.rule] += 1
        ranked.append((turn, seen[one.document], float(rng.random()), place))
        seen[one.document] += 1
    return [drafts[place] for *_, place in sorted(sorted(ranked)[:limit], key=_place)]


def _place(ranked: tuple[int, int, float, int]) -> int:
    return ranked[-1]


def _fault(one: Draft, text: str) -> str | None:
    """Why a draft is no good by itself; None where it is."""
    if len(one.questions) < FEWEST_WORDINGS:
        return "too few wordings"
    evidence = text[one.evidence.start : one.evidence.end]
    if one_line(one.answer) not in one_line(evidence):
        return "answer not in its evidence"
    answer = content_words(one.answer) or set(words_of(one.answer))
    for question in one.questions:
        shared = answer & (content_words(question) | set(words_of(question)))
        if len(answer) <= _SHORT_ANSWER:
            if shared:
                return "question gives its answer away"
        elif len(answer - shared) < _FEWEST_NEW or 2 * len(shared) > len(answer):
            return "question gives its answer away"
    return None


def _unambiguous(drafts: Sequence[Draft], dropped: Counter[str]) -> list[Draft]:
    """Without questions that the base answers in several ways."""
    answers: dict[str, set[str]] = defaultdict(set)
    for one in drafts:
        for question in one.questions:
            answers[_key(question)].add(_key(one.answer))
    kept: list[Draft] = []
    for one in drafts:
        if any(len(answers[_key(question)]) > 1 for question in one.questions):
            dropped["several answers in the documents"] += 1
        else:
            kept.append(one)
    return kept


def _distinct(drafts: Sequence[Draft], dropped: Counter[str]) -> list[Draft]:
    """The first of each set of questions that are nearly the same."""
    firsts = [_key(one.questions[0]) for one in drafts]
    exact: set[str] = set()
    repeats = {
        pair.right for pair in near_repeats(fingerprints(firsts), threshold=_NEAR)
    }
    kept: list[Draft] = []
    for place, one in enumerate(drafts):
        # Figures make a question another one, however alike the rest of it is.
        if firsts[place] in exact or (
            place in repeats and not any(c.isdigit() for c in firsts[place])
        ):
            dropped["nearly the same as another"] += 1
            continue
        exact.add(firsts[place])
        kept.append(one)
    return kept


def _key(text: str) -> str:
    return " ".join(words_of(text))
