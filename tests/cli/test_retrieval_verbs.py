"""evaluate, optimize and `tune retrieval`: what they pass on and what they print."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from groundtune.cli.evaluating import evaluate
from groundtune.cli.retrieval import optimize
from groundtune.cli.training import tune

if TYPE_CHECKING:
    from pathlib import Path

FIGURE = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 40}
GAP = {"difference": {"value": 0.1, "low": 0.02, "high": 0.2, "n": 40}, "p": 0.01}
MEASURES = {"ndcg@10": FIGURE, "recall@100": FIGURE, "mrr@10": FIGURE}
REPORTS: dict[str, dict[str, Any]] = {
    "evaluate": {
        "retrievers": {"bm25": MEASURES, "dense": MEASURES, "hybrid": MEASURES},
        "differences": {"hybrid-bm25": GAP},
        "documents": 80,
        "passages": 90,
        "kb": "somewhere",
    },
    "optimize": {
        "measure": "ndcg@10",
        "settings": {"k": 3, "alpha": 0.6},
        "dev": {"chosen": FIGURE, "bm25": FIGURE},
        "test": {"chosen": FIGURE, "bm25": FIGURE},
        "best_single": "bm25",
        "gain": {"dev": GAP, "test": GAP},
        "over_default": {"dev": GAP, "test": GAP},
        "query_adapter": {"gain": GAP, "queries": 60, "taken": True},
        "tried": 40,
        "picture": "front.svg",
    },
    "tune_embedder": {
        "model": "kb/embedder",
        "task": "retrieval",
        "base": "all-minilm-l6-v2@53aa5117",
        "measure": "ndcg@10",
        "questions": "cases",
        "pairs": 600,
        "before": FIGURE,
        "test": FIGURE,
        "gain": GAP,
        "dense": {"before": FIGURE, "test": FIGURE, "gain": GAP},
        "switched": True,
        "previous": "kb-before",
        "seconds": 100.0,
    },
}


class Report:
    """A report that prints what it was made of."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def to_json(self) -> dict[str, Any]:
        return self.fields


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the recipes were called with; they answer with their report above."""
    seen: list[dict[str, Any]] = []

    def stand_in(name: str) -> Any:
        def work(*task: str, **options: Any) -> Report:
            seen.append({"task": task, **options})
            return Report(REPORTS[name])

        return work

    places = {"evaluate": "evaluate", "optimize": "optimize"}
    for module, name in {**places, "tune_retrieval": "tune_embedder"}.items():
        made = ModuleType(f"groundtune.recipes.{module}")
        setattr(made, name, stand_in(name))
        made.WHOLE = "whole"  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, made.__name__, made)
    return seen


def run(command: Any, *args: str | Path) -> Any:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_evaluate_prints_figures_and_gaps(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    ended = run(evaluate, "retrieval", "--beir", tmp_path, "--split", "dev", "--whole")

    assert ended.exit_code == 0, ended.output
    assert "hybrid    ndcg@10 0.700 [0.600, 0.800]  recall@100" in ended.output
    assert "hybrid-bm25: +0.100 [+0.020, +0.200], p 0.010, 40 queries" in ended.output
    assert calls[0]["task"] == ("retrieval",)
    assert calls[0]["split"] == "dev"
    assert calls[0]["splitter"] == "whole"
    assert calls[0]["kb"] is None


def test_evaluate_as_json(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    ended = run(evaluate, "retrieval", "--beir", tmp_path, "--json")

    value = json.loads(ended.stdout)
    assert value["retrievers"]["hybrid"]["ndcg@10"] == FIGURE
    assert calls[0]["splitter"] is None


def test_optimize_says_what_was_chosen_and_what_it_gained(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    args = ("--kb", tmp_path, "--cases", tmp_path, "--passage-size", "100")
    ended = run(optimize, *args, "--passage-size", "150")

    assert ended.output.startswith("chosen of 40: k 3, alpha 0.6\n")
    assert "test over bm25: +0.100" in ended.output
    assert "query adapter, learned from 60 questions, taken: dev +0.100" in ended.output
    assert ended.output.endswith("quality against latency: front.svg\n")
    assert calls[0]["sizes"] == (100, 150)


@pytest.mark.parametrize("extra", [[], ["--cases", ".", "--beir", "."]])
def test_optimize_wants_one_source(
    calls: list[dict[str, Any]], extra: list[str]
) -> None:
    ended = run(optimize, "--kb", "kb", *extra)

    assert ended.exit_code == 2
    assert "give --cases or --beir" in ended.output
    assert calls == []


def test_tune_retrieval_says_whether_it_switched(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    args = ("retrieval", "--kb", tmp_path, "--cases", tmp_path, "--budget", "5m")
    as_text = run(tune, *args)
    as_json = run(tune, *args, "--json")

    assert "600 pairs (cases)" in as_text.output
    assert "gain: +0.100" in as_text.output
    assert "the base before is kept in kb-before" in as_text.output
    assert json.loads(as_json.stdout)["switched"] is True
    assert calls[0]["budget_seconds"] == 300.0
    assert calls[0]["base"] == "all-minilm-l6-v2"


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["retrieval"], "tune retrieval needs --kb"),
        (["retrieval", "--kb", "kb", "--train", "."], "takes no --train"),
        (["retrieval", "--kb", "kb", "--out", "m"], "takes no --out"),
        (["retrieval", "--kb", "kb", "--cases", ".", "--beir", "."], "not both"),
        (["qa", "--out", "m"], "tune qa needs --train"),
        (["qa", "--train", ".", "--out", "m", "--beir", "."], "takes no --beir"),
        (["qa", "--train", ".", "--out", "m", "--kb", "absent"], "does not exist"),
    ],
)
def test_tune_refuses_options_of_the_other_task(
    calls: list[dict[str, Any]], args: list[str], problem: str
) -> None:
    ended = run(tune, *args)

    assert ended.exit_code == 2
    assert problem in ended.output
    assert calls == []
