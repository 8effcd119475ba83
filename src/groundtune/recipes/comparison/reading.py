"""What the arm that learns to read is shown: sentences of what was found, or passages.

Sentences where answers stand in one, as far as the training cases tell: fewer tokens
to learn from and to read, and less to mistake. The arm reads at inference what it
learned to read.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.prompt import INSTRUCTION
from groundtune.core.protocols import silent
from groundtune.core.values import Hit, Passage
from groundtune.data.gold import sentences_with
from groundtune.tune.examples import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.augment.prompt import PromptStyle
    from groundtune.config.training import ContextSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import QaCase
    from groundtune.recipes.comparison.ranking import Ranking
    from groundtune.retrieve.narrow import Narrower

MOST_SENTENCES = 6
_LEAST_SHARE = 0.8
"""Of the answers that a right passage holds: that many stand in one sentence, or
passages are read whole."""
_TRAINING_SENTENCES = 12
"""Sentences kept for a training case: the distractors are drawn from them."""


class Shown(NamedTuple):
    """What a training case is shown."""

    case: QaCase
    right: Sequence[Passage]
    """Passages that hold its answer; of these the first is the right one."""
    hits: Sequence[Hit]
    """What was found, best first; distractors are drawn from it."""

    def as_json(self) -> dict[str, Any]:
        """As `read_evidence` reads it."""
        return {
            "gold": [asdict(passage) for passage in self.right],
            "hits": [asdict(hit) for hit in self.hits],
        }


def lessons_of(
    shown: Sequence[Shown],
    ranking: Ranking,
    *,
    k: int,
    reading: ContextSettings,
    progress: Progress = silent,
) -> tuple[ContextSettings, list[Shown]]:
    """What cases teach to read: sentences of what was found, or whole passages.

    The right sentence of a case is the one that holds an answer and is nearest the
    question; where none holds one, the right passage stays whole.

    Args:
        shown: Training and dev cases with passages.
        ranking: How sentences are picked.
        k: Hits that a question gets.
        reading: What is left open in it is decided here. Sentences are read where
            answers stand in one: as few as hold the right one about as often as
            `MOST_SENTENCES`.
        progress: Told how far it is.

    Returns:
        `reading` with nothing left open, and the cases with what they are shown.
    """
    wanted = reading.sentences
    if wanted is None:
        known = [one for one in shown if one.right]
        standing = [bool(sentences_with(one.right, one.case.answers)) for one in known]
        stands = sum(standing) >= _LEAST_SHARE * max(len(known), 1)
        wanted = ranking.needed(MOST_SENTENCES) if stands else 0
    decided = replace(reading, sentences=wanted)
    if not wanted:
        return decided, list(shown)
    lessons: list[Shown] = []
    for one in shown:
        lessons.append(_narrowed(one, ranking.narrower_for(one.case), k=k))
        progress("picking sentences to read", len(lessons), len(shown))
    return decided, lessons


def _narrowed(shown: Shown, narrower: Narrower, *, k: int) -> Shown:
    case, right, hits = shown
    if sentences := sentences_with(right, case.answers):
        nearness = narrower.nearness(case.question, sentences)
        right = [sentences[nearness.index(max(nearness))]]
    near = narrower.nearest(case.question, hits[:k], sentences=_TRAINING_SENTENCES)
    return Shown(case, right, near)


def reading_style(reading: ContextSettings) -> PromptStyle:
    """How the arm is told what to do, in training and ever after."""
    return replace(INSTRUCTION, sentences=reading.sentences or 0)


def read_evidence(raw: dict[str, Any]) -> Evidence:
    """One case's evidence, as `gather_evidence` wrote it."""
    gold = [Hit(passage=Passage(**passage), score=0.0) for passage in raw["gold"]]
    hits = tuple(
        Hit(passage=Passage(**hit["passage"]), score=hit["score"])
        for hit in raw["hits"]
    )
    return Evidence(gold[0] if gold else None, hits)
