"""ROUGE: the values of the package rouge-score, and what the source bears out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from groundtune.measure.rouge import (
    ROUGE,
    common_length,
    coverage,
    rouge,
    rouge_gain,
    rouge_report,
    unsupported_sentences,
    words_of,
)

if TYPE_CHECKING:
    from pathlib import Path

THEIRS = {"rouge_l": "rougeL", "rouge_1": "rouge1", "rouge_2": "rouge2"}
SCORER = RougeScorer(list(THEIRS.values()), use_stemmer=False)
WORDS = ("the", "cat", "Cat's", "sat", "on", "a", "mat.", "3,5", "snake_case", "--", "")
sentences = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def theirs(predicted: str, references: list[str]) -> list[float]:
    found = SCORER.score_multi(references, predicted)
    return [100 * found[THEIRS[name]].fmeasure for name in ROUGE]


@settings(max_examples=200, deadline=None)
@given(sentences, st.lists(sentences, min_size=1, max_size=3))
def test_values_are_those_of_rouge_score(predicted: str, references: list[str]) -> None:
    assert list(rouge(predicted, references)) == pytest.approx(
        theirs(predicted, references)
    )


def test_dialogues_score_as_rouge_score_says(shared_data: Path) -> None:
    lines = (shared_data / "dialogsum" / "dialogsum.test.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in lines.splitlines()[:60]]
    for row in rows:
        references = [row["summary1"], row["summary2"]]

        found = rouge(row["summary3"], references)

        assert list(found) == pytest.approx(theirs(row["summary3"], references))


@given(
    st.lists(st.sampled_from("abc"), max_size=70),
    st.lists(st.sampled_from("abc"), max_size=70),
)
def test_the_longest_common_run_is_that_of_the_table(
    one: list[str], other: list[str]
) -> None:
    row = [0] * (len(other) + 1)
    for left in one:
        before = row
        row = [0]
        for n, right in enumerate(other):
            longer = before[n] + 1 if left == right else 0
            row.append(max(longer, before[n + 1], row[n]))

    assert common_length(one, other) == row[-1]


def test_other_scripts_have_words_too() -> None:
    assert words_of("Über Straße, Москва 3") == ["über", "straße", "москва", "3"]
    assert words_of("猫が好き") == ["猫", "が", "好", "き"]
    assert rouge("Die Straße", ["die straße"]).rouge_2 == 100


def test_a_report_holds_means_and_intervals() -> None:
    references = [["the cat sat on the mat"], ["a dog runs", "a dog walks home"]] * 10
    predicted = ["the cat sat", "a dog walks home"] * 10

    found = rouge_report(predicted, references, draws=200)

    alone = [rouge(*pair) for pair in zip(predicted, references, strict=True)]
    assert found.rouge_l.value == pytest.approx(np.mean([one.rouge_l for one in alone]))
    for name in ROUGE:
        figure = getattr(found, name)
        assert 0 < figure.low <= figure.value <= figure.high <= 100
        assert figure.n == 20
    assert found.to_json()["rouge_signature"].startswith("F1|references:best")


def test_a_gain_is_the_difference_of_the_reports() -> None:
    rng = np.random.default_rng(1)
    references = [[" ".join(rng.choice(WORDS[:6], 12))] for _ in range(60)]

    def spoilt(share: float) -> list[str]:
        return [
            " ".join(word if rng.random() > share else "x" for word in text.split())
            for (text,) in references
        ]

    better, worse = spoilt(0.1), spoilt(0.5)
    both = [rouge_report(each, references, draws=50) for each in (better, worse)]
    for measure in ROUGE:
        gain = rouge_gain(better, worse, references, measure=measure, draws=200)
        first, second = (getattr(each, measure).value for each in both)
        assert gain.value == pytest.approx(first - second)
        assert 0 < gain.low < gain.value < gain.high
    none = rouge_gain(better, better, references, draws=50)
    assert (none.value, none.low, none.high) == (0, -100, 100), "nothing was shown"
    with pytest.raises(ValueError, match="bleu"):
        rouge_gain(better, worse, references, measure="bleu")


def test_missing_predictions_and_references_are_a_bug() -> None:
    with pytest.raises(ValueError, match="2 cases and 1"):
        rouge_report(["a"], [["a"], ["b"]])
    with pytest.raises(ValueError, match="no reference"):
        rouge("a", [])


def test_what_the_source_bears_out_is_told_apart() -> None:
    source = "The ferry leaves at nine. Bicycles travel without charge."
    right = "The ferry leaves at nine."
    invented = "Passengers receive breakfast aboard. Bicycles travel without charge."

    assert coverage(right, source) == 1
    assert coverage(invented, source) == pytest.approx(4 / 8)
    assert coverage("", source) == 1
    assert unsupported_sentences(right, source) == 0
    assert unsupported_sentences(invented, source) == 0.5
    assert unsupported_sentences("", source) == 0
    assert unsupported_sentences("It is so.", source) == 1, "short words count alone"
