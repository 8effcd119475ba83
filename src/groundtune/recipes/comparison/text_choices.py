"""What the arms of tasks that write choose on dev cases, each in a process of its own.

plain takes the way of asking that does best, rag the way of using solved cases, both
the likeness from which the nearest answer is given as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.recipes.written_measures import PRIMARY, measured
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

WAYS_TO_USE = {
    "nearest answer": {"threshold": ALWAYS, "shown": 0},
    "1 solved case shown": {"shown": 1},
    "3 solved cases shown": {"shown": 3},
}
"""How rag may use what it finds: what to set, by name."""
_QUANTILES = (0.5, 0.7, 0.8, 0.9, 0.95)
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
    """The likeness from which the nearest answer beats what the model writes.

    Each way that the tuned model may use solved cases writes once to each dev case;
    with the best of them, thresholds only choose between two answers that stand.

    Returns:
        As `choose_way`.
    """
    tried = _tried(job, channel)
    way = max(tried, key=lambda name: tried[name].score)
    scores = {name: found.score for name, found in tried.items()}
    written, best = tried[way]
    threshold = NEVER
    spec = job.spec
    memory = SolvedCases(read_solved(Path(spec.memory)), embedder=spec.embedder)
    near = [
        hits[0] for hits in memory.nearest([case.asked for case in job.dev], count=1)
    ]
    copied = [memory.answer_of(hit) for hit in near]
    likeness_N = np.array([hit.score for hit in near])
    for quantile in sorted(_QUANTILES, reverse=True):
        least = float(np.quantile(likeness_N, quantile))
        texts = [
            one if score >= least else other
            for one, other, score in zip(copied, written, likeness_N, strict=True)
        ]
        name = f"nearest answer from {least:.2f}"
        scores[name] = _scored(spec.task, texts, job.dev)
        if scores[name] > best:
            best, threshold = scores[name], least
    return {"set": {**job.ways[way], "threshold": threshold}, "scores": scores}


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
        groups=[case.group or case.id for case in cases],
        seed=0,
    )
    return found.figures[PRIMARY[task]].value
