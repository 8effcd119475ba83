"""What is told about a tuned model, made from gold labels, predictions and settings.

`TunedModel` is what the page and the model card are written from; one function a kind
of task makes it from plain values. Every figure comes out of `measure`; here stands
which figures are told, in what words, and which cases are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure.calibration import (
    calibration_figures,
    probabilities,
    reliability_bins,
)
from groundtune.measure.entities import entity_report, f1_gain
from groundtune.measure.labels import label_report
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import compare_paired
from groundtune.recipes.tuning_page.mistakes import (
    poorest_texts,
    wrong_labels,
    wrong_sentences,
)
from groundtune.recipes.tuning_page.tuned import (
    Calibration,
    TunedModel,
    measure_name,
)
from groundtune.recipes.written_measures import case_scores, gained, measured

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

    from groundtune.measure.calibration import Binning
    from groundtune.recipes.tuning_page.tuned import Basis

    Floats = npt.NDArray[np.floating[Any]]

WORST = 12
"""Cases shown as examples of what goes wrong."""

_FEW_CASES = 200
"""Test cases below which a warning says that figures are rough."""


def label_content(
    *,
    name: str,
    task: str,
    texts: Sequence[str],
    gold: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    ids: Sequence[str] = (),
    groups: Sequence[Hashable] | None = None,
    logits_N_L: Floats | None = None,
    temperature: float = 1.0,
    baselines: Mapping[str, Sequence[str]] | None = None,
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    basis: Basis = "test",
    seed: int = 0,
) -> TunedModel:
    """Tell of a model that gives a text one label.

    Args:
        name: What the model is called.
        task: `sentiment` or `classification`.
        texts: The test cases, and in the same order
        gold: their labels,
        predicted: what the model says,
        ids: what they are called (their numbers, from 1, if not given),
        groups: and what they belong together by.
        labels: Names of the model's outputs, in order.
        logits_N_L: Its outputs, for confidence and for choosing the worst mistakes.
        temperature: As `measure.calibration.fit_temperature` gave it for dev cases.
        baselines: Predictions for the same cases without training, by name.
        history: What was measured through training; see `tuning_page.plots`.
        settings: Base model, method and hyper-parameters.
        data: Counts and hashes of the cases.
        basis: Whether these are test cases, or for want of any dev cases or training
            cases, each judged by the model of its fold.
        seed: Where resampling starts.

    Raises:
        ValueError: There are no cases, or not one value for each of them.
    """
    report = label_report(gold, predicted, labels=labels, groups=groups, seed=seed)
    others = {
        other: label_report(gold, said, labels=labels, groups=groups, draws=2).accuracy
        for other, said in (baselines or {}).items()
    }
    unknown = sorted(set(gold) - set(labels))
    calibration = None
    if logits_N_L is not None:
        known = [i for i, label in enumerate(gold) if label in set(labels)]
        gold_N = np.array([list(labels).index(gold[i]) for i in known], dtype=np.int64)
        calibration = _calibration(
            logits_N_L[known], gold_N, temperature=temperature, unit="cases"
        )
    mistakes = wrong_labels(
        texts,
        gold=gold,
        predicted=predicted,
        ids=ids,
        labels=labels,
        logits_N_L=logits_N_L,
        temperature=temperature,
    )
    return TunedModel(
        name=name,
        task=task,
        measure="accuracy",
        score=report.accuracy,
        measures={"macro_f1": report.macro_f1, "weighted_f1": report.weighted_f1},
        baselines=others,
        gain=_accuracy_gain(gold, predicted, baselines or {}, groups, seed=seed),
        labels=report,
        calibration=calibration,
        mistakes=tuple(mistakes[:WORST]),
        mistaken=len(mistakes),
        history=history,
        settings=settings or {},
        data=data or {},
        basis=basis,
        warnings=_warnings(
            len(gold),
            unknown,
            [n for n, f in report.by_label.items() if not f.support],
            basis=basis,
        ),
    )


def entity_content(
    *,
    name: str,
    tokens: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    tags: Sequence[str],
    ids: Sequence[str] = (),
    groups: Sequence[Hashable] | None = None,
    logits: Sequence[Floats] | None = None,
    temperature: float = 1.0,
    baselines: Mapping[str, Sequence[Sequence[str]]] | None = None,
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    basis: Basis = "test",
    seed: int = 0,
) -> TunedModel:
    """Tell of a model that finds named entities.

    Arguments are those of `label_content`, a sentence in place of a text: `gold`,
    `predicted` and each of `baselines` have a tag for each of its `tokens`, `logits` a
    row `(T, L)` for each token, and `tags` are the names of the model's outputs.

    Raises:
        ValueError: There are no sentences, or a word lacks a tag.
    """
    report = entity_report(gold, predicted, groups=groups, seed=seed)
    others = {
        other: entity_report(gold, said, groups=groups, seed=seed).f1
        for other, said in (baselines or {}).items()
    }
    flat = [tag for sentence in gold for tag in sentence]
    calibration = None
    if logits is not None:
        known = [i for i, tag in enumerate(flat) if tag in set(tags)]
        gold_N = np.array([list(tags).index(flat[i]) for i in known], dtype=np.int64)
        calibration = _calibration(
            np.concatenate(logits)[known],
            gold_N,
            temperature=temperature,
            unit="words",
        )
    mistakes = wrong_sentences(tokens, gold=gold, predicted=predicted, ids=ids)
    return TunedModel(
        name=name,
        task="ner",
        measure="entity_f1",
        score=report.f1,
        measures={
            "entity_precision": report.overall.precision,
            "entity_recall": report.overall.recall,
            "macro_f1": report.macro_f1,
        },
        baselines=others,
        gain=f1_gain(
            gold, predicted, (baselines or {})[_best(others)], groups=groups, seed=seed
        )
        if others
        else None,
        labels=label_report(
            _types(gold), _types(predicted), labels=["O", *report.by_type], draws=2
        ),
        entities=report,
        calibration=calibration,
        mistakes=tuple(mistakes[:WORST]),
        mistaken=len(mistakes),
        history=history,
        settings=settings or {},
        data=data or {},
        basis=basis,
        warnings=_warnings(
            len(gold),
            sorted(set(flat) - set(tags)),
            [n for n, each in report.by_type.items() if not each.support],
            basis=basis,
        ),
    )


def text_content(
    *,
    name: str,
    task: str,
    measure: str,
    asked: Sequence[str],
    references: Sequence[Sequence[str]],
    predicted: Sequence[str],
    ids: Sequence[str] = (),
    groups: Sequence[Hashable] | None = None,
    baselines: Mapping[str, Sequence[str]] | None = None,
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    basis: Basis = "test",
    seed: int = 0,
) -> TunedModel:
    """Tell of a model that writes: a translation, a reply, a summary.

    Arguments are those of `label_content`, with `references` for gold labels (one text
    or several for each case), `asked` for what the model was given, and `measure` the
    task's primary one, such as `bleu`: between 0 and 100.

    Raises:
        ValueError: There are no cases, or not one text for each of them.
    """
    units = groups if groups is not None else range(len(references))
    report = measured(task, predicted, references, groups=units, seed=seed)
    figures = dict(report.figures)
    others = {
        other: measured(task, said, references, groups=units, seed=seed).figures[
            measure
        ]
        for other, said in (baselines or {}).items()
    }
    mistakes = poorest_texts(
        asked,
        predicted=predicted,
        references=[wanted[0] for wanted in references],
        scores=case_scores(task, predicted, references),
        ids=ids,
        measure="ROUGE-L" if measure == "rouge_l" else "chrF",
    )
    return TunedModel(
        name=name,
        task=task,
        measure=measure,
        score=figures.pop(measure),
        measures=figures,
        limit=100.0,
        baselines=others,
        gain=gained(
            predicted,
            (baselines or {})[_best(others)],
            references,
            measure=measure,
            groups=units,
            seed=seed,
        )
        if others
        else None,
        mistakes=tuple(mistakes[:WORST]),
        mistaken=sum(
            text.split() not in [one.split() for one in wanted]
            for text, wanted in zip(predicted, references, strict=True)
        ),
        history=history,
        settings={
            **(settings or {}),
            **{measure_name(name): how for name, how in report.signatures.items()},
        },
        data=data or {},
        basis=basis,
        warnings=_warnings(len(references), (), (), basis=basis),
    )


def _best(figures: Mapping[str, Figure]) -> str:
    return max(figures, key=lambda name: figures[name].value)


def _types(sentences: Sequence[Sequence[str]]) -> list[str]:
    """The type of every word, `O` for none."""
    return [tag.partition("-")[2] or tag for tags in sentences for tag in tags]


def _accuracy_gain(
    gold: Sequence[str],
    predicted: Sequence[str],
    baselines: Mapping[str, Sequence[str]],
    groups: Sequence[Hashable] | None,
    *,
    seed: int,
) -> Figure | None:
    if not baselines:
        return None
    said = {
        other: np.array([a == b for a, b in zip(gold, each, strict=True)], np.float64)
        for other, each in baselines.items()
    }
    best = max(said, key=lambda other: float(said[other].mean()))
    ours = np.array([a == b for a, b in zip(gold, predicted, strict=True)], np.float64)
    gap = compare_paired(
        ours,
        said[best],
        groups if groups is not None else range(len(gold)),
        rng=np.random.default_rng(seed),
        draws=2_000,
    )
    return Figure(value=gap.difference, low=gap.low, high=gap.high, n=gap.n)


def _calibration(
    logits_N_L: Floats, gold_N: npt.NDArray[np.int64], *, temperature: float, unit: str
) -> Calibration | None:
    if len(gold_N) == 0:
        return None
    before, after = (
        probabilities(logits_N_L, temperature=each) for each in (1.0, temperature)
    )
    # Nearly all words lie outside entities and are certain: bins of equal mass would
    # show little else.
    by: Binning = "mass" if unit == "cases" else "width"
    return Calibration(
        temperature=temperature,
        before=calibration_figures(logits_N_L, gold_N),
        after=calibration_figures(logits_N_L, gold_N, temperature=temperature),
        bins_before=tuple(reliability_bins(before, gold_N, bins=10, by=by)),
        bins_after=tuple(reliability_bins(after, gold_N, bins=10, by=by)),
        unit=unit,
    )


def _warnings(
    cases: int, unknown: Sequence[str], unseen: Sequence[str], *, basis: str
) -> tuple[str, ...]:
    found: list[str] = []
    if basis == "dev":
        found.append(
            "No test cases were given. These are dev cases, which chose the weights: "
            "expect less on others."
        )
    if basis == "cross-validated":
        found.append(
            "No test cases were given. The figures come from cross-validation: they "
            "are of models trained on a part of the cases. The model in this folder "
            "was trained on all of them and measured on none."
        )
    if cases < _FEW_CASES:
        found.append(
            f"{cases} {basis} cases are few: read the intervals, not the figures."
        )
    if unknown:
        found.append(
            f"{_listed(unknown)} occur in the {basis} cases and were never taught, so "
            "every such case counts as wrong."
        )
    if unseen:
        found.append(
            f"No {basis} case has {_listed(unseen)}: nothing is known of these."
        )
    return tuple(found)


def _listed(names: Sequence[str], *, most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
