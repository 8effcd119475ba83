"""The verb doctor: what it prints, its exit codes, and what it says of the machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from groundtune.cli.doctor import doctor

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "text,label\n" + "".join(
    f"{word} is what I think of it,{('good', 'bad')[number % 2]}\n"
    for number, word in enumerate(("this", "that", "such", "nothing", "all", "half"))
)


def call(*args: str | Path) -> Result:
    return CliRunner().invoke(doctor, [str(arg) for arg in args])


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_a_clean_file_ends_well_and_says_how_it_was_read(train: Path) -> None:
    ended = call(train)

    assert ended.exit_code == 0
    lines = ended.output.splitlines()
    assert f"{train}: 6 rows for classification, csv, text=text, label=label" in lines
    assert lines[-1] == "0 errors, 0 warnings, 2 notes"


def test_an_error_names_line_column_and_fix_and_exits_3(train: Path) -> None:
    train.write_text(ROWS + ",good\n" + "x,\n" * 8, encoding="utf-8")

    ended = call(train)
    every = call(train, "--all")

    assert ended.exit_code == 3
    assert (
        "error: 1 rows cannot be used: 'text' is empty  [empty_text]\n"
        f"  {train}:8  text  'text' is empty\n"
        "  fix: fill it in, or delete this row\n"
    ) in ended.output
    assert "  and 3 more: --all\n" in ended.output
    assert f"  {train}:16  label" in every.output
    assert f"  {train}:16  label" not in ended.output


def test_json_holds_every_finding(train: Path) -> None:
    ended = call(train, "--test", train, "--role", "label=label", "--json")

    told: dict[str, Any] = json.loads(ended.stdout)
    assert ended.exit_code == 3
    assert set(told) == {
        "file",
        "task",
        "format",
        "reading",
        "roles",
        "rows",
        "errors",
        "warnings",
        "notes",
        "findings",
    }
    leak = told["findings"][0]
    assert (leak["kind"], leak["severity"]) == ("test_in_train", "error")
    assert leak["spots"][5]["where"] == f"{train}:7"
    assert set(leak) == {"kind", "severity", "message", "fix", "spots"}


def test_a_role_must_name_a_column(train: Path) -> None:
    ended = call(train, "--role", "label")

    assert ended.exit_code == 2
    assert "'label' is not ROLE=COLUMN" in ended.output


def test_options_need_a_file() -> None:
    ended = call("--task", "ner")

    assert ended.exit_code == 2
    assert "these options need FILE" in ended.output


def test_without_a_file_the_machine_is_described() -> None:
    shown = call()
    told: dict[str, Any] = json.loads(call("--json").stdout)

    assert shown.exit_code == 0
    assert f"{told['cores']} cores to use" in shown.output
    assert told["extras"]["tune"].keys() == {"torch", "transformers", "peft"}
    assert isinstance(told["models"], list)
