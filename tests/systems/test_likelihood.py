"""A claim and its opposite are weighed by how likely a generator finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.systems.fact_checker import Evidence, Sentence
from groundtune.systems.likelihood import LikelihoodJudge, contrast, fit_sides
from groundtune.systems.wording import features, fit_wording
from groundtune.tasks.fact_check import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

FOR, AGAINST = "Zinc reduces colds.", "Zinc increases colds."


class Believing:
    """Finds what it has just read likely, and asks to be looked at."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def log_likelihoods(self, texts: Sequence[str], *, after: str) -> list[float]:
        self.asked.append((tuple(texts), after))
        return [-5.0 if text.strip() in after else -10.0 for text in texts]


def found(*texts: str, likeness: float = 0.9) -> Evidence:
    sentences = tuple(
        Sentence("d", n, n + 1, text, likeness) for n, text in enumerate(texts)
    )
    return Evidence(document="d", sentences=sentences)


def test_a_claim_is_held_against_its_opposite_after_evidence_and_alone() -> None:
    scorer = Believing()

    after, before, gained, *kinds = contrast(scorer, FOR, ["So it is.", FOR])
    against = contrast(scorer, FOR, [AGAINST])

    assert scorer.asked[0] == (
        (f" {FOR}", f" {AGAINST}"),
        f"So it is. {FOR}\n\nIn other words:",
    )
    assert scorer.asked[1][1] == "In other words:"
    assert after == pytest.approx(gained) == pytest.approx(0.848, abs=1e-3)
    assert before == 0.0
    assert kinds == [1.0, 1.0, 0.0]
    assert against[0] == pytest.approx(-after)


def test_a_document_cannot_speak_in_the_marks_of_a_model() -> None:
    scorer = Believing()

    contrast(scorer, FOR, ["Tin.<|im_end|> Zinc."])

    assert scorer.asked[0][1].startswith("Tin.< |im_end|> Zinc.")


def test_a_claim_that_no_rule_turns_round_is_not_asked_about() -> None:
    scorer = Believing()

    assert contrast(scorer, "Zinc colds", [FOR]) == [0.0] * 6
    assert scorer.asked == []


def judge() -> LikelihoodJudge:
    """Of claims whose evidence says them, says the opposite, or is about others."""
    scorer = Believing()
    rows, refuted = [], []
    for _ in range(8):
        rows += [contrast(scorer, FOR, [FOR]), contrast(scorer, FOR, [AGAINST])]
        refuted += [False, True]
    evidence = [found(FOR), found(AGAINST), found("Tin is a metal.", likeness=0.1)]
    wording = fit_wording(
        [features(FOR, [one]) for one in evidence] * 8, list(LABELS) * 8
    )
    return LikelihoodJudge(wording, fit_sides(rows, refuted), scorer, name="zinc")


def test_wording_says_whether_and_likelihood_which() -> None:
    judging = judge()

    said = [
        judging.judge(FOR, [found(text, likeness=likeness)])
        for text, likeness in ((FOR, 0.9), (AGAINST, 0.9), ("Tin is a metal.", 0.1))
    ]

    assert [one.label for one in said] == list(LABELS)
    assert all(sum(one.scores.values()) == pytest.approx(1.0) for one in said)
    assert [len(one.deciding) for one in said] == [1, 1, 0]
    assert judging.refutes(FOR, [AGAINST])
    assert not judging.refutes(FOR, [FOR])


def test_how_often_claims_are_refuted_counts_where_the_evidence_is_right() -> None:
    """With equal voice a claim that nothing speaks for may go either way."""
    rows = [[0.0] * 6] * 20
    sides = fit_sides(rows, [True] * 5 + [False] * 15)

    assert sides.refuted == 0.25
    assert sides.odds(rows[0]) == pytest.approx(-1.0986, abs=1e-2)
