"""What the arms of label tasks choose before a test case is seen, each in a process.

plain takes the wording, rag the way of voting, both the weight that does best on dev
cases: a baseline is never a straw man. Where there are no dev cases, the weight is
chosen on training cases, each judged by a model that was not trained on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.values import EntityCase, LabelCase
from groundtune.data.stratify import folds
from groundtune.recipes.labels.training import (
    LabelJob,
    gold_labels,
    score,
    side_logits,
    train_once,
)
from groundtune.retrieve.embed import open_named_embedder
from groundtune.store.models import open_model
from groundtune.systems.label_arm import (
    WORDINGS,
    KnownNames,
    LabelSpec,
    LabelSystem,
    WordedLabels,
    as_shares,
    asked_of,
    mix,
    read_memory,
)
from groundtune.systems.neighbours import Neighbours, Voting
from groundtune.systems.word_neighbours import NamedTypes, WordNeighbours, WordStates
from groundtune.tune.pretrained import require_tune_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.recipes.child import Channel

    Floats = npt.NDArray[np.float32]
    Case = LabelCase | EntityCase

THRESHOLDS = (0.25, 0.0, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Likeness to a type from which a run of words is one, tried for plain; the first is
taken without dev cases, and did best on those of WNUT-17."""
WORD_VOTINGS = tuple(
    Voting(k, sharpness) for k in (1, 4, 8, 16, 32) for sharpness in (5.0, 20.0)
)
"""Ways in which words vote, tried for rag."""
WEIGHTS = tuple(step / 20 for step in range(21))
"""Shares of the votes that are tried for both."""
FOLDS = 3
_LOSS_SHARE = 0.05
"""What a nat of loss weighs against the score, as when the best weights are chosen."""
_LEAST_SHARE = 1e-4
"""A label without a vote is not impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceJob:
    """Cases to choose by, and an arm with what is known of it."""

    spec: LabelSpec
    dev: tuple[Case, ...]
    """May be empty."""


def choose_plain(job: ChoiceJob, channel: Channel) -> dict[str, Any]:
    """The wording of labels, or the threshold for names, that does best on dev cases.

    Returns:
        The fields of the spec to set, and `scores`: what each way scored.
    """
    channel.progress("plain: choosing its wording", 0, None)
    spec = job.spec
    embedder = open_named_embedder(spec.embedder, offline=True)
    scores: dict[str, float] = {}
    if spec.is_words:
        types = NamedTypes(spec.labels, embedder=embedder, threshold=0.0)
        for threshold in THRESHOLDS if job.dev else THRESHOLDS[:1]:
            types.threshold = threshold
            shares = types.shares(asked_of(job.dev))
            scores[f"{threshold:g}"] = _score(job.dev, shares, labels=spec.labels)
        best = max(scores, key=lambda name: scores[name])
        return {
            "set": {"wording": WORDINGS[0], "threshold": float(best)},
            "scores": scores,
        }
    for wording in WORDINGS if job.dev else WORDINGS[:1]:
        words = WordedLabels(
            spec.labels, task=spec.task, wording=wording, embedder=embedder
        )
        shares = words.shares(asked_of(job.dev))
        scores[wording] = _score(job.dev, shares, labels=spec.labels)
    best = max(scores, key=lambda name: scores[name])
    return {"set": {"wording": best}, "scores": scores}


def choose_votes(job: ChoiceJob, channel: Channel) -> dict[str, Any]:
    """How the labelled cases vote: what does best on them, each left out in turn.

    For words: on dev cases, among words as their sentences make them and names found
    again as they stood.

    Returns:
        As `choose_plain`.
    """
    channel.progress("rag: choosing how neighbours vote", 0, None)
    spec = job.spec
    memory = read_memory(spec)
    if not spec.is_words:
        neighbours = Neighbours(
            [case for case in memory if isinstance(case, LabelCase)],
            labels=spec.labels,
            embedder=open_named_embedder(spec.embedder, offline=True),
        )
        right = _score(
            memory,
            [row[np.newaxis] for row in neighbours.left_out_shares()],
            labels=spec.labels,
        )
        k, sharpness = neighbours.voting
        return {
            "set": {"k": k, "sharpness": sharpness},
            "scores": {f"k={k}, sharpness={sharpness:g} (left out)": right},
        }
    train = [case for case in memory if isinstance(case, EntityCase)]
    words = WordNeighbours(
        train,
        labels=spec.labels,
        states=WordStates(spec.embedder),
        voting=WORD_VOTINGS[0],
    )
    scores: dict[Voting, float] = {}
    known = KnownNames(train, labels=spec.labels).shares(asked_of(job.dev))
    scores[Voting(0, 0.0)] = _score(job.dev, known, labels=spec.labels)
    tried = words.tried(asked_of(job.dev), WORD_VOTINGS)
    for voting, shares in zip(WORD_VOTINGS, tried, strict=True):
        scores[voting] = _score(job.dev, shares, labels=spec.labels)
    best = max(scores, key=lambda voting: scores[voting])
    return {
        "set": {"k": best.k, "sharpness": best.sharpness},
        "scores": {
            f"k={v.k}, sharpness={v.sharpness:g}" if v.k else "names as they stood": s
            for v, s in scores.items()
        },
    }


def choose_weight(job: ChoiceJob, channel: Channel) -> dict[str, Any]:
    """The weight of the votes beside a tuned encoder, on dev cases.

    Returns:
        As `choose_plain`.
    """
    channel.progress("both: choosing the weight of neighbours", 0, None)
    model = LabelSystem(replace(job.spec, memory=""))
    votes = LabelSystem(replace(job.spec, model=""))
    return weigh(
        job.dev, model.shares(job.dev), votes.shares(job.dev), labels=job.spec.labels
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossJob:
    """A training without dev cases, and the arm whose weight is to be chosen."""

    job: LabelJob
    spec: LabelSpec
    folder: str
    """For checkpoints of the trainings that are thrown away."""


def choose_weight_across(job: CrossJob, channel: Channel) -> dict[str, Any]:
    """The weight on training cases, by models that were not trained on them.

    `FOLDS` trainings, each on the cases of the other folds; votes leave out each case
    in turn. Test cases are never looked at.

    Returns:
        As `choose_plain`.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
    """
    require_tune_extra()
    base = open_model(job.job.base, kind="embedder", offline=True)
    shares: dict[str, Floats] = {}
    for number, fold in enumerate(folds(job.job.train, count=FOLDS, seed=job.job.seed)):
        label = f"both: fold {number + 1} of {FOLDS}"
        channel.progress(label, 0, None)
        part = replace(job.job, train=tuple(fold.train), dev=(), test=tuple(fold.test))
        trained = train_once(
            part,
            base,
            folder=Path(job.folder) / f"fold-{number}",
            progress=lambda _, done, total, label=label: channel.progress(
                label, done, total
            ),
        )
        for case, rows_W_L in zip(
            fold.test, side_logits(part, trained, "test"), strict=True
        ):
            shares[case.id] = as_shares(rows_W_L)
    memory = [case for case in read_memory(job.spec) if isinstance(case, LabelCase)]
    neighbours = Neighbours(
        memory,
        labels=job.spec.labels,
        embedder=open_named_embedder(job.spec.embedder, offline=True),
        voting=Voting(job.spec.k, job.spec.sharpness),
    )
    votes = [row_L[np.newaxis] for row_L in neighbours.left_out_shares()]
    return weigh(
        memory, [shares[case.id] for case in memory], votes, labels=job.spec.labels
    )


def weigh(
    cases: Sequence[Case],
    model: Sequence[Floats],
    votes: Sequence[Floats],
    *,
    labels: Sequence[str],
) -> dict[str, Any]:
    """Of equals the smallest weight: votes must earn their place."""
    scores: dict[str, float] = {}
    worth: dict[float, float] = {}
    for weight in WEIGHTS:
        mixed = mix([(model, 1 - weight), (votes, weight)])
        scores[f"{weight:g}"] = _score(cases, mixed, labels=labels)
        worth[weight] = scores[f"{weight:g}"] - _LOSS_SHARE * _loss(
            cases, mixed, labels=labels
        )
    best = max(worth, key=lambda weight: (round(worth[weight], 6), -weight))
    return {"set": {"weight": best}, "scores": scores}


def _score(
    cases: Sequence[Case], shares: Sequence[Floats], *, labels: Sequence[str]
) -> float:
    """The task's primary measure of what has the largest share; 0 without cases."""
    if not cases:
        return 0.0
    is_words = isinstance(cases[0], EntityCase)
    return score(cases, shares, labels=labels, is_words=is_words)


def _loss(
    cases: Sequence[Case], shares: Sequence[Floats], *, labels: Sequence[str]
) -> float:
    """Mean negative log of the share of what is right."""
    place = {label: number for number, label in enumerate(labels)}
    lost: list[float] = []
    for case, rows_W_L in zip(cases, shares, strict=True):
        for label, row_L in zip(gold_labels(case), rows_W_L, strict=True):
            share = row_L[place[label]] if label in place else 0.0
            lost.append(-float(np.log(max(float(share), _LEAST_SHARE))))
    return float(np.mean(lost))
