"""Which prompts the untrained arms may choose from."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.protocols import silent
from groundtune.core.values import Answer, Passage, QaCase
from groundtune.recipes.comparison import styles
from groundtune.recipes.comparison.styles import (
    StyleJob,
    candidate_styles,
    choose_style,
)
from groundtune.systems.build import SystemSpec

if TYPE_CHECKING:
    from groundtune.augment.prompt import PromptStyle


def _passage(text: str) -> dict[str, Any]:
    return asdict(Passage(id="1", document="d", start=0, end=len(text), text=text))


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
    case.id: {"gold": [_passage(f"It is known. {case.answers[0]} is the answer.")]}
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


class _Model:
    """Is right only in one style, and then only if it reads so many sentences."""

    def __init__(self, *, style: str, sentences: int) -> None:
        self.wanted = (style, sentences)
        self.tried: list[tuple[str, int]] = []

    def with_style(self, style: PromptStyle) -> _Model:
        self.now = (style.name.split(",")[0], style.sentences)
        self.tried.append(self.now)
        return self

    def answer(self, case: QaCase) -> Answer:
        score = (self.now[0] == self.wanted[0]) + (self.now == self.wanted)
        return Answer(text=" ".join([case.answers[0], *["or"] * (4 - 2 * score)]))


def _choose(model: _Model, monkeypatch: pytest.MonkeyPatch, *, kb: str) -> Any:
    def built(_: SystemSpec) -> _Model:
        return model

    monkeypatch.setattr(styles, "build_system", built)
    spec = SystemSpec(name="rag", model="m", style={}, kb=kb)
    tried = candidate_styles(_CASES, _EVIDENCE)
    channel: Any = SimpleNamespace(progress=silent)
    return choose_style(StyleJob(spec=spec, styles=tried, cases=(_CASES[3],)), channel)


@pytest.mark.parametrize("sentences", [0, 1, 3])
def test_how_it_is_asked_is_chosen_before_how_much_it_reads(
    sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _Model(style="led examples", sentences=sentences)
    found = _choose(model, monkeypatch, kb="kb")
    assert found["style"]["sentences"] == sentences
    assert found["style"]["lead"]
    assert found["style"]["shots"]
    assert model.tried[5:] == [("led examples", 1), ("led examples", 0)]
    assert len(found["dev_scores"]) == 7
    assert found["dev_scores"][found["style"]["name"]] == 1.0


def test_what_reads_nothing_is_not_asked_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _Model(style="brief", sentences=0)
    found = _choose(model, monkeypatch, kb="")
    assert found["style"]["name"] == "brief"
    assert len(model.tried) == 5
