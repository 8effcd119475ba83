"""BLEU and chrF: sacreBLEU's values, and counts that add up to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from groundtune.measure import texts
from groundtune.measure.texts import chrf_scores, text_gain, text_report

WORDS = ("der", "Hund", "läuft", "über", "die", "Straße", ".", "3,5", "U.S.", "Katze")
sentences = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
corpora = st.lists(st.tuples(sentences, sentences), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(corpora)
def test_counts_that_are_drawn_add_up_to_sacrebleus_values(
    cases: list[tuple[str, str]],
) -> None:
    predicted, references = ([case[side] for case in cases] for side in (0, 1))
    bleu_K = texts.bleu_counts(predicted, references).sum(axis=1)
    chrf_K = texts.chrf_counts(predicted, references).sum(axis=1)

    theirs = BLEU().corpus_score(predicted, [references]).score
    assert texts.bleu_of(bleu_K) == pytest.approx(theirs)
    theirs = CHRF().corpus_score(predicted, [references]).score
    assert texts.chrf_of(chrf_K) == pytest.approx(theirs)


@settings(max_examples=30, deadline=None)
@given(sentences, sentences)
def test_chrf_of_one_case_equals_sacrebleus(predicted: str, reference: str) -> None:
    theirs = CHRF().sentence_score(predicted, [reference]).score

    assert chrf_scores([predicted], [reference]) == pytest.approx([theirs])


def test_a_report_keeps_the_signature_and_holds_its_value() -> None:
    references = ["the cat sat on the mat", "a dog runs over the street"] * 10
    predicted = ["the cat sat on a mat", "a dog walks over the street"] * 10
    found = text_report(predicted, references, draws=100)

    theirs = BLEU().corpus_score(predicted, [references]).score
    assert found.bleu.value == pytest.approx(theirs)
    for figure in (found.bleu, found.chrf):
        assert 0 < figure.low <= figure.value <= figure.high < 100
        assert figure.n == 20
    assert "version:" in found.bleu_signature
    assert "nc:6" in found.chrf_signature


def test_repeated_cases_are_no_new_evidence_when_they_are_grouped() -> None:
    rng = np.random.default_rng(0)
    references = [" ".join(rng.choice(WORDS, 8)) for _ in range(20)]
    predicted = [
        " ".join(word if rng.random() < 0.7 else "x" for word in line.split())
        for line in references
    ]
    again = [line for line in references for _ in range(10)]
    told = [line for line in predicted for _ in range(10)]
    alone = text_report(told, again, draws=200)
    grouped = text_report(told, again, groups=[i // 10 for i in range(200)], draws=200)

    assert grouped.chrf.value == pytest.approx(alone.chrf.value)
    widths = [found.chrf.high - found.chrf.low for found in (grouped, alone)]
    assert widths[0] > 2 * widths[1]


def test_nothing_in_common_is_zero() -> None:
    found = text_report(["", "xyz"], ["abc def", "abc"], draws=20)

    assert found.bleu.value == found.chrf.value == 0.0


def test_missing_predictions_are_a_bug() -> None:
    with pytest.raises(ValueError, match="2 cases and 1"):
        text_report(["a"], ["a", "b"])


def test_a_gain_is_the_difference_of_the_reports_and_is_seen() -> None:
    rng = np.random.default_rng(1)
    references = [" ".join(rng.choice(WORDS, 8)) for _ in range(60)]

    def spoilt(share: float) -> list[str]:
        return [
            " ".join(word if rng.random() > share else "x" for word in line.split())
            for line in references
        ]

    better, worse = spoilt(0.1), spoilt(0.4)
    both = [text_report(each, references, draws=50) for each in (better, worse)]
    for measure in ("bleu", "chrf"):
        gain = text_gain(better, worse, references, measure=measure, draws=200)
        first, second = (getattr(each, measure).value for each in both)
        assert gain.value == pytest.approx(first - second)
        assert 0 < gain.low < gain.value < gain.high
    none = text_gain(better, better, references, draws=50)
    assert none.value == 0
    assert none.low < 0 < none.high
    with pytest.raises(ValueError, match="rouge"):
        text_gain(better, worse, references, measure="rouge")
