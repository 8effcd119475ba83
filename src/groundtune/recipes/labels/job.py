"""What a training for labels is made of: names, sides, settings, in one description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.core.values import EntityCase, LabelCase
from groundtune.data.stratify import split_stratified
from groundtune.recipes.labels.training import LabelJob
from groundtune.tasks import classification, ner, sentiment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from groundtune.config.encoder import EncoderSettings
    from groundtune.recipes.labels.reading import Sides

    Case = LabelCase | EntityCase

LABEL_TASKS = (sentiment.NAME, classification.NAME, ner.NAME)
_DEV_SHARE = 0.1
_LEAST_CASES_TO_SHARE = 50
"""With fewer, none are held out for dev: each is worth more in training."""


def described_job(
    sides: Sides,
    settings: EncoderSettings,
    why: str,
    *,
    task: str,
    base: str,
    out: Path,
    seed: int,
    keeps_all: bool = False,
) -> LabelJob:
    """The training of these cases, some of them kept for dev where there are enough.

    All are trained on where it `keeps_all`, or dev cases have a file of their own.

    Raises:
        DataError: There is one label only.
    """
    cases, held = sides.cases("train"), sides.cases("dev")
    labels = label_names(task, cases)
    if len(labels) < 2:
        raise DataError(
            f"every case is labelled {', '.join(labels)}: nothing is to be told apart",
            fix="give cases of two labels at least",
            where=str(sides.files["train"]),
        )
    if "dev" not in sides.files and not keeps_all:
        cases, held = _share(cases, strategy=settings.strategy, seed=seed)
    return LabelJob(
        task=task,
        base=base,
        out=str(out),
        train=cases,
        dev=held,
        test=sides.cases("test"),
        labels=labels,
        settings=settings,
        why=why,
        seed=seed,
    )


def label_names(task: str, cases: Sequence[Case]) -> tuple[str, ...]:
    """Labels of texts, or tags of words, in the order of a model's outputs."""
    if task == ner.NAME:
        return ner.tag_names(case for case in cases if isinstance(case, EntityCase))
    name: Callable[[Iterable[LabelCase]], tuple[str, ...]] = (
        sentiment.label_names if task == sentiment.NAME else classification.label_names
    )
    return name(case for case in cases if isinstance(case, LabelCase))


def _share(
    cases: tuple[Case, ...], *, strategy: str, seed: int
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Training and dev cases; few cases are all for training."""
    if strategy == "contrastive" or len(cases) < _LEAST_CASES_TO_SHARE:
        return cases, ()
    shares = (1 - _DEV_SHARE, _DEV_SHARE)
    train, held = split_stratified(cases, shares=shares, seed=seed)
    return tuple(train), tuple(held)
