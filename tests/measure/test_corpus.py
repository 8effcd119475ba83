"""Measures of a whole set as values of cases: means exact, intervals that cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundtune.measure.corpus import CORPUS_MEASURES, linearised, with_corpus_scores
from groundtune.measure.entities import TAG_END, entity_report
from groundtune.measure.labels import label_report
from groundtune.measure.rows import Row
from groundtune.measure.statistics import mean_interval
from groundtune.measure.texts import text_report

_GERMAN = (
    "ein Hund läuft über die grüne Wiese",
    "zwei Kinder spielen am Strand mit einem Ball",
    "eine Frau liest ein Buch im Park",
    "der Mann repariert sein altes Fahrrad",
)
_SAID = (
    "ein Hund läuft auf der grünen Wiese",
    "zwei Kinder spielen mit dem Ball am Strand",
    "ein Buch",
    "der Mann fährt sein Fahrrad",
)


def _row(case: int, said: str, wanted: str, *, seed: int = 0) -> Row:
    raw = {
        "case": f"c{case}",
        "system": "tuned",
        "seed": seed,
        "question": "",
        "answers": [wanted],
        "prediction": said,
        "scores": {"accuracy": float(said == wanted)},
    }
    return Row.from_json(raw, where="test")


def test_the_mean_is_bleu_and_chrf_of_the_corpus() -> None:
    rows = [
        _row(i, said, wanted)
        for i, (said, wanted) in enumerate(zip(_SAID, _GERMAN, strict=True))
    ]
    scored = with_corpus_scores(rows, ["bleu", "chrf", "token_f1"])
    report = text_report(_SAID, _GERMAN)
    for name, figure in (("bleu", report.bleu), ("chrf", report.chrf)):
        mean = np.mean([row.scores[name] for row in scored])
        assert 100 * mean == pytest.approx(figure.value, abs=1e-6)
    assert "token_f1" not in scored[0].scores


def test_the_mean_is_entity_f1_and_macro_f1() -> None:
    gold = ["B-PER I-PER O", "O O B-LOC", "B-LOC O B-PER", "O O O"]
    said = ["B-PER I-PER O", "O B-LOC B-LOC", "B-PER O B-PER", ""]
    rows = [
        _row(i, s.replace(" ", TAG_END), g.replace(" ", TAG_END))
        for i, (s, g) in enumerate(zip(said, gold, strict=True))
    ]
    mean = np.mean(
        [row.scores["entity_f1"] for row in with_corpus_scores(rows, ["entity_f1"])]
    )
    tags = [(s or "O O O").split() for s in said]
    report = entity_report([g.split() for g in gold], tags)
    assert mean == pytest.approx(report.f1.value)

    labels, given = list("aabbbc"), list("abbbca")
    rows = [_row(i, s, g) for i, (s, g) in enumerate(zip(given, labels, strict=True))]
    mean = np.mean(
        [row.scores["macro_f1"] for row in with_corpus_scores(rows, ["macro_f1"])]
    )
    assert mean == pytest.approx(label_report(labels, given).macro_f1.value)


def test_each_seed_has_its_own_value() -> None:
    first = [_row(i, said, _GERMAN[i]) for i, said in enumerate(_SAID)]
    second = [replace(_row(i, _GERMAN[i], _GERMAN[i]), seed=1) for i in range(4)]
    scored = with_corpus_scores([*first, *second], ["bleu"])
    by_seed = [
        np.mean([r.scores["bleu"] for r in scored if r.seed == s]) for s in (0, 1)
    ]
    assert by_seed[1] == pytest.approx(1.0)
    assert by_seed[0] < 0.5


@pytest.mark.parametrize("cases", [60, 200])
def test_the_interval_covers_the_f1_of_the_population(cases: int) -> None:
    """95 % intervals of entity F1, 400 samples of sentences with a known F1."""
    rng = np.random.default_rng(7)
    right_share, false_rate, rate = 0.6, 0.4, 0.8
    # F1 = 2 R / (F + W) of the expected counts of a sentence.
    right_rate = rate * right_share
    truth = 2 * right_rate / (right_rate + false_rate + rate)
    covered = 0
    runs = 400
    for _ in range(runs):
        wanted = rng.poisson(rate, cases)
        right = rng.binomial(wanted, right_share)
        found = right + rng.poisson(false_rate, cases)
        counts = np.array([right, found, wanted], dtype=np.float64)
        values = linearised(counts, CORPUS_MEASURES["entity_f1"][1])
        interval = mean_interval(values, range(cases), rng=rng, draws=500)
        covered += interval.low <= truth <= interval.high
    print(f"{cases} cases: {covered / runs:.3f}")  # noqa: T201 (to be seen)
    assert 0.92 <= covered / runs <= 0.98


def test_no_cases_is_a_callers_bug() -> None:
    with pytest.raises(ValueError, match="no cases"):
        linearised(np.zeros((3, 0)), CORPUS_MEASURES["entity_f1"][1])
