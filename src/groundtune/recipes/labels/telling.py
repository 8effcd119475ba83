"""What a person is told of a tuned label model: its measures, its page and its card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from groundtune.measure.calibration import calibration_figures
from groundtune.measure.entities import entity_report
from groundtune.measure.labels import label_report
from groundtune.recipes.present import present_entities, present_labels
from groundtune.recipes.tuning_page.history import training_history
from groundtune.recipes.tuning_page.tuned import Folds
from groundtune.retrieve.embed import open_embedder
from groundtune.tasks import ner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundtune.core.protocols import Progress
    from groundtune.core.values import EntityCase, LabelCase
    from groundtune.measure.rows import Figure
    from groundtune.recipes.labelling import Judged
    from groundtune.recipes.labels.crossed import Crossed
    from groundtune.recipes.labels.training import LabelJob
    from groundtune.recipes.tuning_page.tuned import Basis
    from groundtune.store.models import ModelFolder

    Case = LabelCase | EntityCase


def present_model(
    job: LabelJob,
    judged: Mapping[str, Sequence[Judged]],
    record: Mapping[str, Any],
    *,
    model: ModelFolder,
    progress: Progress,
    crossed: Crossed | None = None,
) -> None:
    """Write the page and the card into the model's folder.

    They are of the test cases if there are any, else of the cross-validation, else of
    the dev cases.
    """
    basis: Basis = "test" if "test" in judged else "dev"
    if basis == "dev" and crossed is not None:
        basis = "cross-validated"
    if basis == "cross-validated":
        assert crossed is not None
        cases, found = job.train, crossed.judged(job.train)
    else:
        cases, found = getattr(job, basis), judged[basis]
    temperature = float(record["temperature"])
    training = record["training"]
    shared: dict[str, Any] = {
        "base": model.name,
        "method": job.settings.strategy,
        "temperature": temperature,
        "dev": job.dev if basis != "dev" else (),
        "folds": _folds(crossed),
        "baselines": crossed.baselines(job.train)
        if crossed and basis == "cross-validated"
        else None,
        "history": training_history(
            training["train_losses"],
            dev_losses=[(at, loss) for at, loss in training["dev_losses"]],
        ),
        "settings": {**training["settings"], **_circumstances(job, training)},
        "limits": _limits(job),
        "search": job.record["search"],
        "licence": model.licence,
        "basis": basis,
        "seed": job.seed,
    }
    # What is stored is calibrated; the page shows both.
    logits = [one.logits_W_L * temperature for one in found]
    if job.task == ner.NAME:
        present_entities(
            Path(job.out),
            train=cast("Sequence[EntityCase]", job.train),
            test=cast("Sequence[EntityCase]", cases),
            tags=job.labels,
            predicted=[one.predicted for one in found],
            logits=logits,
            **shared,
        )
        return
    present_labels(
        Path(job.out),
        task=job.task,
        train=cast("Sequence[LabelCase]", job.train),
        test=cast("Sequence[LabelCase]", cases),
        labels=job.labels,
        predicted=[one.predicted[0] for one in found],
        logits_N_L=np.concatenate(logits),
        embedder=open_embedder(model),
        progress=progress,
        **shared,
    )


def _folds(crossed: Crossed | None) -> Folds | None:
    if crossed is None:
        return None
    record = crossed.record
    return Folds(
        count=record["folds"],
        figure=crossed.figure,
        scores=tuple(p["value"] for p in record["parts"] if p["draw"] == 1),
        draws=tuple(record["draws"]),
    )


def _circumstances(job: LabelJob, training: Mapping[str, Any]) -> dict[str, Any]:
    """What else a person should find beside the settings."""
    found: dict[str, Any] = {}
    train = job.record["data"]["files"]["train"]
    found["columns"] = train["roles"]
    for side, count in train["left_out"].items():
        found[f"left out, since in {side}"] = count
    if budget := training.get("budget"):
        found["budget in seconds"] = budget["seconds"]
    if crossed := job.record["cross_validation"]:
        found["folds"] = crossed["folds"]
        found["draws of the folds"] = crossed["repeats"]
    if search := job.record["search"]:
        found["settings tried"] = len(search["trials"])
        found["settings chosen on"] = search["chosen_on"]
    return found


def _limits(job: LabelJob) -> list[str]:
    """What the card should warn of."""
    found = [
        f"Of the training file: {one['message']}."
        for one in job.record["data"]["findings"]
        if one["severity"] != "note"
    ]
    if search := job.record["search"]:
        found.append(
            f"Its settings are the best of {len(search['trials'])} on "
            f"{search['chosen_on']}; a score on those cases is too high for it."
        )
        if crossed := job.record["cross_validation"]:
            found.append(
                f"In the cross-validation each of the {crossed['folds']} folds "
                "searched settings anew, without its own cases, so that its figure is "
                "not too high for that."
            )
    return found


def side_measures(
    job: LabelJob, judged: Sequence[Judged], cases: Sequence[Case]
) -> dict[str, Any]:
    """Every measure of the task on the cases of one side."""
    groups = [case.group or case.id for case in cases]
    if job.task == ner.NAME:
        report = entity_report(
            [one.gold for one in judged],
            [one.predicted for one in judged],
            groups=groups,
            seed=job.seed,
        )
        return {
            ner.PRIMARY_MEASURE: _figure(report.overall.f1),
            "entity_precision": _figure(report.overall.precision),
            "entity_recall": _figure(report.overall.recall),
            "macro_f1": _figure(report.macro_f1),
            "by_type": {name: each.to_json() for name, each in report.by_type.items()},
        }
    gold = [one.gold[0] for one in judged]
    predicted = [one.predicted[0] for one in judged]
    labels = label_report(
        gold, predicted, labels=job.labels, groups=groups, seed=job.seed
    )
    found = {
        "accuracy": _figure(labels.accuracy),
        "macro_f1": _figure(labels.macro_f1),
        "weighted_f1": _figure(labels.weighted_f1),
    }
    place = {label: number for number, label in enumerate(job.labels)}
    known = [number for number, label in enumerate(gold) if label in place]
    if known:
        logits_N_L = np.concatenate([judged[number].logits_W_L for number in known])
        gold_N = np.array([place[gold[number]] for number in known])
        found |= calibration_figures(logits_N_L, gold_N).to_json()
    return found


def _figure(figure: Figure) -> dict[str, float | int]:
    return asdict(figure)
