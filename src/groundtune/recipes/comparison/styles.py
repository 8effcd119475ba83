"""Step 2: the untrained arms choose their instruction on dev cases.

A baseline is never a straw man: plain and rag each get the wording, or the solved
examples, with which the published model does best. Nothing here sees a test case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundtune.augment.prompt import BRIEF, INSTRUCTION, PromptStyle, Shot
from groundtune.core.errors import GenerationError
from groundtune.data.gold import holds_answer
from groundtune.data.sentences import sentence_spans
from groundtune.measure.answers import PRIMARY, score_answer
from groundtune.systems.build import build_system

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.core.values import QaCase
    from groundtune.recipes.child import Channel
    from groundtune.systems.build import SystemSpec

_SHOTS = 3
_SHOT_WORDS = 8
"""Longest answer that is shown as an example of a short one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleJob:
    """A system to try with each style, and dev cases to try it on."""

    spec: SystemSpec
    styles: tuple[PromptStyle, ...]
    cases: tuple[QaCase, ...]


def candidate_styles(
    train: Sequence[QaCase], evidence: Mapping[str, Any]
) -> tuple[PromptStyle, ...]:
    """Two instructions, and one of them with solved examples from training cases."""
    shots: list[Shot] = []
    seen: set[str] = set()
    for case in train:
        group = case.group or case.source or case.id
        if group in seen or not case.answers:
            continue
        answer = case.answers[0]
        sentence = _sentence_with(answer, evidence[case.id]["gold"])
        if sentence and len(answer.split()) <= _SHOT_WORDS:
            seen.add(group)
            shots.append(
                Shot(question=case.question, answer=answer, evidence=(sentence,))
            )
        if len(shots) == _SHOTS:
            break
    styles = [INSTRUCTION, BRIEF]
    if shots:
        styles.append(replace(BRIEF, name="examples", shots=tuple(shots)))
    return tuple(styles)


def try_styles(job: StyleJob, channel: Channel) -> dict[str, float]:
    """Mean primary score of each style, by name."""
    means: dict[str, float] = {}
    total = len(job.styles) * len(job.cases)
    done = 0
    built = build_system(job.spec)
    for style in job.styles:
        system = built.with_style(style)
        scores: list[float] = []
        for case in job.cases:
            try:
                answer = system.answer(case)
            except GenerationError:
                scores.append(0.0)
                continue
            scores.append(
                score_answer(
                    answer.text,
                    case.answers,
                    answerable=case.answerable,
                    abstained=answer.abstained,
                )[PRIMARY]
            )
            done += 1
            channel.progress(f"{job.spec.name}: choosing its prompt", done, total)
        means[style.name] = sum(scores) / max(len(scores), 1)
    return means


def _sentence_with(answer: str, gold: Sequence[Mapping[str, Any]]) -> str:
    for passage in gold:
        text = passage["text"]
        for span in sentence_spans(text):
            if holds_answer(text[span[0] : span[1]], [answer]):
                return text[span[0] : span[1]]
    return ""
