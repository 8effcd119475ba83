"""The verbs below `groundtune kb`, on a real knowledge base."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from groundtune.cli.keeping import kb as verbs
from groundtune.core.errors import StoreError

if TYPE_CHECKING:
    from click.testing import Result

words: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "retrieve" / "conftest.py")
)


def on_kb(*args: str | Path) -> Result:
    return CliRunner().invoke(verbs, [str(arg) for arg in args])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    made = words["open_base"](tmp_path / "kb")
    made.update(
        [words["make_document"]("a.md", "The ferry leaves at noon.")],
        delete_missing=False,
    )
    return tmp_path / "kb"


def test_status_and_verify_of_a_whole_base(base: Path) -> None:
    status = json.loads(on_kb("status", base, "--json").stdout)
    assert (status["documents"], status["passages"]) == (1, 1)
    assert status["states"] == {"indexed": 1}
    assert status["made_with"]["embedder"] == "words@0"
    assert "1 documents, 1 passages" in on_kb("status", base).stdout

    report = json.loads(on_kb("verify", base, "--json").stdout)
    assert (report["whole"], report["damage"]) == (True, [])
    assert on_kb("verify", base).stdout.splitlines()[-1].startswith("whole: 1 doc")


def test_verify_names_damage_with_its_remedy_and_exits_8(base: Path) -> None:
    (text,) = (base / "documents").iterdir()
    text.write_text("torn")

    ended = on_kb("verify", base)

    assert ended.exit_code == StoreError.exit_code
    assert f"{text}: the stored text of 'a.md' is missing or damaged" in ended.stdout
    assert "fix: ingest it again" in ended.stdout


def test_copies_tags_and_maintenance(base: Path, tmp_path: Path) -> None:
    made = json.loads(on_kb("backup", base, tmp_path / "copy", "--json").stdout)
    assert (made["documents"], made["path"]) == (1, str(tmp_path / "copy"))
    assert on_kb("restore", tmp_path / "copy", tmp_path / "new").exit_code == 0
    refused = on_kb("restore", tmp_path / "copy", tmp_path / "new")
    assert isinstance(refused.exception, StoreError)
    assert on_kb("restore", tmp_path / "copy", tmp_path / "new", "--yes").exit_code == 0

    assert on_kb("tag", base, "first").exit_code == 0
    assert list(json.loads(on_kb("tags", base, "--json").stdout)["tags"]) == ["first"]
    assert on_kb("tag", base, "first", "--remove").exit_code == 0
    assert on_kb("tags", base).stdout == ""
    assert "versions" in on_kb("maintain", base).stdout


def test_help_of_every_verb_ends_with_an_example() -> None:
    context = click.Context(verbs, info_name="groundtune kb")
    for name, command in verbs.commands.items():
        shown = command.get_help(click.Context(command, info_name=name, parent=context))
        assert f"groundtune kb {name}" in shown.split("Example:")[1]


def test_ingest_hands_its_flags_on(recipes: Any, call: Any, tmp_path: Path) -> None:
    call("ingest", tmp_path, "--kb", tmp_path / "kb", "--retry-failed")
    call("ingest", tmp_path, "--kb", tmp_path / "kb", "--delete", "--yes")

    first, second = (options for _, options in recipes.calls)
    assert (first["retry_failed"], second["retry_failed"]) == (True, False)
    # Nobody is at a terminal here.
    assert first["confirm"](30, 40) is False
    assert second["confirm"](30, 40) is True
    both = call("ingest", tmp_path, "--kb", tmp_path, "--retry-failed", "--watch")
    assert (both.code, "exclude each other" in both.err) == (2, True)
