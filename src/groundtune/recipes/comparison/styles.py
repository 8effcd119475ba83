"""Step 2: the untrained arms choose on dev cases how they are asked.

A baseline is never a straw man: plain and rag each get the wording, or the solved
examples, with which the published model does best, and rag as much of what was found as
it reads best. Nothing here sees a test case.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.prompt import BRIEF, INSTRUCTION, PromptStyle, Shot
from groundtune.core.errors import GenerationError
from groundtune.core.values import Passage
from groundtune.data.gold import sentences_with
from groundtune.measure.answers import PRIMARY, score_answer
from groundtune.recipes.comparison.elsewhere import Outage
from groundtune.store.remote.failures import EndpointError
from groundtune.systems.build import build_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from groundtune.core.values import QaCase
    from groundtune.recipes.child import Channel
    from groundtune.systems.arm import KnowledgeSystem
    from groundtune.systems.build import SystemSpec

_LEAD = "The answer is:"
_AMOUNTS = (3, 1, 0)
"""How many sentences a system may read that reads; 0: whole passages."""
_SHOTS = 3
_SHOT_POOL = 400
"""Solved cases among which the examples are looked for."""
_SHOT_WORDS = 8
"""Longest answer that is shown as an example of a short one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleJob:
    """A system to try with styles, and dev cases to try it on."""

    spec: SystemSpec
    styles: tuple[PromptStyle, ...]
    cases: tuple[QaCase, ...]


def candidate_styles(
    train: Sequence[QaCase], evidence: Mapping[str, Any]
) -> tuple[PromptStyle, ...]:
    """Two instructions, and one of them led in, with solved training cases, or both."""
    styles = [INSTRUCTION, BRIEF, replace(BRIEF, name="led", lead=_LEAD)]
    if shots := _unlike(_solved(train, evidence)):
        solved = replace(BRIEF, name="examples", shots=shots)
        # A small model does better with both than with either, and says less.
        styles += [solved, replace(solved, name="led examples", lead=_LEAD)]
    return tuple(styles)


def _solved(
    train: Sequence[QaCase], evidence: Mapping[str, Any]
) -> Iterator[tuple[str, Shot]]:
    """Cases with a short answer that stands in a sentence, with their document."""
    for case in train:
        answer = case.answers[0] if case.answers else ""
        if not answer or len(answer.split()) > _SHOT_WORDS:
            continue
        right = (Passage(**passage) for passage in evidence[case.id]["gold"])
        if found := sentences_with(right, [answer]):
            shown = (found[0].text,)
            shot = Shot(question=case.question, answer=answer, evidence=shown)
            yield case.group or case.source or case.id, shot


def _unlike(solved: Iterable[tuple[str, Shot]]) -> tuple[Shot, ...]:
    """A few from different documents whose questions share the fewest words.

    Cases often come sorted: the first three would all ask for a year, and teach that
    every answer is one.
    """
    pool = list(islice(solved, _SHOT_POOL))
    chosen: list[tuple[str, Shot]] = []
    while len(chosen) < _SHOTS:
        left = [one for one in pool if one[0] not in {group for group, _ in chosen}]
        if not left:
            break
        asked = {word for _, shot in chosen for word in _words(shot.question)}
        chosen.append(min(left, key=lambda one: len(_words(one[1].question) & asked)))
    return tuple(shot for _, shot in chosen)


def _words(text: str) -> set[str]:
    return set(text.casefold().split())


def _better(styles: int) -> int:
    """How many of some styles are tried on all cases."""
    return math.ceil(styles / 2)


class _Way(NamedTuple):
    """How a system reads."""

    sentences: int
    copies: bool = False

    def of(self, style: PromptStyle) -> PromptStyle:
        """A style that reads in this way."""
        name = style.name
        if self.sentences:
            name += f", {self.sentences} sentence{'s' * (self.sentences > 1)}"
        if self.copies:
            name += ", copied"
        return replace(style, name=name, sentences=self.sentences, copies=self.copies)


_WAYS = tuple(_Way(amount) for amount in _AMOUNTS)
_COPYING = tuple(_Way(amount, copies=True) for amount in _AMOUNTS if amount)
"""Not with whole passages: a small model copies from the wrong place in them."""


def choose_style(job: StyleJob, channel: Channel) -> dict[str, Any]:
    """Try the styles on dev cases; return the best, and the mean score of each by name.

    Of each that fell behind, on the first half of the cases alone.

    For a system that reads, how much it reads, and whether it is bound to copy where
    the engine can be, is chosen first: to a small model that matters most. It is tried
    with the last of the styles, which says the most. How it is asked comes after.

    Raises:
        EndpointError: The model is behind an endpoint, and that is away.
    """
    trial = _Trial(job, channel)
    styles = job.styles
    if trial.ways:
        tried = {way.of(styles[-1]): way for way in trial.ways}
        way = tried[trial.best_of(list(tried))]
        styles = tuple(way.of(style) for style in styles)
    best = trial.best_of(styles)
    return {
        "style": asdict(best),
        "dev_scores": trial.means,
        "dev_cases": len(job.cases),
    }


class _Trial:
    """One system with one style after the other, on the same cases."""

    def __init__(self, job: StyleJob, channel: Channel) -> None:
        self._scores: dict[str, list[float]] = {}
        self._job, self._channel = job, channel
        # Halves that are alike: cases of one document often follow each other.
        self._cases = (*job.cases[::2], *job.cases[1::2])
        self._half = len(job.cases[::2])
        self._system = build_system(job.spec)
        self._outage = Outage()
        self.ways: tuple[_Way, ...] = ()
        """How the system may read; nothing where it does not."""
        if job.spec.kb:
            self.ways = _WAYS + _COPYING * self._system.can_copy
        stages = [len(job.styles), len(self.ways)]
        tried = self._half * sum(stages)
        tried += (len(self._cases) - self._half) * sum(map(_better, stages))
        # The last style in the best of the ways is tried once for both choices: on half
        # of the cases for sure, and never on more than this total says.
        self._done, self._total = 0, tried - self._half * bool(self.ways)

    @property
    def means(self) -> dict[str, float]:
        """Mean score by the name of the style; of some on half of the cases."""
        return {
            name: sum(scores) / max(len(scores), 1)
            for name, scores in self._scores.items()
        }

    def best_of(self, styles: Sequence[PromptStyle]) -> PromptStyle:
        """The style with the highest mean; of equals the first.

        All are tried on half of the cases, and the better half of them on the rest:
        one round of successive halving (Jamieson and Talwalkar, arXiv 1502.07943).
        """
        for style in styles:
            self._try(style, self._cases[: self._half])
        means = self.means
        ranked = sorted(styles, key=lambda style: -means[style.name])
        better = ranked[: _better(len(ranked))]
        for style in better:
            self._try(style, self._cases)
        means = self.means
        left = [style for style in styles if style in better]
        return max(left, key=lambda style: means[style.name])

    def _try(self, style: PromptStyle, cases: Sequence[QaCase]) -> None:
        """Score a style on those of the cases that it was not yet tried on."""
        scores = self._scores.setdefault(style.name, [])
        if len(scores) >= len(cases):
            return
        system = self._system.with_style(style)
        for case in cases[len(scores) :]:
            scores.append(self._score(system, case))
            self._done += 1
            what = f"{self._job.spec.name}: choosing its prompt"
            self._channel.progress(what, self._done, self._total)

    def _score(self, system: KnowledgeSystem, case: QaCase) -> float:
        try:
            answer = system.answer(case)
        except GenerationError as error:
            if isinstance(error, EndpointError):
                self._outage.failed(error)
            return 0.0
        self._outage.answered()
        return score_answer(
            answer.text,
            case.answers,
            answerable=case.answerable,
            abstained=answer.abstained,
        )[PRIMARY]
