"""What changes on the page of a model that was cross-validated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from groundtune.measure.folds import widened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.measure.entities import EntityFigures
    from groundtune.measure.labels import LabelFigures
    from groundtune.measure.rows import Figure
    from groundtune.recipes.tuning_page.tuned import Folds, TunedModel


def with_folds(model: TunedModel, folds: Folds) -> TunedModel:
    """The model with its cross-validation; figures that come from it get its intervals.

    Its temperature was fitted to the cases of all folds.
    """
    calibration = model.calibration
    if calibration is not None:
        calibration = replace(calibration, fitted_on="the cross-validated cases")
    model = replace(model, folds=folds, calibration=calibration)
    if model.basis != "cross-validated":
        return model
    count = folds.count
    gain, labels, entities = model.gain, model.labels, model.entities
    return replace(
        model,
        score=widened(model.score, folds=count),
        measures=_all(model.measures, count),
        baselines=_all(model.baselines, count),
        gain=gain and widened(gain, folds=count, least=-1.0),
        labels=labels
        and replace(
            labels, by_label={n: _label(e, count) for n, e in labels.by_label.items()}
        ),
        entities=entities
        and replace(
            entities, by_type={n: _type(e, count) for n, e in entities.by_type.items()}
        ),
    )


def _all(figures: Mapping[str, Figure], folds: int) -> dict[str, Figure]:
    return {name: widened(figure, folds=folds) for name, figure in figures.items()}


def _label(figures: LabelFigures, folds: int) -> LabelFigures:
    return replace(
        figures,
        precision=widened(figures.precision, folds=folds),
        recall=widened(figures.recall, folds=folds),
        f1=widened(figures.f1, folds=folds),
    )


def _type(figures: EntityFigures, folds: int) -> EntityFigures:
    return replace(
        figures,
        precision=widened(figures.precision, folds=folds),
        recall=widened(figures.recall, folds=folds),
        f1=widened(figures.f1, folds=folds),
    )
