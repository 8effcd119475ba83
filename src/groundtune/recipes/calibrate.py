"""The job `calibrate`: learn from labelled questions when not to answer.

Questions with and without an answer in the documents are answered as `ask` would. What
speaks for an answer is weighed by a logistic model fitted on some documents, and judged
on others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.core.errors import DataError
from groundtune.core.protocols import silent
from groundtune.data.cases import read_cases
from groundtune.data.splits import group_of, sample_cases
from groundtune.measure.selective import (
    area_gain,
    area_under_risk,
    auroc,
    best_threshold,
    gain_at,
    score_at,
    with_interval,
)
from groundtune.recipes.ask import DEFAULT_GENERATOR, ask_spec
from groundtune.recipes.calibration.answers import judge_answers
from groundtune.recipes.calibration.fit import confidences, fit_confidence
from groundtune.recipes.calibration.picture import draw_risk
from groundtune.recipes.calibration.record import (
    FOLDER,
    Calibration,
    record_path,
    write_record,
)
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.store.files import write_atomic
from groundtune.systems.build import build_system

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.config.retrieval import RetrievalSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import QaCase
    from groundtune.measure.selective import Figure
    from groundtune.recipes.calibration.fit import Judged

    Floats = npt.NDArray[np.float64]

FEWEST = 20
"""Cases on a side, below which a threshold would follow chance alone."""
HALF = 0.5
_DRAWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateReport:
    """What `calibrate --json` prints. Figures are of the test cases."""

    kb: str
    model: str
    threshold: float
    """Answers of less confidence are withheld."""
    cases: dict[str, dict[str, int]]
    """By side: how many questions, and how many of them have an answer."""
    figures: dict[str, dict[str, float | int]]
    """`aurc`; `aurc_gain`, the share by which it is below never abstaining; `f1`, of
    answering everything; `f1_at_half`, of the surer half, and `f1_gain_at_half`, over
    the first; `auroc`, of questions with an answer against those without."""
    at_threshold: dict[str, float | int]
    """`coverage`; `f1` of what is answered; `right`, the share of all questions that
    are treated rightly by SQuAD 2.0's rule, and `right_always` without a threshold."""
    weights: dict[str, float]
    """Of each signal, per standard deviation."""
    record: str
    picture: str

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


class _Sides(NamedTuple):
    fit: list[QaCase]
    test: list[QaCase]


def calibrate(
    *,
    kb: Path,
    cases: Path,
    test: Path | None = None,
    model: str = DEFAULT_GENERATOR,
    embedder: str = DEFAULT_EMBEDDER,
    k: int | None = None,
    settings: RetrievalSettings | None = None,
    runtime: str = "openvino",
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> CalibrateReport:
    """Learn how sure to be of answers, and from where on to give them.

    The record is kept in the knowledge base; `ask` with the same generator and the same
    retrieval uses it from then on. Interrupted, it goes on when it is called again.

    Args:
        kb: The knowledge base.
        cases: Questions, in any format of `data.cases`, some of them marked
            `"answerable": false`; none that the generator was trained on.
        test: Other questions to judge on; not given: those on half of the documents of
            `cases`, which then are not fitted on.
        model: Generator, as for `ask`.
        embedder: The embedding model that made the knowledge base.
        k: Passages to read; None: as the settings say.
        settings: How to retrieve; None: as it was chosen for this knowledge base.
        runtime: Engine that runs the generator.
        limit: At most so many questions on each side.
        seed: Of the split, the folds and the bootstrap.
        progress: Told how many questions are answered.

    Raises:
        ConfigError: `limit` is below 1.
        DataError: There are too few questions, or none with or none without an answer.
        StoreError: The knowledge base cannot be used.
        GenerationError: The engine failed; what was answered is kept.
    """
    sides = _sides(cases, test, limit=limit, seed=seed)
    asked = ask_spec(
        kb=kb,
        model=model,
        embedder=embedder,
        k=k,
        settings=settings,
        runtime=runtime,
        progress=progress,
    )
    log = kb / FOLDER / f"{asked.key}-answers.jsonl"
    judged = judge_answers(
        [*sides.fit, *sides.test],
        system=lambda: build_system(asked.spec),
        log=log,
        progress=progress,
    )
    fit, held = judged[: len(sides.fit)], judged[len(sides.fit) :]
    if all(one.abstained for one in fit):
        raise DataError(
            "the model declined every question, so there is nothing to learn from",
            fix="use a model that answers, or other passages",
            where=str(cases),
        )
    fitted = fit_confidence(fit, seed=seed)
    threshold = best_threshold(fitted.left_out_N, _scores(fit), _answerable(fit))
    calibration = Calibration(confidence=fitted.confidence, threshold=threshold)
    confidence_N = confidences(held, fitted.confidence)
    picture = record_path(kb, asked.key).with_suffix(".svg")
    report = CalibrateReport(
        kb=str(kb),
        model=model,
        threshold=threshold,
        cases={"fit": _counts(fit), "test": _counts(held)},
        figures=_figures(held, confidence_N, seed=seed),
        at_threshold=_at(held, confidence_N, threshold=threshold),
        weights=dict(fitted.confidence.weights),
        record=str(record_path(kb, asked.key)),
        picture=str(picture),
    )
    drawn = draw_risk(
        confidence_N, _scores(held), threshold=threshold, where="test questions"
    )
    write_atomic(picture, drawn)
    why = {key: report.to_json()[key] for key in ("cases", "figures", "at_threshold")}
    write_record(kb, asked.key, calibration, why={**why, "penalty": fitted.penalty})
    return report


def _sides(cases: Path, test: Path | None, *, limit: int | None, seed: int) -> _Sides:
    found = read_cases(cases)
    sides = (
        _Sides(found, read_cases(test))
        if test is not None
        else _halves(found, seed=seed)
    )
    if limit is not None:
        sides = _Sides(*(list(sample_cases(s, limit=limit, seed=seed)) for s in sides))
    for side, path in zip(sides, (cases, test or cases), strict=True):
        _check(side, path)
    if shared := {case.question for case in sides.fit} & {
        case.question for case in sides.test
    }:
        raise DataError(
            f"{len(shared)} questions stand on both sides, such as {min(shared)!r}",
            fix="take them out of one of the files",
            where=str(test or cases),
        )
    return sides


def _halves(cases: Sequence[QaCase], *, seed: int) -> _Sides:
    """Half of the documents on each side, with about half of the questions."""
    sizes: dict[str, int] = {}
    for case in cases:
        name = group_of(case) or case.id
        sizes[name] = sizes.get(name, 0) + 1
    names = sorted(sizes)
    order = np.random.default_rng(seed).permutation(len(names))
    fitted: set[str] = set()
    counts = [0, 0]
    for place in order:
        smaller = int(counts[1] < counts[0])
        counts[smaller] += sizes[names[place]]
        if smaller == 0:
            fitted.add(names[place])
    return _Sides(
        [case for case in cases if (group_of(case) or case.id) in fitted],
        [case for case in cases if (group_of(case) or case.id) not in fitted],
    )


def _check(side: Sequence[QaCase], path: Path) -> None:
    answerable = sum(case.answerable for case in side)
    if not answerable or answerable == len(side):
        missing = "without" if answerable else "with"
        raise DataError(
            f"of {len(side)} questions on one side there is none {missing} an answer",
            fix='add some; a question without one is marked "answerable": false',
            where=str(path),
        )
    if len(side) < FEWEST:
        raise DataError(
            f"{len(side)} questions on one side",
            fix=f"give at least {2 * FEWEST} in all, about several documents",
            where=str(path),
        )


def _figures(
    judged: Sequence[Judged], confidence_N: Floats, *, seed: int
) -> dict[str, dict[str, float | int]]:
    groups = [one.group for one in judged]
    scores_N, answerable_N = _scores(judged), _answerable(judged)

    def figure(of: Figure, values_N: Floats) -> dict[str, float | int]:
        found = with_interval(
            of, confidence_N, values_N, groups=groups, seed=seed, draws=_DRAWS
        )
        return found.to_json()

    return {
        "aurc": figure(area_under_risk, scores_N),
        "aurc_gain": figure(area_gain, scores_N),
        "f1": figure(lambda _, scores: float(scores.mean()), scores_N),
        "f1_at_half": figure(lambda c, s: score_at(c, s, coverage=HALF), scores_N),
        "f1_gain_at_half": figure(lambda c, s: gain_at(c, s, coverage=HALF), scores_N),
        "auroc": figure(
            lambda c, a: auroc(c, a.astype(bool)), answerable_N.astype(np.float64)
        ),
    }


def _at(
    judged: Sequence[Judged], confidence_N: Floats, *, threshold: float
) -> dict[str, float | int]:
    scores_N, answerable_N = _scores(judged), _answerable(judged)
    abstained_N = np.array([one.abstained for one in judged])
    given_N = (confidence_N >= threshold) & ~abstained_N
    right_N = np.where(given_N, scores_N, ~answerable_N)
    always_N = np.where(abstained_N, ~answerable_N, scores_N)
    return {
        "coverage": float(given_N.mean()),
        "f1": float(scores_N[given_N].mean()) if given_N.any() else 0.0,
        "right": float(right_N.mean()),
        "right_always": float(always_N.mean()),
        "n": len(judged),
    }


def _scores(judged: Sequence[Judged]) -> Floats:
    return np.array([one.score for one in judged], np.float64)


def _answerable(judged: Sequence[Judged]) -> npt.NDArray[np.bool_]:
    return np.array([one.answerable for one in judged], bool)


def _counts(judged: Sequence[Judged]) -> dict[str, int]:
    return {"n": len(judged), "answerable": sum(one.answerable for one in judged)}
