"""One training of an encoder for labels, from cases to a model in memory.

What a task is made of (targets, names, its measure) meets here with what trains it.
Runs in a process that may load torch; writing the model is for `recipes.labelling`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.fingerprint import fingerprint
from groundtune.core.values import EntityCase
from groundtune.measure.calibration import fit_temperature
from groundtune.measure.entities import spans
from groundtune.measure.labels import accuracy
from groundtune.recipes.labels.budget import fit_to_budget
from groundtune.tasks import classification, sentiment
from groundtune.tune.checkpoint import TrainState
from groundtune.tune.encoder.contrastive import ContrastiveTrainer
from groundtune.tune.encoder.dataset import (
    UNKNOWN_LABEL,
    Item,
    TextCutter,
    text_items,
    word_items,
)
from groundtune.tune.encoder.evaluate import case_logits, item_logits
from groundtune.tune.encoder.modify import apply_strategy
from groundtune.tune.encoder.pretrained import LabelModel, open_label_model
from groundtune.tune.encoder.probe import fit_head
from groundtune.tune.encoder.train import LabelTrainer, train_labels
from groundtune.tune.loop import run
from groundtune.tune.pretrained import choose_device, choose_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.config.encoder import EncoderSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import LabelCase
    from groundtune.recipes.labels.budget import Decision
    from groundtune.store.models import ModelFolder
    from groundtune.tune.loop import Observe

    Case = LabelCase | EntityCase
    Floats = npt.NDArray[np.float32]

_TOLD = ("out", "is_tracked", "record", "files")
"""What a job says that decides nothing about the model."""
_RARE = ("budget_seconds", "temperature", "cross_validation")
"""What decides only where it is given: plans without it stay as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJob:
    """What to train on what. Paths as text: it crosses to another process."""

    task: str
    base: str
    out: str
    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    test: tuple[Case, ...]
    labels: tuple[str, ...]
    """Labels of texts, or tags of words, in the order of the model's outputs."""
    settings: EncoderSettings
    why: str
    """Reason for the strategy."""
    seed: int
    budget_seconds: float | None = None
    """About how long training may take."""
    is_tracked: bool = False
    """Whether steps are handed out as they are made."""
    temperature: float | None = None
    """What logits are divided by; None to fit it to the dev cases."""
    cross_validation: str | None = None
    """Fingerprint of the one that went before."""
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the manifest is to say of the training."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts to put beside the weights, by their path in the folder."""

    @property
    def plan(self) -> str:
        """Fingerprint of all that decides the model, but for the base's weights."""
        parts: dict[str, Any] = asdict(self)
        for name in _TOLD:
            del parts[name]
        for name in _RARE:
            if parts[name] is None:
                del parts[name]
        return fingerprint(parts)

    @property
    def is_words(self) -> bool:
        """Whether words are labelled, rather than whole texts."""
        return self.task == "ner"


class Trained(NamedTuple):
    """A model in memory, and what it was made with."""

    model: LabelModel
    items: dict[str, list[Item]]
    """By side."""
    state: TrainState
    settings: EncoderSettings
    """As trained with: a budget may have made it shorter."""
    budget: Decision | None
    dtype: Any
    max_tokens: int
    texts_cut: int
    seconds: float


def train_once(
    job: LabelJob,
    base: ModelFolder,
    *,
    folder: Path,
    progress: Progress,
    observe: Observe | None = None,
) -> Trained:
    """Train, and leave the best weights in the model.

    Args:
        job: What to train on what.
        base: Its base, opened.
        folder: Of the checkpoint; an interrupted training is gone on with.
        progress: Told of each step.
        observe: Told where training stands; see `tune.loop.run`.

    Raises:
        ConfigError: The budget is too small, or settings do not fit the base.
        DataError: Memory does not do for a single text.
        StoreError: A checkpoint could not be written or read.
    """
    import time

    began = time.perf_counter()
    settings = job.settings
    device = choose_device()
    dtype = choose_dtype(device)
    model = open_label_model(
        base, job.labels, is_words=job.is_words, dropout=settings.dropout, seed=job.seed
    ).to(device)
    limit = int(base.config.get("max_position_embeddings", settings.max_tokens))
    cutter = TextCutter(base.path, max_tokens=min(limit, settings.max_tokens))
    cut = {
        side: _items(getattr(job, side), job.labels, cutter)
        for side in ("train", "dev", "test")
    }
    items = {side: found for side, (found, _) in cut.items()}
    lessons = items["train"]
    if settings.label_names and not job.is_words:
        lessons = [*lessons, *_name_items(job, cutter)]
    autocast = autocast_of(model, dtype)
    stamp = f"{base.name}@{base.weights_sha256[:8]}"
    is_fitted = settings.strategy == "head" and not job.is_words
    decision: Decision | None = None
    if not job.is_words and settings.strategy != "contrastive":
        progress("fitting the head", 0, None)
        fit_head(model, lessons, settings=settings, autocast=autocast)
    if is_fitted:
        # The best linear head is found in one go: there is nothing to step towards.
        state = TrainState(plan=job.plan)
    elif settings.strategy == "contrastive":
        pairs, decision = fit_to_budget(
            lambda chosen: ContrastiveTrainer(
                model,
                lessons,
                settings=chosen,
                seed=job.seed,
                base=stamp,
                dtype=dtype,
            ),
            model,
            settings,
            seconds=job.budget_seconds,
            began=began,
            plan=job.plan,
            folder=folder,
        )
        state = run(
            pairs, folder=folder, label="training", progress=progress, observe=observe
        )
        pairs.weights.use_best()
        fit_head(model, lessons, settings=settings, autocast=autocast)
    else:
        apply_strategy(model, settings, seed=job.seed)
        trainer, decision = fit_to_budget(
            lambda chosen: LabelTrainer(
                model,
                items["train"],
                dev=items["dev"],
                dev_cases=len(job.dev),
                score=lambda logits: score(
                    job.dev, logits, labels=job.labels, is_words=job.is_words
                ),
                settings=chosen,
                seed=job.seed,
                base=stamp,
                folder=folder,
                dtype=dtype,
                mask_id=cutter.mask_id,
                progress=progress,
            ),
            model,
            settings,
            seconds=job.budget_seconds,
            began=began,
            plan=job.plan,
            folder=folder,
        )
        state = train_labels(trainer, folder=folder, progress=progress, observe=observe)
    return Trained(
        model,
        items,
        state,
        decision.applied(settings) if decision else settings,
        decision,
        dtype,
        cutter.max_tokens,
        cut["train"][1],
        max(state.seconds, time.perf_counter() - began),
    )


def side_logits(job: LabelJob, trained: Trained, side: str) -> list[Floats]:
    """What the model says of the cases of a side: a row a text, or one a word."""
    items = trained.items[side]
    logits = item_logits(
        trained.model, items, autocast=autocast_of(trained.model, trained.dtype)
    )
    return case_logits(items, logits, cases=len(getattr(job, side)))


def autocast_of(model: LabelModel, dtype: Any) -> Any:  # noqa: ANN401 (torch loads late)
    """The precision that a model computes in."""
    import torch

    is_half = dtype == torch.bfloat16
    return torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=is_half)


def gold_labels(case: Case) -> list[str]:
    """The tags of a sentence, or the one label of a text."""
    return list(case.tags) if isinstance(case, EntityCase) else [case.label]


def named(logits_W_L: Floats, labels: Sequence[str]) -> list[str]:
    """The labels that logits stand for."""
    return [labels[int(best)] for best in logits_W_L.argmax(axis=1)]


def score(
    cases: Sequence[Case],
    logits: Sequence[Floats],
    *,
    labels: Sequence[str],
    is_words: bool,
) -> float:
    """The task's primary measure on cases, of logits or of anything else that ranks."""
    gold = [gold_labels(case) for case in cases]
    predicted = [named(rows_W_L, labels) for rows_W_L in logits]
    if not is_words:
        return accuracy([one[0] for one in gold], [one[0] for one in predicted])
    right = found = wanted = 0
    for gold_tags, tags in zip(gold, predicted, strict=True):
        ours, theirs = set(spans(tags)), set(spans(gold_tags))
        right += len(ours & theirs)
        found += len(ours)
        wanted += len(theirs)
    return 2 * right / (found + wanted) if found + wanted else 1.0


def temperature_of(
    cases: Sequence[Case], logits: Sequence[Floats], *, labels: Sequence[str]
) -> float:
    """What held-out cases ask logits to be divided by; 1 where there are none."""
    if not cases:
        return 1.0
    place = {label: number for number, label in enumerate(labels)}
    gold_S = np.array(
        [
            place.get(label, UNKNOWN_LABEL)
            for case in cases
            for label in gold_labels(case)
        ]
    )
    logits_S_L = np.concatenate(logits)
    known_S = gold_S != UNKNOWN_LABEL
    return fit_temperature(logits_S_L[known_S], gold_S[known_S])


def _name_items(job: LabelJob, cutter: TextCutter) -> list[Item]:
    """Each label's name in words, as one more text of it.

    A name without a letter, such as a number, says nothing to an encoder.
    """
    task = sentiment if job.task == sentiment.NAME else classification
    named = [(task.described(label), at) for at, label in enumerate(job.labels)]
    said = [(text, at) for text, at in named if any(map(str.isalpha, text))]
    if not said:
        return []
    texts, gold = zip(*said, strict=True)
    return text_items(list(texts), list(gold), cutter=cutter)[0]


def _items(
    cases: Sequence[Case], labels: Sequence[str], cutter: TextCutter
) -> tuple[list[Item], int]:
    """The cases as tokens, and how many texts were cut."""
    if not cases:
        return [], 0
    place = {label: number for number, label in enumerate(labels)}
    words: list[Sequence[str]] = []
    tags: list[list[int]] = []
    texts: list[str] = []
    gold: list[int] = []
    for case in cases:
        if isinstance(case, EntityCase):
            words.append(case.tokens)
            tags.append([place.get(tag, UNKNOWN_LABEL) for tag in case.tags])
        else:
            texts.append(case.text)
            gold.append(place.get(case.label, UNKNOWN_LABEL))
    if words:
        return word_items(words, tags, cutter=cutter), 0
    return text_items(texts, gold, cutter=cutter)
