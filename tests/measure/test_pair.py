"""Any two systems on the same cases."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.pair import compare_pair
from groundtune.measure.rows import Row
from groundtune.recipes.comparison.pairs import compare_runs, read_pair
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = ProtocolSettings(draws=500)


def _raw(case: int, system: str, *, right: bool) -> dict[str, object]:
    return {
        "case": f"c{case:03}",
        "system": system,
        "question": f"which {case}?",
        "answers": ["x"],
        "prediction": "x" if right else "y",
        "scores": {"token_f1": float(right)},
    }


def _rows(system: str, share: float, *, cases: int = 200, seed: int = 0) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        Row.from_json(_raw(n, system, right=bool(rng.random() < share)), where="test")
        for n in range(cases)
    ]


def test_a_real_gap_is_told_either_way_round() -> None:
    good, bad = _rows("rag", 0.8), _rows("rag", 0.5, seed=1)
    found = compare_pair(
        {"new": good, "old": bad}, task="qa", measure="token_f1", settings=SETTINGS
    )
    assert found.outcome == "better"
    assert found.difference.low > 0
    assert found.told.startswith("new is better than old")
    turned = compare_pair(
        {"old": bad, "new": good}, task="qa", measure="token_f1", settings=SETTINGS
    )
    assert turned.outcome == "worse"
    assert turned.difference.value == pytest.approx(-found.difference.value)


def test_the_same_answers_are_equivalent_only_with_enough_cases() -> None:
    many, few = _rows("rag", 0.5), _rows("rag", 0.5, cases=3)
    equal = compare_pair(
        {"a": many, "b": many}, task="qa", measure="token_f1", settings=SETTINGS
    )
    assert equal.outcome == "equivalent"
    open_ = compare_pair(
        {"a": few, "b": few}, task="qa", measure="token_f1", settings=SETTINGS
    )
    assert open_.outcome == "undecided"
    assert "cannot be told apart" in open_.told


def test_other_cases_are_not_compared() -> None:
    first, second = _rows("rag", 0.5), _rows("rag", 0.5)
    renamed = [replace(row, case=f"other-{row.case}") for row in second]
    with pytest.raises(DataError, match="no case in common"):
        compare_pair(
            {"a": first, "b": renamed}, task="qa", measure="token_f1", settings=SETTINGS
        )
    changed = [replace(row, question="something else") for row in second]
    with pytest.raises(DataError, match="another case"):
        compare_pair(
            {"a": first, "b": changed}, task="qa", measure="token_f1", settings=SETTINGS
        )


def _run(folder: Path, share: float, *, task: str = "qa", seed: int = 0) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"format": 1, "task": task}))
    rng = np.random.default_rng(seed)
    lines = [
        json.dumps(_raw(n, "rag", right=bool(rng.random() < share))) + "\n"
        for n in range(80)
    ]
    (folder / "rows.jsonl").write_text("".join(lines))
    RunFolder.open(folder)
    return folder


def test_two_finished_runs_are_held_together(tmp_path: Path) -> None:
    old, new = _run(tmp_path / "old", 0.3), _run(tmp_path / "new", 0.8, seed=1)
    systems = read_pair(f"{new}:rag,{old}:rag")
    assert systems is not None
    pair = compare_runs("qa", systems, out=tmp_path / "pair")
    assert pair.names == ("new:rag", "old:rag")
    assert pair.outcome == "better"
    written = json.loads((tmp_path / "pair" / "pair.json").read_text())
    assert written["difference"]["n"] == 80
    with pytest.raises(ConfigError, match="is a run of qa"):
        compare_runs("ner", systems)
    missing = read_pair(f"{new}:both,{old}:rag")
    assert missing is not None
    with pytest.raises(DataError, match="no rows of 'both'"):
        compare_runs("qa", missing)


@pytest.mark.parametrize("text", ["a:rag", "a:rag,b", "a:rag,a:rag", ":rag,b:rag"])
def test_what_names_no_two_systems_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_pair(text)
