"""What the arms of tasks that write choose on dev cases, each in a process of its own.

plain takes the way of asking that does best, rag the way of using solved cases, both
the likeness from which the nearest answer is given as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import GenerationError
from groundtune.recipes.written_measures import PRIMARY, measured
from groundtune.systems.text_arm import ALWAYS, NEVER, TextSpec, TextSystem

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
    scores: dict[str, float] = {}
    for number, (name, chosen) in enumerate(job.ways.items()):
        label = f"{job.spec.name}: {name}"
        system = TextSystem(replace(job.spec, **chosen))
        texts = _answers(system, job.dev, label=label, channel=channel)
        scores[name] = _scored(job.spec.task, texts, job.dev)
        channel.progress(f"{job.spec.name}: choosing", number + 1, len(job.ways))
    best = max(scores, key=lambda name: scores[name])
    return {"set": dict(job.ways[best]), "scores": scores}


def choose_threshold(job: TextChoiceJob, channel: Channel) -> dict[str, Any]:
    """The likeness from which the nearest answer beats what the model writes.

    The model writes once to each dev case; thresholds then only choose between the two
    answers. `ways` are the other ways that the tuned model may use solved cases.

    Returns:
        As `choose_way`.
    """
    found = choose_way(job, channel)
    spec = replace(job.spec, **found["set"])
    system = TextSystem(spec)
    assert system.memory is not None, "both has solved cases"
    written = _answers(system, job.dev, label=job.spec.name, channel=channel)
    near = [
        hits[0] for hits in system.memory.nearest([c.asked for c in job.dev], count=1)
    ]
    copied = [system.memory.answer_of(hit) for hit in near]
    likeness_N = np.array([hit.score for hit in near])
    scores = dict(found["scores"])
    best, threshold = _scored(spec.task, written, job.dev), NEVER
    for quantile in sorted(_QUANTILES, reverse=True):
        tried = float(np.quantile(likeness_N, quantile))
        texts = [
            one if score >= tried else other
            for one, other, score in zip(copied, written, likeness_N, strict=True)
        ]
        name = f"nearest answer from {tried:.2f}"
        scores[name] = _scored(spec.task, texts, job.dev)
        if scores[name] > best:
            best, threshold = scores[name], tried
    return {"set": {**found["set"], "threshold": threshold}, "scores": scores}


def _answers(
    system: TextSystem, cases: Sequence[TextCase], *, label: str, channel: Channel
) -> list[str]:
    texts: list[str] = []
    for case in cases:
        try:
            texts.append(system.answer(case).text)
        except GenerationError:
            texts.append("")
        channel.progress(label, len(texts), len(cases))
    return texts


def _scored(task: str, texts: Sequence[str], cases: Sequence[TextCase]) -> float:
    found = measured(
        task,
        texts,
        [case.accepted for case in cases],
        groups=[case.group or case.id for case in cases],
        seed=0,
    )
    return found.figures[PRIMARY[task]].value
