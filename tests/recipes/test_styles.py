"""Which prompts the untrained arms may choose from."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.values import Answer, Passage, QaCase
from groundtune.recipes.comparison import styles
from groundtune.recipes.comparison.styles import (
    StyleJob,
    candidate_styles,
    choose_style,
)
from groundtune.systems.build import SystemSpec, read_style

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Is right only if it reads in one way, and then only in one style."""

    def __init__(
        self,
        *,
        style: str,
        sentences: int,
        copies: bool = False,
        can_copy: bool = False,
    ) -> None:
        self.wanted = (style, sentences, copies)
        self.can_copy = can_copy
        self.tried: list[tuple[str, int, bool]] = []
        self.asked: Counter[str] = Counter()

    def with_style(self, style: PromptStyle) -> _Model:
        self.now = (style.name.split(",")[0], style.sentences, style.copies)
        self.tried.append(self.now)
        return self

    def answer(self, case: QaCase) -> Answer:
        self.asked[self.now[0]] += 1
        score = (self.now[1:] == self.wanted[1:]) + (self.now == self.wanted)
        return Answer(text=" ".join([case.answers[0], *["or"] * (4 - 2 * score)]))


def _choose(
    model: _Model,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kb: str,
    cases: Sequence[QaCase] = (_CASES[3],),
) -> Any:
    def built(_: SystemSpec) -> _Model:
        return model

    monkeypatch.setattr(styles, "build_system", built)
    spec = SystemSpec(name="rag", model="m", style={}, kb=kb)
    tried = candidate_styles(_CASES, _EVIDENCE)

    def progress(_: str, done: int, total: int) -> None:
        assert done <= total

    channel: Any = SimpleNamespace(progress=progress)
    job = StyleJob(spec=spec, styles=tried, cases=tuple(cases))
    return choose_style(job, channel)


@pytest.mark.parametrize("sentences", [0, 1, 3])
def test_how_much_it_reads_is_chosen_before_how_it_is_asked(
    sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _Model(style="brief", sentences=sentences)
    found = _choose(model, monkeypatch, kb="kb")
    assert found["style"]["sentences"] == sentences
    assert found["style"]["name"].startswith("brief")
    ways = [("led examples", amount, False) for amount in (3, 1, 0)]
    assert model.tried[:3] == ways
    assert {amount for _, amount, _ in model.tried[3:]} == {sentences}
    assert len(found["dev_scores"]) == 7
    assert found["dev_scores"][found["style"]["name"]] == 1.0


def test_what_reads_nothing_is_not_asked_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _Model(style="brief", sentences=0)
    found = _choose(model, monkeypatch, kb="")
    assert found["style"]["name"] == "brief"
    assert len(model.tried) == 5


def test_what_falls_behind_on_half_of_the_cases_is_not_tried_on_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _Model(style="led", sentences=0)
    found = _choose(model, monkeypatch, kb="", cases=_CASES)
    assert found["style"]["name"] == "led"
    assert model.asked["led"] == len(_CASES)
    assert sorted(model.asked.values()) == [2, 2, 4, 4, 4]


def test_progress_never_passes_its_total(monkeypatch: pytest.MonkeyPatch) -> None:
    # The last style won the first choice and falls behind in the second.
    model = _Model(style="brief", sentences=3, can_copy=True)
    found = _choose(model, monkeypatch, kb="kb", cases=_CASES)
    assert found["style"]["name"].startswith("brief")


@pytest.mark.parametrize("sentences", [1, 3])
def test_what_can_copy_is_tried_bound_to_what_it_reads(
    sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _Model(style="brief", sentences=sentences, copies=True, can_copy=True)
    found = _choose(model, monkeypatch, kb="kb")
    assert found["style"]["copies"]
    assert found["style"]["sentences"] == sentences
    assert model.tried[3:5] == [("led examples", 3, True), ("led examples", 1, True)]
    assert len(found["dev_scores"]) == 9
    assert read_style(found["style"]).copies


def test_what_copies_worse_than_it_writes_does_not_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _Model(style="brief", sentences=1, can_copy=True)
    assert not _choose(model, monkeypatch, kb="kb")["style"]["copies"]
