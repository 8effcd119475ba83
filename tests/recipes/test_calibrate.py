"""Learning when not to answer: the sides, the fit, the record, and what is withheld."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.errors import ConfigError, DataError, GenerationError
from groundtune.core.protocols import silent
from groundtune.core.values import Answer, Hit, Passage, QaCase, Usage
from groundtune.data.cases import write_cases
from groundtune.generate.confidence import Confidence, answer_signals
from groundtune.measure.selective import area_gain, auroc
from groundtune.recipes.calibrate import calibrate
from groundtune.recipes.calibration.answers import judge_answers
from groundtune.recipes.calibration.fit import Judged, confidences, fit_confidence
from groundtune.recipes.calibration.picture import draw_risk
from groundtune.recipes.calibration.record import (
    Calibration,
    read_record,
    record_path,
    write_record,
)
from groundtune.systems.calibrated import CalibratedSystem
from groundtune.tasks.qa import NOT_IN_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIDENCE = Confidence(
    means={"similarity": 0.5},
    scales={"similarity": 0.1},
    weights={"similarity": 1.0},
    bias=0.0,
)


class Guesser:
    """Answers each question from a passage as similar as the question's number says."""

    name = "guesser"

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.asked: list[str] = []
        self._fails_at = fails_at

    def answer(
        self, case: QaCase, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        if len(self.asked) == self._fails_at:
            raise GenerationError("the engine failed", fix="try again")
        self.asked.append(case.id)
        text = "red" if case.question.endswith("?") else NOT_IN_DOCUMENTS
        if on_text is not None:
            on_text(text)
        passage = Passage(id="p", document="d", start=0, end=7, text="It is red")
        similarity = float(case.question.split()[0])
        return Answer(
            text=text,
            abstained=text == NOT_IN_DOCUMENTS,
            hits=(Hit(passage=passage, score=1, similarity=similarity),),
            usage=Usage(output_tokens=1),
        )


def case(number: int, similarity: float, *, answerable: bool) -> QaCase:
    return QaCase(
        id=str(number),
        question=f"{similarity} what colour is {number}?",
        answers=("red",) if answerable else (),
        answerable=answerable,
        group=f"g{number % 7}",
    )


def telling_cases(count: int = 60) -> list[QaCase]:
    """Questions with an answer find a passage that is more similar, mostly."""
    rng = np.random.default_rng(0)
    found: list[QaCase] = []
    for number in range(count):
        answerable = number % 2 == 0
        similarity = round(float(rng.normal(0.6 if answerable else 0.4, 0.1)), 3)
        found.append(case(number, similarity, answerable=answerable))
    return found


def test_what_separates_right_from_wrong_is_learned(tmp_path: Path) -> None:
    judged = judge_answers(
        telling_cases(),
        system=Guesser,
        log=tmp_path / "log.jsonl",
        progress=silent,
    )
    fitted = fit_confidence(judged, seed=0)
    assert fitted.confidence.weights["similarity"] > 0
    scores = np.array([one.score for one in judged])
    assert scores.tolist() == [1.0, 0.0] * 30
    assert area_gain(fitted.left_out_N, scores) > 0.4
    assert auroc(fitted.left_out_N, scores == 1) > 0.85
    # Calibrated: of those given about 0.8, about 0.8 are right.
    sure = confidences(judged, fitted.confidence)
    assert float(sure.mean()) == pytest.approx(0.5, abs=0.02)


def test_a_left_out_group_is_judged_by_the_others() -> None:
    """Where one group says the opposite, its own cases must not have taught it."""
    judged = [
        Judged(str(n), group, {"similarity": value}, float(right), bool(right), False)
        for n, (group, value, right) in enumerate(
            [("a", 0.0, 0), ("a", 1.0, 1)] * 8 + [("c", 0.0, 1), ("c", 1.0, 0)] * 16
        )
    ]
    fitted = fit_confidence(judged, seed=0)
    c = [n for n, one in enumerate(judged) if one.group == "c"]
    high = [fitted.left_out_N[n] for n in c if judged[n].signals["similarity"] == 1.0]
    assert min(high) > 0.5 > fitted.confidence.of({"similarity": 1.0})


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    cases, log = telling_cases(12), tmp_path / "log.jsonl"
    first = Guesser(fails_at=7)
    with pytest.raises(GenerationError):
        judge_answers(cases, system=lambda: first, log=log, progress=silent)
    second = Guesser()
    judged = judge_answers(cases, system=lambda: second, log=log, progress=silent)
    assert first.asked + second.asked == [one.id for one in cases]
    assert [one.case for one in judged] == [one.id for one in cases]

    def never() -> Guesser:
        raise AssertionError("nothing is left to answer")

    again = judge_answers(cases, system=never, log=log, progress=silent)
    assert again == judged


def test_below_the_threshold_an_answer_is_withheld() -> None:
    system = CalibratedSystem(Guesser(), CONFIDENCE, threshold=0.6)
    assert system.name == "guesser"
    given = system.answer(case(1, 0.9, answerable=True))
    assert (given.text, given.abstained) == ("red", False)
    assert given.confidence == pytest.approx(1 / (1 + np.exp(-4)))
    streamed: list[str] = []
    held = system.answer(case(2, 0.5, answerable=True), on_text=streamed.append)
    assert (held.text, held.abstained, held.confidence) == (NOT_IN_DOCUMENTS, True, 0.5)
    assert "0.50" in held.reason
    assert "0.60" in held.reason
    assert streamed == ["red"]
    declined = system.answer(replace(case(3, 0.9, answerable=True), question="0.9 no"))
    assert (declined.abstained, declined.confidence) == (True, 0.0)


def test_a_record_comes_back_as_it_was_and_a_damaged_one_is_refused(
    tmp_path: Path,
) -> None:
    assert read_record(tmp_path, "key") is None
    made = Calibration(confidence=CONFIDENCE, threshold=0.25)
    write_record(tmp_path, "key", made, why={"figures": {}})
    assert read_record(tmp_path, "key") == made
    path = record_path(tmp_path, "key")
    path.write_text(json.dumps({"threshold": 0.5}))
    with pytest.raises(ConfigError, match="groundtune calibrate"):
        read_record(tmp_path, "key")


def test_the_picture_is_the_same_for_the_same_figures() -> None:
    rng = np.random.default_rng(0)
    sure, scores = rng.random(40), rng.random(40)
    drawn = draw_risk(sure, scores, threshold=0.4, where="test questions")
    assert drawn == draw_risk(sure, scores, threshold=0.4, where="test questions")
    for words in ("40 test questions", "never abstaining", "threshold 0.40"):
        assert words in drawn


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        ([case(n, 0.5, answerable=True) for n in range(60)], "none without an answer"),
        ([case(n, 0.5, answerable=False) for n in range(60)], "none with an answer"),
        (telling_cases(24), "questions on one side"),
    ],
)
def test_cases_that_cannot_teach_are_refused_before_a_model_is_opened(
    tmp_path: Path, cases: list[QaCase], problem: str
) -> None:
    file = tmp_path / "cases.jsonl"
    write_cases(file, cases)
    with pytest.raises(DataError, match=problem):
        calibrate(kb=tmp_path / "no-kb", cases=file)
    assert not (tmp_path / "no-kb").exists()


def test_a_question_on_both_sides_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    write_cases(file, telling_cases(40))
    with pytest.raises(DataError, match="40 questions stand on both sides"):
        calibrate(kb=tmp_path / "no-kb", cases=file, test=file)


def test_signals_of_the_guesser_are_what_the_fit_sees() -> None:
    one = case(1, 0.7, answerable=True)
    signals = answer_signals(one.question, Guesser().answer(one))
    assert signals["similarity"] == 0.7
    assert signals["sureness"] is None
