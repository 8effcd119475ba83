"""Each verb calls its recipe with what was typed and prints what came back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core import errors
from groundtune.core.errors import GroundtuneError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ERROR_CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, GroundtuneError)
]


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    folder = tmp_path / "kb"
    folder.mkdir()
    return folder


def test_ingest_prints_counts(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    ended = call("ingest", tmp_path, "--kb", tmp_path / "kb", "--delete")

    assert ended.code == 0
    assert ended.out.startswith("2 added, 0 updated")
    name, options = recipes.calls[0]
    assert name == "ingest"
    assert options["paths"] == (tmp_path,)
    assert options["delete"] is True
    assert options["model"] == "all-minilm-l6-v2"


def test_ingest_with_failures_names_them_and_exits_3(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    recipes.failed = [("a.pdf", "encrypted")]
    ended = call("ingest", tmp_path, "--kb", tmp_path / "kb", "--json")

    assert ended.code == 3
    assert "not read: a.pdf: encrypted" in ended.err
    value = json.loads(ended.out)
    assert value["failed"] == [{"document": "a.pdf", "reason": "encrypted"}]
    assert value["passages"] == 9


def test_search_as_json(recipes: Any, call: Callable[..., Any], kb: Path) -> None:
    ended = call("search", "who?", "--kb", kb, "-k", "3", "--json")

    assert json.loads(ended.out) == {
        "hits": [
            {
                "document": "moon.md",
                "start": 7,
                "end": 30,
                "text": "The first\nwas Odrane.",
                "score": 0.75,
                "metadata": {"lang": "en"},
            }
        ]
    }
    assert recipes.calls[0][1]["k"] == 3
    assert recipes.calls[0][1]["model"] == "all-minilm-l6-v2"


def test_search_as_text(recipes: Any, call: Callable[..., Any], kb: Path) -> None:
    ended = call("search", "who?", "--kb", kb)

    assert ended.out == "0.750  moon.md:7-30\n  The first was Odrane.\n"


def test_ask_streams_and_cites(
    recipes: Any, call: Callable[..., Any], kb: Path
) -> None:
    ended = call("ask", "who?", "--kb", kb)

    assert ended.code == 0
    assert ended.out == 'Odrane\n[1] moon.md:17-28  "was Odrane."\n'
    assert recipes.calls[0][1]["k"] is None


def test_ask_as_json(recipes: Any, call: Callable[..., Any], kb: Path) -> None:
    ended = call("ask", "who?", "--kb", kb, "--json")

    value = json.loads(ended.out)
    assert list(value) == [
        "text",
        "citations",
        "abstained",
        "reason",
        "confidence",
        "unsupported",
        "check",
        "hits",
        "timings_ms",
    ]
    assert value["citations"] == [
        {
            "document": "moon.md",
            "start": 17,
            "end": 28,
            "text": "was Odrane.",
            "sentence": None,
        }
    ]
    assert value["confidence"] is None
    assert value["timings_ms"] == {"retrieve": 1.0, "first_token": 2.0, "total": 4.0}


def test_tune_reports_the_score(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    train = tmp_path / "train.jsonl"
    train.touch()
    args = ("tune", "qa", "--train", train, "--out", tmp_path / "m", "--budget", "1.5m")
    as_text = call(*args)
    as_json = call(*args, "--json")

    assert "dev: 0.500 [0.400, 0.600], 80 cases" in as_text.out
    value = json.loads(as_json.out)
    promised = ["model", "task", "base", "dev", "test", "seconds"]
    assert list(value) == [*promised, "right_passage"]
    assert value["model"] == str(tmp_path / "m")
    assert recipes.calls[0][1]["budget_seconds"] == 90.0


def test_compare_passes_sources_and_arms_on(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    ended = call(
        *("compare", "qa", "--cases", tmp_path, "--docs", tmp_path, "--docs", tmp_path),
        *("--arms", "both, rag", "--limit", "5", "--out", tmp_path / "run"),
    )

    assert ended.code == 0
    assert ended.out == "task qa: undecided\n"
    assert ended.err.endswith(f"report: {tmp_path}/run/report.html\n")
    options = recipes.calls[0][1]
    assert options["arms"] == ("rag", "both")
    assert options["docs"] == (tmp_path, tmp_path)
    assert options["limit"] == 5
    assert options["seed"] == 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--docs", "."], "give --cases, or --train and --test"),
        (["--cases", ".", "--test", ".", "--docs", "."], "--cases is split"),
        (["--cases", ".", "--docs", ".", "--kb", "."], "--docs or --kb, not both"),
        (["--cases", "."], "give the documents with --docs or --kb"),
        (["--cases", ".", "--docs", ".", "--arms", "rga"], "'rga' is no arm"),
        (["--cases", ".", "--docs", ".", "--arms", ","], "an empty list is no arm"),
        (["--cases", ".", "--docs", ".", "--budget", "30"], "'30' is no time"),
        (["--cases", ".", "--docs", ".", "--budget", "0m"], "'0m' is no time"),
        (["--cases", "absent.jsonl", "--docs", "."], "does not exist"),
        (["--cases", ".", "--docs", ".", "--lmit", "3"], "No such option"),
    ],
)
def test_compare_refuses_what_makes_no_sense(
    recipes: Any, call: Callable[..., Any], options: list[str], problem: str
) -> None:
    ended = call("compare", "qa", "--out", "run", *options)

    assert ended.code == 2
    assert problem in " ".join(ended.err.split())
    assert recipes.calls == []


def test_demo_and_report_print_the_summary(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").touch()
    shown = [
        call("demo", "--out", tmp_path, "--json"),
        call("report", tmp_path, "--json"),
    ]

    for ended in shown:
        assert ended.code == 0
        assert json.loads(ended.out)["verdict"] == {"arm": None, "decided": False}


def test_models_lists_licences(recipes: Any, call: Callable[..., Any]) -> None:
    as_text = call("models")
    as_json = call("models", "--json")

    assert "small  (generator, Apache-2.0, 93 MB to fetch)" in as_text.out
    assert "here  (generator, Apache-2.0, here)" in as_text.out
    assert [m["name"] for m in json.loads(as_json.out)["models"]] == ["small", "here"]


@pytest.mark.parametrize("kind", ERROR_CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code_and_shows_its_fix(
    recipes: Any,
    call: Callable[..., Any],
    kb: Path,
    kind: type[GroundtuneError],
) -> None:
    recipes.error = kind("it broke", fix="mend it", where="kb:3")
    ended = call("search", "who?", "--kb", kb)

    assert ended.code == kind.exit_code
    assert ended.err.endswith("groundtune: kb:3: it broke\n  fix: mend it\n")
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_interrupt_says_how_to_go_on(
    recipes: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    recipes.error = KeyboardInterrupt()
    ended = call("demo", "--out", tmp_path)

    assert ended.code == 130
    assert ended.err.endswith("interrupted: run the same command again to go on\n")


def test_a_bug_of_ours_keeps_its_traceback(
    recipes: Any, capsys: pytest.CaptureFixture[str], kb: Path
) -> None:
    from groundtune.cli.main import run

    recipes.error = ValueError("broken promise")
    with pytest.raises(ValueError, match="broken promise"):
        run(["search", "who?", "--kb", str(kb)])


def test_progress_stays_off_standard_output(
    recipes: Any, call: Callable[..., Any], kb: Path
) -> None:
    ended = call("search", "who?", "--kb", kb, "--json")

    json.loads(ended.out)
    assert "working: 1/2" in ended.err


def test_store_error_shows_its_own_text() -> None:
    assert str(StoreError("full", fix="free some", where="kb")) == (
        "kb: full\n  fix: free some"
    )
