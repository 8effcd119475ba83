"""Weights on the command line and in groundtune.toml reach the recipes as settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundtune.config.prices import Prices
from groundtune.config.protocol import ProtocolSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOML = """
[protocol]
questions_per_month = 500
margin = 0.02
hardware = "one laptop"

[protocol.prices]
currency = "EUR"
prompt_tokens = 0.1
output_tokens = 0.4
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").touch()
    return tmp_path


def compared(call: Callable[..., Any], recipes: Any, *more: str) -> Any:
    args = ("compare", "qa", "--cases", ".", "--docs", ".", "--out", "run")
    ended = call(*args, *more)
    assert ended.code == 0, ended.err
    return recipes.calls[-1][1]["protocol"]


def test_without_weights_nothing_is_registered(
    recipes: Any, call: Callable[..., Any], folder: Path
) -> None:
    assert compared(call, recipes) is None


def test_the_file_of_the_folder_is_taken_and_options_go_before_it(
    recipes: Any, call: Callable[..., Any], folder: Path
) -> None:
    (folder / "groundtune.toml").write_text(TOML)
    options = ("--questions-per-month", "9000", "--machine-hour", "0.3")
    found = compared(call, recipes, *options, "--latency-limit", "700")
    assert found == ProtocolSettings(
        questions_per_month=9000,
        margin=0.02,
        hardware="one laptop",
        latency_limit_ms=700.0,
        prices=Prices(
            currency="EUR", prompt_tokens=0.1, output_tokens=0.4, machine_hour=0.3
        ),
    )


def test_a_report_keeps_to_the_run_unless_it_is_told(
    recipes: Any, call: Callable[..., Any], folder: Path
) -> None:
    (folder / "groundtune.toml").write_text(TOML)
    call("report", folder)
    assert recipes.calls[-1][1]["weights"] == {}
    call(
        "report", folder, "--updates-per-month", "0", "--parquet", folder / "r.parquet"
    )
    by_name = dict(recipes.calls[-2:])
    assert by_name["report"]["weights"] == {"updates_per_month": 0.0}
    assert by_name["write_parquet"]["path"] == folder / "r.parquet"
    call("report", folder, "--weights", "groundtune.toml")
    assert recipes.calls[-1][1]["weights"]["prices"]["currency"] == "EUR"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("margin = 0.1", "unknown table or setting 'margin'"),
        ("[protocol]\nmargn = 0.1", "unknown setting 'margn'"),
        ("[protocol]\nmargin = 'big'", "margin is 'big'"),
        ("[[protocol]]\nmargin = 1", "protocol is no table"),
        ("[protocol", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(
    recipes: Any, call: Callable[..., Any], folder: Path, text: str, problem: str
) -> None:
    (folder / "own.toml").write_text(text)
    args = ("compare", "qa", "--cases", ".", "--docs", ".", "--out", "run")
    ended = call(*args, "--weights", "own.toml")
    assert ended.code == 2
    assert problem in ended.err
    assert recipes.calls == []
