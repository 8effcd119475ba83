"""What a model tuned to write is held against: the model as published, and no model.

The model as published is asked in the way that does best on dev cases, where a task has
several ways: a baseline that is asked badly is easily beaten.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from groundtune.augment.summaries import SUMMARIZE, PlainPrompt, plain_prompts
from groundtune.data.sentences import sentence_spans
from groundtune.recipes.ingest import open_embedding_model
from groundtune.recipes.text_sides import few
from groundtune.recipes.writing import answered
from groundtune.recipes.written_measures import PRIMARY, measured
from groundtune.systems.memory import nearest_answers
from groundtune.tasks import summarization, support, translation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.recipes.writing import TextJob
    from groundtune.systems.writer import WriterSpec
    from groundtune.tune.text_examples import TextCase

PLAIN = "plain"
FIRST_SENTENCES = "first sentences"
_MEMORY = {
    translation.NAME: "translation memory",
    support.NAME: "nearest question",
    summarization.NAME: "nearest topic",
}
"""What the answer of the most similar training case is called, by task."""
_CHOOSING_CASES = 50
"""Dev cases on which the ways to ask are compared."""
_SHOTS = 2
_SHOT_WORDS = 120
"""Solved examples are texts of at most so many words: they stand in every prompt."""


class FreeAnswers(NamedTuple):
    """What needs no model that writes."""

    name: str
    texts: list[str]


def free_answers(
    job: TextJob, cases: Sequence[TextCase], *, embedder: str, progress: Progress
) -> FreeAnswers:
    """The beginning of a document that is to be summed up; else the nearest answer."""
    if job.instruction == SUMMARIZE:
        words = usual_words(job.train)
        texts = [first_sentences(case.asked, words=words) for case in cases]
        return FreeAnswers(FIRST_SENTENCES, texts)
    progress("searching the most similar cases", 0, None)
    copied = nearest_answers(
        [case.asked for case in cases],
        known=[case.asked for case in job.train],
        answers=[case.target for case in job.train],
        embedder=open_embedding_model(embedder, progress=progress),
    )
    return FreeAnswers(_MEMORY[job.task], copied)


def first_sentences(text: str, *, words: int) -> str:
    """The sentences that a text begins with, up to about so many words; one at least.

    Examples:
        >>> first_sentences("One two. Three four. Five.", words=3)
        'One two. Three four.'
    """
    end = 0
    for span in sentence_spans(text):
        if end and len(text[: span.start].split()) >= words:
            break
        end = span.end
    return text[:end].strip()


def usual_words(cases: Sequence[TextCase]) -> int:
    """Words of the answer in the middle, of those that are taught."""
    return round(median(len(case.target.split()) for case in cases))


class AskedPlainly(NamedTuple):
    """How the model as published is asked, and how each way did on dev cases."""

    prompt: PlainPrompt
    scores: Mapping[str, float]
    """Primary measure by the prompt's name; empty where there was no choice."""


def asked_plainly(
    job: TextJob, spec: WriterSpec, *, folder: Path, progress: Progress
) -> AskedPlainly:
    """Choose how to ask the model as published.

    Args:
        job: Its task, training and dev cases.
        spec: The model, asked as the tuned one is.
        folder: Where answers are kept.
        progress: Told how many are given.
    """
    same = PlainPrompt("instruction", job.instruction)
    dev = few(job.dev, limit=_CHOOSING_CASES, seed=job.seed)
    if job.task != summarization.NAME or not dev:
        return AskedPlainly(same, {})
    short = [case for case in job.train if len(case.asked.split()) <= _SHOT_WORDS]
    shots = [(case.asked, case.target) for case in short[:_SHOTS]]
    ways = plain_prompts(job.instruction, words=usual_words(job.train), shots=shots)
    measure = PRIMARY[job.task]
    scores: dict[str, float] = {}
    for way in ways:
        said = answered(
            replace(spec, name=PLAIN, instruction=way.instruction),
            [with_shots(case, way) for case in dev],
            log=folder / f"dev-{PLAIN}-{way.name}.jsonl",
            progress=progress,
        )
        found = measured(
            job.task,
            said.texts,
            [case.accepted for case in dev],
            groups=[case.group or case.id for case in dev],
            seed=job.seed,
        )
        scores[way.name] = found.figures[measure].value
    # Of equals the first: the shorter prompt.
    best = max(ways, key=lambda way: scores[way.name])
    return AskedPlainly(best, scores)


def with_shots(case: TextCase, way: PlainPrompt) -> TextCase:
    """The case as it is asked in a way: its examples go before it."""
    return case._replace(turns=(*way.shots, *case.turns))
