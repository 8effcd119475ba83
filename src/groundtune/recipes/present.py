"""What a person is left with after tuning: baselines, a page and a model card.

One function a kind of task. Each runs the baselines that the training cases allow,
measures the model beside them on the same test cases, and writes `report.html` and
`README.md` into the model folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundtune.core.fingerprint import canonical_json, text_sha256
from groundtune.core.protocols import silent
from groundtune.recipes.tuning_page.card import write_model_card
from groundtune.recipes.tuning_page.content import entity_content, label_content
from groundtune.recipes.tuning_page.crossed import with_folds
from groundtune.recipes.tuning_page.page import write_tuning_page
from groundtune.systems.baselines import (
    Gazetteer,
    LabelPredictions,
    majority,
    majority_tag,
)
from groundtune.systems.neighbours import LabelWords, Neighbours
from groundtune.tasks import classification, sentiment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Embedder, Progress
    from groundtune.core.values import EntityCase, LabelCase
    from groundtune.recipes.tuning_page.tuned import Basis, Folds, TunedModel

    Floats = npt.NDArray[np.float32]

PAGE = "report.html"

MOST_NEIGHBOURS = 20_000
"""Training cases that neighbours are sought among: half a minute of embedding."""


def present_labels(
    folder: Path,
    *,
    task: str,
    train: Sequence[LabelCase],
    test: Sequence[LabelCase],
    labels: Sequence[str],
    predicted: Sequence[str],
    base: str,
    method: str,
    logits_N_L: Floats | None = None,
    temperature: float = 1.0,
    embedder: Embedder | None = None,
    dev: Sequence[LabelCase] = (),
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    licence: str = "",
    limits: Sequence[str] = (),
    search: Mapping[str, Any] | None = None,
    basis: Basis = "test",
    baselines: Mapping[str, Sequence[str]] | None = None,
    folds: Folds | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> TunedModel:
    """Write the page and the card of a model for `sentiment` or `classification`.

    Args:
        folder: The model's own; its name is the model's.
        task: `sentiment` or `classification`.
        train: What it learnt from, and what baselines may use.
        test: At least one case that it did not see.
        labels: Names of its outputs, in order.
        predicted: What it says of each of `test`.
        base: The pre-trained model.
        method: How it was tuned, such as `full` or `LoRA, rank 16`.
        logits_N_L: Its outputs as they were trained, before any temperature.
        temperature: What they are divided by, fitted on dev cases.
        embedder: For zero-shot and neighbours, which are left out without one.
        dev: Cases that chose among weights; only counted.
        history: See `tuning_page.plots`.
        settings: Hyper-parameters.
        licence: Of the weights.
        limits: What else the card should warn of.
        search: Settings tried; see `TunedModel.search`.
        basis: `dev` where there are no test cases and dev cases stand in as `test`;
            `cross-validated` where training cases do.
        baselines: What they say of `test`, where that is known already.
        folds: The cross-validation, where there was one.
        seed: Where resampling starts.
        progress: Told how far each step is.

    Raises:
        StoreError: A file could not be written.
    """
    if baselines is None:
        baselines = label_baselines(
            train,
            [case.text for case in test],
            task=task,
            labels=labels,
            embedder=embedder,
            progress=progress,
        )
    model = label_content(
        name=folder.resolve().name,
        task=task,
        texts=[case.text for case in test],
        gold=[case.label for case in test],
        predicted=predicted,
        labels=labels,
        ids=[case.id for case in test],
        groups=[case.group or case.id for case in test],
        logits_N_L=logits_N_L,
        temperature=temperature,
        baselines=baselines,
        history=history,
        settings={"base model": base, "method": method, **(settings or {})},
        data=_told(train, dev, test, basis=basis),
        basis=basis,
        seed=seed,
    )
    model = _completed(model, search=search, folds=folds)
    _write(folder, model, base=base, method=method, licence=licence, limits=limits)
    return model


def present_entities(
    folder: Path,
    *,
    train: Sequence[EntityCase],
    test: Sequence[EntityCase],
    tags: Sequence[str],
    predicted: Sequence[Sequence[str]],
    base: str,
    method: str,
    logits: Sequence[Floats] | None = None,
    temperature: float = 1.0,
    dev: Sequence[EntityCase] = (),
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    licence: str = "",
    limits: Sequence[str] = (),
    search: Mapping[str, Any] | None = None,
    basis: Basis = "test",
    baselines: Mapping[str, Sequence[Sequence[str]]] | None = None,
    folds: Folds | None = None,
    seed: int = 0,
) -> TunedModel:
    """Write the page and the card of a model for `ner`.

    Arguments are those of `present_labels`, with a tag and a row of logits for each
    word of each sentence.

    Raises:
        StoreError: A file could not be written.
    """
    model = entity_content(
        name=folder.resolve().name,
        tokens=[case.tokens for case in test],
        gold=[case.tags for case in test],
        predicted=predicted,
        tags=tags,
        ids=[case.id for case in test],
        groups=[case.group or case.id for case in test],
        logits=logits,
        temperature=temperature,
        baselines=baselines or entity_baselines(train, [case.tokens for case in test]),
        history=history,
        settings={"base model": base, "method": method, **(settings or {})},
        data=_told(train, dev, test, basis=basis),
        basis=basis,
        seed=seed,
    )
    model = _completed(model, search=search, folds=folds)
    _write(folder, model, base=base, method=method, licence=licence, limits=limits)
    return model


def _completed(
    model: TunedModel, *, search: Mapping[str, Any] | None, folds: Folds | None
) -> TunedModel:
    """The model with what came before its training."""
    model = replace(model, search=search or {})
    return with_folds(model, folds) if folds else model


def label_baselines(
    train: Sequence[LabelCase],
    texts: Sequence[str],
    *,
    task: str,
    labels: Sequence[str],
    embedder: Embedder | None = None,
    progress: Progress = silent,
) -> dict[str, Sequence[str]]:
    """What every baseline says of `texts`, by the baseline's name.

    Majority always; zero-shot and neighbours with an embedder. Zero-shot is left out
    where no label has a letter: a number says nothing to an embedder.
    """
    found: dict[str, Sequence[str]] = {
        "majority": majority(train, labels=labels, count=len(texts)).predicted
    }
    if embedder is None:
        return found
    progress("baselines", 0, None)
    if any(character.isalpha() for name in labels for character in name):
        described = (
            sentiment.described if task == sentiment.NAME else classification.described
        )
        words = LabelWords(labels, embedder=embedder, described=described)
        scores_N_L = words.scores(embedder.encode(list(texts)))
        found["zero-shot"] = LabelPredictions.of(scores_N_L, labels).predicted
    if len(train) > 1:
        every = -(-len(train) // MOST_NEIGHBOURS)
        voters = Neighbours(train[::every], labels=labels, embedder=embedder)
        shares_N_L = voters.shares(embedder.encode(list(texts)))
        found["neighbours"] = LabelPredictions.of(shares_N_L, labels).predicted
    return found


def entity_baselines(
    train: Sequence[EntityCase], sentences: Sequence[Sequence[str]]
) -> dict[str, list[Sequence[str]]]:
    """What every baseline says of each sentence's words, by the baseline's name."""
    gazetteer, tag = Gazetteer(train), majority_tag(train)
    return {
        "majority": [[tag] * len(words) for words in sentences],
        "gazetteer": [gazetteer.predict(words) for words in sentences],
    }


def _told(
    train: Sequence[LabelCase] | Sequence[EntityCase],
    dev: Sequence[LabelCase] | Sequence[EntityCase],
    test: Sequence[LabelCase] | Sequence[EntityCase],
    *,
    basis: str,
) -> dict[str, Any]:
    """Counts and hashes, by which anyone can tell whether two models saw the same."""
    told: dict[str, Any] = {}
    for side, cases in (("training", train), ("dev", dev), (basis, test)):
        if cases and side != "cross-validated":  # the training cases again
            told[f"{side} cases"] = len(cases)
            told[f"{side} sha256"] = _sha256(cases)
    return told


def _sha256(cases: Sequence[LabelCase] | Sequence[EntityCase]) -> str:
    return text_sha256("\n".join(canonical_json(case) for case in cases))


def _write(
    folder: Path,
    model: TunedModel,
    *,
    base: str,
    method: str,
    licence: str,
    limits: Sequence[str],
) -> None:
    write_tuning_page(folder / PAGE, model)
    write_model_card(
        folder, model, base=base, method=method, licence=licence, limits=limits
    )
