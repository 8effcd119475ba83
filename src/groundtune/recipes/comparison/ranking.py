"""Which sentence a question is about: learned from training cases, kept where it pays.

Training cases say which sentence of what was found holds the answer. From that a turn
of the question's vector is learned (`retrieve.query_adapter`): questions in words that
no document uses come nearer to the sentences that answer such questions. Whether it
pays is told by documents it has not learned from; where that cannot be told, nothing is
turned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.protocols import silent
from groundtune.data.gold import sentences_with
from groundtune.data.splits import group_of, sample_cases
from groundtune.measure.statistics import compare_paired
from groundtune.retrieve.listwise import Choice, fit_listwise
from groundtune.retrieve.narrow import sentences_among, titled
from groundtune.retrieve.query_adapter import QueryAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.core.values import Hit, QaCase
    from groundtune.recipes.comparison.reading import Shown
    from groundtune.retrieve.narrow import Narrower

_FOLDS = 3
_MOST_CASES = 1000
"""Cases that are learned from: what more of them add does not pay for the time."""
_GIVEN_UP = 0.05
"""Share of the right sentences that may be left out for reading fewer of them: a small
model takes what the others say for the answer."""
_LABEL = "learning which sentences are meant"


@dataclass(frozen=True, slots=True)
class Ranking:
    """How sentences are ranked, with what was learned or without."""

    plain: Narrower
    adapter: QueryAdapter | None = None
    """What all cases taught; None: it does not pay."""
    figures: dict[str, Any] = field(default_factory=dict[str, Any])
    """`plain` and `learned`: mean reciprocal rank of the right sentence, on documents
    not learned from; `gain` with its interval; `cases` they rest on."""
    places: Sequence[int] = ()
    """Place of the right sentence, from 1, in the ranking that is kept, by case."""
    _without: Mapping[str, QueryAdapter] = field(
        default_factory=dict[str, QueryAdapter]
    )

    def needed(self, most: int) -> int:
        """The fewest sentences that hold as many right ones as `most` do, but a few.

        At least two; `most`, where no case tells.
        """
        if not self.places:
            return most
        among = [sum(place <= n for place in self.places) for n in range(1, most + 1)]
        enough = among[-1] - _GIVEN_UP * len(self.places)
        return next(n for n in range(2, most + 1) if among[n - 1] >= enough)

    def narrower_for(self, case: QaCase) -> Narrower:
        """For a training case, one that has not learned from its document.

        Else the model that learns to read would see right sentences stand higher than
        they ever will again.
        """
        if self.adapter is None:
            return self.plain
        return self.plain.adapted(self._without.get(group_of(case), self.adapter))


class _Lesson(NamedTuple):
    """A case, the sentences found for it, and which of those are right."""

    case: QaCase
    hits: Sequence[Hit]
    sentences: Sequence[Hit]
    right: frozenset[tuple[str, int]]


def learn_ranking(
    shown: Sequence[Shown],
    narrower: Narrower,
    *,
    k: int,
    seed: int = 0,
    progress: Progress = silent,
) -> Ranking:
    """Learn to rank sentences, and whether that pays.

    Args:
        shown: Training cases with right passages and with what was found.
        narrower: Ranks sentences as they are.
        k: Passages that a question gets.
        seed: Of the choice of cases, where there are very many.
        progress: Told how far it is.
    """
    lessons = _lessons(shown, k=k, seed=seed)
    groups = sorted({group_of(one.case) for one in lessons})
    if len(groups) < _FOLDS:
        found = [_place_of_right(one, narrower) for one in lessons]
        return Ranking(narrower, places=found)
    choices = [_choice(one, narrower) for one in lessons]
    plain = [1 + int(np.argmax(choice.right_C)) for choice in choices]
    fold = {group: number % _FOLDS for number, group in enumerate(groups)}
    parts: list[QueryAdapter] = []
    for number in range(_FOLDS):
        progress(_LABEL, number, _FOLDS + 1)
        kept = [
            choice
            for one, choice in zip(lessons, choices, strict=True)
            if fold[group_of(one.case)] != number
        ]
        parts.append(fit_listwise(kept))
    without = {group: parts[number] for group, number in fold.items()}
    learned = [
        _place_of_right(one, narrower.adapted(without[group_of(one.case)]))
        for one in lessons
    ]
    gain = compare_paired(
        _reciprocal(learned),
        _reciprocal(plain),
        [group_of(one.case) for one in lessons],
        rng=np.random.default_rng(seed),
    )
    figures = {
        "plain": float(np.mean(_reciprocal(plain))),
        "learned": float(np.mean(_reciprocal(learned))),
        "gain": gain.difference,
        "low": gain.low,
        "high": gain.high,
        "cases": len(lessons),
    }
    progress(_LABEL, _FOLDS, _FOLDS + 1)
    if gain.low <= 0:
        return Ranking(narrower, None, figures, plain)
    return Ranking(narrower, fit_listwise(choices), figures, learned, without)


def _lessons(shown: Sequence[Shown], *, k: int, seed: int) -> list[_Lesson]:
    """Of at most so many cases, those for which a right sentence was found."""
    if not shown:
        return []
    chosen = sample_cases([one.case for one in shown], limit=_MOST_CASES, seed=seed)
    wanted = {case.id for case in chosen}
    lessons: list[_Lesson] = []
    for case, passages, hits in shown:
        if case.id not in wanted:
            continue
        held = sentences_with(passages, case.answers)
        right = frozenset((one.document, one.start) for one in held)
        sentences = sentences_among(hits[:k])
        if any(_place(hit) in right for hit in sentences):
            lessons.append(_Lesson(case, hits[:k], sentences, right))
    return lessons


def _choice(lesson: _Lesson, narrower: Narrower) -> Choice:
    """The sentences found for a case, nearest first."""
    question, hits = lesson.case.question, lesson.hits
    ranked = narrower.nearest(question, hits, sentences=len(lesson.sentences))
    vectors_N_D = narrower.vectors([question, *(titled(hit.passage) for hit in ranked)])
    scores_C = np.array([hit.score for hit in ranked], np.float32)
    return Choice(
        query_D=vectors_N_D[0],
        candidates_C_D=vectors_N_D[1:],
        rest_C=scores_C - vectors_N_D[1:] @ vectors_N_D[0],
        right_C=np.array([_place(hit) in lesson.right for hit in ranked]),
    )


def _place_of_right(lesson: _Lesson, narrower: Narrower) -> int:
    """From 1."""
    count = len(lesson.sentences)
    ranked = narrower.nearest(lesson.case.question, lesson.hits, sentences=count)
    return 1 + [_place(hit) in lesson.right for hit in ranked].index(True)


def _reciprocal(places: Sequence[int]) -> list[float]:
    return [1 / place for place in places]


def _place(hit: Hit) -> tuple[str, int]:
    return hit.passage.document, hit.passage.start
