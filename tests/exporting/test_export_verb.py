"""The verb `export`: what it hands to the recipe, and what it shows."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundtune.cli.exporting import export
from groundtune.recipes.export import ExportReport

if TYPE_CHECKING:
    from pathlib import Path

REPORT = ExportReport(
    model="mine@0123abcd",
    task="classification",
    to="onnx",
    int8=True,
    precision="",
    out="out",
    files={"model.onnx": 24_000_000},
    checked_in="onnxruntime 1.32.0",
    rows="test",
    figures={
        "rows": 50,
        "labels": 50,
        "largest_difference": 0.0123,
        "mean_difference": 0.001,
        "same_labels": 0.98,
        "right_before": 0.9,
        "right_after": None,
    },
    limits={"mean_difference": 0.02},
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the recipe was asked for."""
    seen: dict[str, Any] = {}

    def recipe(model: str, **options: Any) -> ExportReport:
        seen.update(options, model=model)
        return REPORT

    made: Any = ModuleType("groundtune.recipes.export")
    made.export = recipe
    monkeypatch.setitem(sys.modules, "groundtune.recipes.export", made)
    return seen


def test_options_reach_the_recipe_and_figures_the_person(
    asked: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = ["mine", "--to", "onnx", "--out", str(out), "--int8"]

    shown = CliRunner().invoke(export, line)

    assert shown.exit_code == 0
    del asked["progress"]
    assert asked == {
        "model": "mine",
        "to": "onnx",
        "out": out,
        "is_int8": True,
        "precision": "as-trained",
        "check": None,
        "column": "",
        "base": "",
    }
    assert shown.output.splitlines()[-6:] == [
        "mine@0123abcd to onnx: out, 24 MB",
        "opened by onnxruntime 1.32.0, on 50 held-out rows, 50 labels",
        "  largest difference: 0.012",
        "  mean difference: 0.001",
        "  same labels: 98.0%",
        "  right before: 90.0%",
    ]


def test_json_is_the_report(asked: dict[str, Any], tmp_path: Path) -> None:
    line = ["mine", "--to", "onnx", "--out", str(tmp_path / "out"), "--json"]

    shown = CliRunner().invoke(export, line)

    assert json.loads(shown.stdout)["figures"]["same_labels"] == 0.98


def test_an_unknown_target_is_refused(asked: dict[str, Any]) -> None:
    shown = CliRunner().invoke(export, ["mine", "--to", "pickle", "--out", "x"])

    assert shown.exit_code == 2
    assert not asked
