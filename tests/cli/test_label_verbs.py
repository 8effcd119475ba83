"""`tune` for label tasks and `predict`: what they pass on and what they print."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from groundtune.cli.predicting import predict
from groundtune.cli.training import tune

SEARCH: dict[str, Any] = {
    "chosen": 1,
    "chosen_on": "120 dev cases",
    "trials": [
        {
            "number": 1,
            "score": 0.912,
            "is_whole": True,
            "strategy": "full",
            "settings": {"learning_rate": 1e-4},
        },
        {
            "number": 2,
            "score": 0.5,
            "is_whole": False,
            "strategy": "lora",
            "settings": {"rank": 4},
        },
    ],
}
FOLDS: dict[str, Any] = {
    "folds": 2,
    "repeats": 2,
    "cases": 40,
    "figure": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40},
    "measures": {"macro_f1": {"value": 0.75, "low": 0.6, "high": 0.85, "n": 40}},
    "parts": [
        {"draw": draw, "fold": fold, "value": 0.7 + 0.1 * fold, "cases": 20}
        for draw in (1, 2)
        for fold in (1, 2)
    ],
    "baselines": {"majority": {"value": 0.5, "low": 0.35, "high": 0.65, "n": 40}},
}
FIGURE = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 40}


@dataclass
class TuneReport:
    model: str
    task: str
    strategy: str
    base: str = "all-minilm-l6-v2"
    dev: dict[str, Any] | None = None
    test: dict[str, Any] | None = field(default_factory=lambda: FIGURE)
    cross_validation: dict[str, Any] | None = None
    seconds: float = 12.0
    why: str = "64 or more"
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    search: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None


@dataclass
class PredictReport:
    model: str
    out: str
    column: str = "text"
    rows: int = 3
    labels: dict[str, int] = field(default_factory=lambda: {"good": 2, "bad": 1})
    int8: dict[str, Any] | None = None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def tuned(task: str, **options: Any) -> TuneReport:
        seen.append({"task": task, **options})
        search = SEARCH if options["search"] else None
        out, strategy = str(options["out"]), options["strategy"]
        report = TuneReport(out, task, strategy, search=search)
        if options["folds"]:
            report.test, report.cross_validation = None, FOLDS
        return report

    def predicted(model: str, **options: Any) -> PredictReport:
        seen.append({"model": model, **options})
        int8 = {"same": 0.995, "rows": 200} if options["is_int8"] else None
        return PredictReport(model, str(options["out"]), int8=int8)

    places = (("tune_labels", "tune_encoder", tuned), ("predict", "predict", predicted))
    for module, name, work in places:
        made = ModuleType(f"groundtune.recipes.{module}")
        setattr(made, name, work)
        monkeypatch.setitem(sys.modules, made.__name__, made)
    return seen


def run(command: Any, *args: str | Path) -> Any:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_tune_passes_on_what_it_is_told(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    told = ("--strategy", "lora", "--set", "epochs=3", "--set", "rank = 4")
    ended = run(tune, "ner", "--train", tmp_path, "--out", "m", "--seed", "2", *told)

    assert ended.exit_code == 0, ended.output
    assert calls[0]["changes"] == {"epochs": "3", "rank": "4"}
    assert (calls[0]["task"], calls[0]["strategy"], calls[0]["seed"]) == (
        "ner",
        "lora",
        2,
    )
    assert "strategy: lora, 64 or more" in ended.stdout
    assert "test: 0.750 [0.700, 0.800], 40 cases" in ended.stdout
    assert "dev" not in ended.stdout

    as_json = run(tune, "sentiment", "--train", tmp_path, "--out", "m", "--json")
    told_as_json = json.loads(as_json.stdout)
    assert list(told_as_json)[:2] == ["model", "task"]
    assert calls[1]["strategy"] == "auto"
    assert calls[1]["base"] == "all-minilm-l6-v2"


def test_tune_passes_on_search_roles_and_budget_and_shows_trials(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    told = ("--search", "2", "--role", "label=topic", "--accept", "one_label")
    more = ("--budget", "30m", "--track", "mlflow")
    ended = run(tune, "sentiment", "--train", tmp_path, "--out", "m", *told, *more)

    assert ended.exit_code == 0, ended.output
    assert (calls[0]["search"], calls[0]["budget_seconds"]) == (2, 1800.0)
    assert calls[0]["roles"] == {"label": "topic"}
    assert calls[0]["accepted"] == ("one_label",)
    assert calls[0]["track"] == "mlflow"
    lines = ended.stdout.splitlines()
    assert "tried on 120 dev cases:" in lines
    assert "*  1  0.912     full, learning_rate 0.0001" in lines
    assert "   2  given up  lora, rank 4" in lines


def test_tune_passes_on_folds_and_shows_them(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    told = ("--folds", "2", "--repeats", "2")
    ended = run(tune, "sentiment", "--train", tmp_path, "--out", "m", *told)

    assert ended.exit_code == 0, ended.output
    assert (calls[0]["folds"], calls[0]["repeats"]) == (2, 2)
    assert ended.stdout.splitlines()[2:7] == [
        "cross-validated: 0.800 [0.700, 0.900], 40 cases in 2 folds, mean of 2 draws",
        "  folds of draw 1: 0.800, 0.900",
        "  folds of draw 2: 0.800, 0.900",
        "  macro F1: 0.750 [0.600, 0.850]",
        "  majority: 0.500 [0.350, 0.650]",
    ]
    assert "test:" not in ended.stdout
    as_json = run(tune, "ner", "--train", tmp_path, "--out", "m", *told, "--json")
    fields = json.loads(as_json.stdout)
    assert fields["test"] is None
    assert fields["cross_validation"]["figure"]["value"] == 0.8


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["ner", "--out", "m"], "tune ner needs --train"),
        (["ner", "--train", ".", "--out", "m", "--kb", "k"], "takes no --kb"),
        (["ner", "--train", ".", "--out", "m", "--set", "epochs"], "not NAME=VALUE"),
        (["qa", "--train", ".", "--out", "m", "--set", "rank=1"], "takes no --set"),
        (["qa", "--train", ".", "--out", "m", "--search", "3"], "takes no --search"),
        (["qa", "--train", ".", "--out", "m", "--folds", "5"], "takes no --folds"),
        (["support", "--train", ".", "--out", "m", "--folds", "5"], "no --folds"),
        (["retrieval", "--kb", ".", "--repeats", "5"], "takes no --repeats"),
        (["ner", "--train", ".", "--out", "m", "--folds", "1"], "2<=x<=20"),
        (["qa", "--train", ".", "--out", "m", "--role", "a=b"], "takes no --role"),
        (["ner", "--train", ".", "--out", "m", "--role", "a"], "not ROLE=COLUMN"),
        (["ner", "--train", ".", "--out", "m", "--track", "x"], "'tensorboard'"),
        (["retrieval", "--kb", "k", "--track", "mlflow"], "takes no --track"),
    ],
)
def test_tune_refuses_what_does_not_fit(
    calls: list[dict[str, Any]], args: list[str], problem: str
) -> None:
    ended = run(tune, *args)

    assert ended.exit_code == 2
    assert problem in ended.output
    assert calls == []


def test_predict_says_what_it_did(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    ended = run(predict, "m", "--in", tmp_path, "--out", "o.jsonl", "--int8")

    assert ended.exit_code == 0, ended.output
    assert calls[0]["source"] == tmp_path
    assert calls[0]["out"] == Path("o.jsonl")
    assert "3 rows of 'text' labelled: o.jsonl" in ended.stdout
    assert "  good: 2" in ended.stdout
    assert "int8 left 99.5% of the labels of 200 rows as they were" in ended.stdout

    as_json = run(predict, "m", "--in", tmp_path, "--out", "o.jsonl", "--json")
    assert json.loads(as_json.stdout)["int8"] is None
