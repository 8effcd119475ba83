"""What the arms of tasks that write choose on dev cases, each in a process of its own.

plain takes the way of asking that does best, rag the way of using solved cases, both
the likeness from which the nearest answer is given as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from groundtune.recipes.written_measures import PRIMARY, gained, measured
from groundtune.systems.text_arm import (
    ALWAYS,
    NEVER,
    SolvedCases,
    TextSpec,
    drafts,
    read_solved,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.recipes.child import Channel
    from groundtune.tune.text_examples import TextCase

_Key = TypeVar("_Key", str, float)

WAYS_TO_USE = {
    "nearest answer": {"threshold": ALWAYS, "shown": 0},
    "1 solved case shown": {"shown": 1},
    "3 solved cases shown": {"shown": 3},
}
"""How rag may use what it finds: what to set, by name."""
_QUANTILES = (0.95, 0.9, 0.8, 0.7, 0.5)
"""Of the likeness of dev cases to known ones: the thresholds that both tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChoiceJob:
    """An arm, the ways it may go, and dev cases to try them on."""

    spec: TextSpec
    ways: Mapping[str, Mapping[str, Any]]
    """What to set in the spec, by name; the first is taken among equals."""
    dev: tuple[TextCase, ...]
    """At least one."""


def choose_way(job: TextChoiceJob, channel: Channel) -> dict[str, Any]:
    """The way that scores best on dev cases.

    Returns:
        The fields of the spec to set, and `scores`: what each way scored, 0 to 100.
    """
    tried = _tried(job, channel)
    best = max(tried, key=lambda name: tried[name].score)
    scores = {name: found.score for name, found in tried.items()}
    return {"set": dict(job.ways[best]), "scores": scores}


def choose_threshold(job: TextChoiceJob, channel: Channel) -> dict[str, Any]:
    """How a tuned model uses solved cases, if it gains by them at all.

    Each way writes once to each dev case; with the way that is kept, thresholds of
    likeness only choose between what it wrote and the nearest answer. What comes later
    is kept if it gains so much that the interval of the gain lies above 0: the best of
    several on a few dozen cases is often best by chance, and tuned alone stands for
    thousands of cases.

    Returns:
        As `choose_way`.
    """
    tried = _tried(job, channel)
    scores = {name: found.score for name, found in tried.items()}
    kept, *others = tried
    way = _gaining(job, tried[kept], {name: tried[name] for name in others}) or kept
    written = tried[way]
    mixed = {
        least: _Tried(texts, _scored(job.spec.task, texts, job.dev))
        for least, texts in _with_nearest(job, written.texts).items()
    }
    scores |= {
        f"nearest answer from {least:.2f}": mixed[least].score for least in mixed
    }
    threshold = _gaining(job, written, mixed)
    return {
        "set": {
            **job.ways[way],
            "threshold": NEVER if threshold is None else threshold,
        },
        "scores": scores,
    }


def _gaining(
    job: TextChoiceJob, known: _Tried, others: Mapping[_Key, _Tried]
) -> _Key | None:
    """The best of `others`, if it gains on what is known beyond chance."""
    if not others:
        return None
    best = max(others, key=lambda key: others[key].score)
    gain = gained(
        others[best].texts,
        known.texts,
        [case.accepted for case in job.dev],
        measure=PRIMARY[job.spec.task],
        groups=_groups(job.dev),
        seed=0,
    )
    return best if gain.low > 0 else None


def _with_nearest(job: TextChoiceJob, written: Sequence[str]) -> dict[float, list[str]]:
    """What was written, or the nearest answer from a likeness on, by likeness."""
    spec = job.spec
    memory = SolvedCases(read_solved(Path(spec.memory)), embedder=spec.embedder)
    near = [
        hits[0] for hits in memory.nearest([case.asked for case in job.dev], count=1)
    ]
    likeness_N = np.array([hit.score for hit in near])
    return {
        (least := float(np.quantile(likeness_N, quantile))): [
            memory.answer_of(hit) if hit.score >= least else text
            for hit, text in zip(near, written, strict=True)
        ]
        for quantile in _QUANTILES
    }


class _Tried(NamedTuple):
    """What one way wrote to the dev cases, and its score."""

    texts: list[str]
    score: float


def _tried(job: TextChoiceJob, channel: Channel) -> dict[str, _Tried]:
    found: dict[str, _Tried] = {}
    for number, (name, chosen) in enumerate(job.ways.items()):
        spec = replace(job.spec, name=f"{job.spec.name}: {name}", **chosen)
        texts = drafts(spec, job.dev, progress=channel.progress)
        found[name] = _Tried(texts, _scored(job.spec.task, texts, job.dev))
        channel.progress(f"{job.spec.name}: choosing", number + 1, len(job.ways))
    return found


def _scored(task: str, texts: Sequence[str], cases: Sequence[TextCase]) -> float:
    found = measured(
        task,
        texts,
        [case.accepted for case in cases],
        groups=_groups(cases),
        seed=0,
    )
    return found.figures[PRIMARY[task]].value


def _groups(cases: Sequence[TextCase]) -> list[str]:
    return [case.group or case.id for case in cases]
