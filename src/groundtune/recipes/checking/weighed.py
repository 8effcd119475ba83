"""Verdict models of a page of weights: on wording, and on likelihood beside it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.core.errors import DataError
from groundtune.recipes.checking.lessons import quotes_of
from groundtune.recipes.checking.verdicts import (
    judged,
    label_measures,
    on_right_evidence,
    recall_measure,
    right_evidence_measures,
)
from groundtune.store.models import open_model
from groundtune.systems.likelihood import (
    LIKELIHOOD,
    Generator,
    LikelihoodJudge,
    contrast,
    fit_sides,
    open_scorer,
    write_sides,
)
from groundtune.systems.wording import (
    WordingJudge,
    features,
    fit_wording,
    write_wording,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.recipes.checking.reading import Claims
    from groundtune.systems.fact_checker import Judge
    from groundtune.systems.likelihood import Scorer, SideWeights

_LEAST_DECIDED = 10


class Weighed(NamedTuple):
    """A model that was fitted and written, and how it does."""

    base: str
    lessons: int
    seconds: float
    """Of learning alone, likelihoods of the training claims among it."""
    measures: dict[str, dict[str, Any]]
    """Every measure, by side."""


class _Learned(NamedTuple):
    """What tells the sides apart, and the generator that it was learned with."""

    sides: SideWeights
    scorer: Scorer
    generator: Generator
    name: str


def weigh(
    out: Path,
    claims: Mapping[str, Claims],
    *,
    generator: str | None,
    seed: int,
    progress: Progress,
) -> Weighed:
    """Fit and write a model; dev claims are only measured on.

    Args:
        out: Folder of the model.
        claims: Of every side, with what was found for them.
        generator: Whose likelihoods decide between the sides; None: wording alone.
        seed: Of the bootstrap.
        progress: Told how far it is.

    Raises:
        DataError: Too few claims are decided to learn sides from.
        ModelLoadError: The generator cannot be opened.
        DownloadError: It is not here and cannot be fetched.
    """
    began = time.perf_counter()
    train = claims["train"]
    known = [case for case in train.cases if train.found[case.id]]
    wording = fit_wording(
        [features(case.claim, train.found[case.id]) for case in known],
        [case.label for case in known],
    )
    learned = None
    judge: Judge = WordingJudge(wording, name=out.name)
    if generator is not None:
        learned = _learn_sides(train, generator, progress=progress)
        judge = LikelihoodJudge(wording, learned.sides, learned.scorer, name=out.name)
    seconds = time.perf_counter() - began
    measures = {
        side: _measures(judge, claims[side], side=side, seed=seed, progress=progress)
        for side in ("dev", "test")
        if side in claims
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / LIKELIHOOD).unlink(missing_ok=True)
    write_wording(out, wording)
    if learned is not None:
        write_sides(out, learned.sides, learned.generator)
    base = "wording" if learned is None else f"wording and {learned.name}"
    return Weighed(base, len(known), seconds, measures)


def _learn_sides(train: Claims, generator: str, *, progress: Progress) -> _Learned:
    decided = [case for case in train.cases if _deciding(train, case.id)]
    decided = [case for case in decided if case.label != "NOT_ENOUGH_INFO"]
    are_refuted = [case.label == "REFUTED" for case in decided]
    if len(decided) < _LEAST_DECIDED or len(set(are_refuted)) < 2:
        raise DataError(
            f"{sum(are_refuted)} refuted claims of {len(decided)} that are decided: "
            "too few to learn one from the other",
            fix=f"give {_LEAST_DECIDED} decided claims, or use --strategy head",
            where="train",
        )
    model = open_model(generator, kind="generator", progress=progress)
    scorer = open_scorer(model)
    rows: list[list[float]] = []
    for number, case in enumerate(decided):
        progress("likelihoods: train", number, len(decided))
        rows.append(contrast(scorer, case.claim, _deciding(train, case.id)))
    progress("likelihoods: train", len(decided), len(decided))
    return _Learned(
        sides=fit_sides(rows, are_refuted),
        scorer=scorer,
        generator=Generator(generator, model.weights_sha256),
        name=model.name,
    )


def _deciding(claims: Claims, name: str) -> Sequence[str]:
    """The quotes that decide a claim; where nobody says, what is most like it."""
    found = claims.found[name]
    if quotes := quotes_of(claims.gold[name]):
        return quotes
    return max(found, key=lambda one: one.likeness).texts if found else ()


def _measures(
    judge: Judge, claims: Claims, *, side: str, seed: int, progress: Progress
) -> dict[str, Any]:
    said = judged(judge, claims, label=f"verdicts: {side}", progress=progress)
    measures = label_measures(claims, said, seed=seed)
    measures["evidence_recall@5"] = recall_measure(claims, seed=seed)
    if isinstance(judge, LikelihoodJudge):
        decided = on_right_evidence(claims, judge)
        measures |= right_evidence_measures(decided, seed=seed)
    return measures
