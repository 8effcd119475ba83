"""How both chooses on dev cases whether solved cases help what it learned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.protocols import silent
from groundtune.core.values import Message
from groundtune.recipes.comparison import text_choices
from groundtune.recipes.comparison.text_cases import freeze
from groundtune.recipes.comparison.text_choices import TextChoiceJob, choose_threshold
from groundtune.systems.text_arm import NEVER, TextSpec
from groundtune.tune.text_examples import TextCase

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder

WAYS = {"tuned alone": {"shown": 0}, "1 solved case shown": {"shown": 1}}
RIGHT, HALF, WRONG = "the tower stands", "the tower fell", "nothing at all"


def _case(number: int, *, target: str = RIGHT) -> TextCase:
    said = (Message("user", f"what is said of number {number}"),)
    return TextCase(id=str(number), turns=said, target=target)


DEV = tuple(_case(number) for number in range(24))


@pytest.fixture
def spec(tmp_path: Path, tiny_bert: ModelFolder) -> TextSpec:
    """Its solved cases are of no use: their answers are wrong."""
    freeze(tmp_path / "train.jsonl", [_case(n, target=WRONG) for n in range(100, 105)])
    return TextSpec(
        name="both",
        task="summarization",
        instruction="",
        max_tokens=9,
        model="none: its drafts are given here",
        memory=str(tmp_path / "train.jsonl"),
        embedder=str(tiny_bert.path),
    )


def _chosen(
    spec: TextSpec,
    monkeypatch: pytest.MonkeyPatch,
    *,
    alone: list[str],
    shown: list[str],
) -> dict[str, Any]:
    """What is chosen where the tuned model writes `alone`, or `shown` with a case."""

    def written(one: TextSpec, *_: object, **__: object) -> list[str]:
        return shown if one.shown else alone

    monkeypatch.setattr(text_choices, "drafts", written)
    job = TextChoiceJob(spec=spec, ways=WAYS, dev=DEV)
    channel: Any = SimpleNamespace(progress=silent)
    return choose_threshold(job, channel)


def test_a_gain_on_one_case_is_chance(
    spec: TextSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [RIGHT, HALF] * 12
    shown = [RIGHT, RIGHT, *alone[2:]]
    found = _chosen(spec, monkeypatch, alone=alone, shown=shown)
    assert found["scores"]["1 solved case shown"] > found["scores"]["tuned alone"]
    assert found["set"] == {"shown": 0, "threshold": NEVER}


def test_a_gain_on_many_cases_is_taken(
    spec: TextSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, shown = [HALF, WRONG] * 12, [RIGHT] * 24
    found = _chosen(spec, monkeypatch, alone=alone, shown=shown)
    assert found["set"] == {"shown": 1, "threshold": NEVER}


def test_the_nearest_answer_is_given_where_it_gains(
    spec: TextSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    freeze(tmp_path / "train.jsonl", [_case(number) for number in range(100, 105)])
    poor = [HALF, WRONG] * 12
    found = _chosen(spec, monkeypatch, alone=poor, shown=poor)
    assert found["set"]["shown"] == 0
    assert found["set"]["threshold"] <= 1
    best = max(found["scores"], key=found["scores"].__getitem__)
    assert best == f"nearest answer from {found['set']['threshold']:.2f}"
