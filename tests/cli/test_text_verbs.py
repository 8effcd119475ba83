"""`tune translation` and `tune support`: what they pass on and what they print."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot

from groundtune.cli.predicting import predict
from groundtune.cli.training import tune

if TYPE_CHECKING:
    from pathlib import Path


def scored(bleu: float, chrf: float) -> dict[str, Any]:
    return {
        name: {"value": value, "low": value - 1, "high": value + 2, "n": 1000}
        for name, value in (("bleu", bleu), ("chrf", chrf))
    }


def measured() -> dict[str, Any]:
    return {"tuned": scored(12.25, 40.0), "plain": scored(0.5, 15.0)}


@dataclass
class TextReport:
    model: str
    base: str = "smollm2-135m-instruct"
    instruction: str = "Translate from English into German."
    dev: dict[str, Any] | None = None
    test: dict[str, Any] = field(default_factory=lambda: scored(12.25, 40.0)["bleu"])
    seconds: float = 12.0
    rows_left_out: int = 1
    measures: dict[str, Any] = field(default_factory=measured)
    gains: dict[str, Any] = field(default_factory=lambda: scored(11.75, 25.0))
    written: dict[str, Any] = field(
        default_factory=lambda: {"tuned": {"cut": 0}, "plain": {"cut": 440}}
    )


@dataclass
class PredictReport:
    int8: dict[str, Any] | None
    out: str = "said.jsonl"
    column: str = "source"
    rows: int = 200
    labels: dict[str, int] = field(default_factory=dict[str, int])
    cut: int = 2


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def tuned(task: str, **options: Any) -> TextReport:
        seen.append({"task": task, **options})
        return TextReport(str(options["out"]))

    made = ModuleType("groundtune.recipes.tune_texts")
    setattr(made, "tune_generator_on_texts", tuned)  # noqa: B010 (a module made here)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return seen


def test_a_translator_is_tuned_and_its_gain_shown(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    train = tmp_path / "train.en"
    train.write_text("a dog\n")
    given = ["translation", "--train", str(train), "--test-share", "0.2"]
    given += ["--set", "epochs=1", "--limit", "7", "--out", "model"]
    given += ["--track", "mlflow"]

    shown = CliRunner().invoke(tune, given)

    assert shown.stdout == snapshot("""\
model: model
instruction: Translate from English into German.
1 training rows are too long and were left out
tuned: BLEU 12.2 [11.2, 14.2], chrF 40.0 [39.0, 42.0]
plain: BLEU 0.5 [-0.5, 2.5], chrF 15.0 [14.0, 17.0], 440 answers ended by the bound of new tokens
tuned - plain: BLEU +11.8 [+10.8, +13.8], chrF +25.0 [+24.0, +27.0], 1,000 test cases, 95 % intervals
trained for 12 s from smollm2-135m-instruct
""")  # noqa: E501 (lines as they are printed)
    (call,) = calls
    assert (call["task"], call["base"]) == ("translation", "smollm2-135m-instruct")
    assert (call["test_share"], call["limit"]) == (0.2, 7)
    assert call["changes"] == {"epochs": "1"}
    assert call["track"] == "mlflow"
    told = CliRunner().invoke(tune, [*given, "--json"])
    assert json.loads(told.stdout)["gains"]["bleu"]["value"] == 11.75


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--docs", "."], "tune support takes no --docs"),
        (["--right-passage"], "tune support takes no --right-passage"),
        (["--strategy", "full"], "tune support takes no --strategy"),
        (["--set", "epochs"], "'epochs' is not NAME=VALUE"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_options_of_other_tasks_are_refused(given: list[str], problem: str) -> None:
    fixed = ["support", "--train", __file__, "--out", "model"]

    shown = CliRunner().invoke(tune, [*fixed, *given])

    assert shown.exit_code == 2
    assert problem in shown.stderr


def test_what_only_texts_take_is_refused_elsewhere() -> None:
    given = ["classification", "--train", __file__, "--out", "m", "--test-share", "0.1"]

    shown = CliRunner().invoke(tune, given)

    assert "tune classification takes no --test-share" in shown.stderr


MEASURED = {
    "measure": "bleu",
    "value": 19.78,
    "without": 20.54,
    "difference": {"value": -0.767, "low": -1.473, "high": -0.159, "n": 128},
}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, ""),
        (
            MEASURED,
            "BLEU on them: 19.8, 20.5 without it, difference -0.8 [-1.5, -0.2]\n",
        ),
        (
            {"measure": "rouge_l", "value": 37.0, "without": 37.0},
            "ROUGE-L on them: 37.0, 37.0 without it\n",
        ),
    ],
)
def test_what_8_bits_change_in_texts_is_shown(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], line: str
) -> None:
    always = {"seconds_a_row": 0.1454, "seconds_a_row_without": 0.1552}
    found = {"same": 0.5547, "rows": 128, **always, **more}

    def predicted(model: str, **options: Any) -> PredictReport:
        return PredictReport(found if options["is_int8"] else None)

    made = ModuleType("groundtune.recipes.predict")
    setattr(made, "predict", predicted)  # noqa: B010 (a module made here)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    given = ["model", "--in", __file__, "--out", "said.jsonl"]
    told = "200 rows of 'source': said.jsonl, 2 texts cut at the bound\n"

    assert CliRunner().invoke(predict, given).stdout == told
    assert CliRunner().invoke(predict, [*given, "--int8"]).stdout == (
        f"{told}int8 left 55.5% of the texts of 128 rows as they were; "
        f"0.145 s a row, 0.155 s without it\n{line}"
    )
