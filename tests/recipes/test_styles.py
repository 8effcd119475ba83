"""Which prompts the untrained arms may choose from."""

from __future__ import annotations

from groundtune.core.values import QaCase
from groundtune.recipes.comparison.styles import candidate_styles

_CASES = [
    *(
        QaCase(
            id=f"year-{n}",
            question=f"In what year was Town {n} founded?",
            answers=(f"1{n}00",),
            source=f"town-{n}",
            group=f"town-{n}",
        )
        for n in range(1, 4)
    ),
    QaCase(
        id="mayor",
        question="Who is mayor of Oslo now?",
        answers=("Ida",),
        source="oslo",
        group="oslo",
    ),
]
_EVIDENCE = {
    case.id: {"gold": [{"text": f"It is known. {case.answers[0]} is the answer."}]}
    for case in _CASES
}


def test_examples_come_from_different_documents_and_ask_for_different_things() -> None:
    styles = {style.name: style for style in candidate_styles(_CASES, _EVIDENCE)}
    shots = styles["examples"].shots
    assert shots[0].question == _CASES[0].question
    assert shots[1].question == "Who is mayor of Oslo now?"
    assert len({shot.answer for shot in shots}) == 3
    assert shots[1].evidence == ("Ida is the answer.",)


def test_no_examples_where_no_case_is_fit_to_be_one() -> None:
    long = QaCase(id="x", question="Why?", answers=("one " * 9,), group="x")
    names = [s.name for s in candidate_styles([long], {"x": {"gold": []}})]
    assert names == ["instruction", "brief", "led"]


def test_one_candidate_begins_the_answer_for_the_model() -> None:
    (led,) = [s for s in candidate_styles([], {}) if s.lead]
    assert led.name == "led"
    assert led.lead == "The answer is:"


def test_one_candidate_shows_examples_and_begins_the_answer() -> None:
    styles = {style.name: style for style in candidate_styles(_CASES, _EVIDENCE)}
    assert styles["led examples"].shots == styles["examples"].shots
    assert styles["led examples"].lead == styles["led"].lead
