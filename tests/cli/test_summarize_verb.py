"""`summarize` and `tune summarization`: what they pass on and what they print."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot

from groundtune.cli.summarizing import summarize
from groundtune.cli.training import tune
from groundtune.core.errors import ConfigError, DataError
from groundtune.core.values import Answer, Citation, Span
from groundtune.recipes.summarize import summarize as summarize_recipe
from groundtune.systems.summarizer import Summary

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "The ferry leaves at nine. Dragons sing. Bicycles go free."
EXTRACT = Summary(
    answer=Answer(
        text=f"{TEXT[:25]} {TEXT[40:]}",
        citations=(
            Citation(
                document="ferry.md", start=10, end=35, text="", sentence=Span(0, 25)
            ),
            Citation(
                document="bikes.md", start=0, end=17, text="", sentence=Span(26, 43)
            ),
        ),
        check="word for word",
    ),
    method="extractive",
    why="no model was named",
    words=8,
    wanted=10,
)
WRITTEN = Summary(
    answer=Answer(
        text=TEXT,
        citations=(
            Citation(
                document="ferry.md",
                start=10,
                end=35,
                text="The ferry\nleaves at nine.",
                sentence=Span(0, 25),
            ),
            Citation(
                document="bikes.md",
                start=0,
                end=19,
                text="Bicycles are free.",
                sentence=Span(40, 57),
            ),
        ),
        unsupported=(Span(26, 39),),
        check="shared words",
    ),
    method="abstractive",
    why="its sentences are borne out",
    words=10,
    wanted=None,
    parts=3,
    rounds=1,
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def made(topic: str, **options: Any) -> Summary:
        seen.append({"topic": topic, **options})
        return WRITTEN if options["model"] else EXTRACT

    module = ModuleType("groundtune.recipes.summarize")
    setattr(module, "summarize", made)  # noqa: B010 (a module made here)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


def test_an_extract_is_shown_with_the_places_of_its_sentences(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "ferry.md"
    file.write_text("x")

    shown = CliRunner().invoke(summarize, ["--file", str(file), "--words", "10"])

    assert shown.stdout == snapshot("""\
The ferry leaves at nine. [1]
Bicycles go free. [2]

[1] ferry.md:10-35
[2] bikes.md:0-17

extractive: 8 of 10 words from 2 documents (no model was named)
""")
    (call,) = calls
    assert (call["topic"], call["file"], call["words"]) == ("", file, 10)
    assert call["settings"] is None


def test_a_written_summary_shows_what_its_sources_say_and_where_there_is_none(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    given = ["ferries", "--kb", str(tmp_path), "--model", "m", "--mark"]

    shown = CliRunner().invoke(summarize, given)

    assert shown.stdout == snapshot("""\
The ferry leaves at nine. [1]
Dragons sing. [no source]
Bicycles go free. [2]

[1] ferry.md:10-35  "The ferry leaves at nine."
[2] bikes.md:0-19  "Bicycles are free."

abstractive: 10 words from 2 documents (its sentences are borne out)
""")
    (call,) = calls
    assert (call["topic"], call["kb"], call["model"]) == ("ferries", tmp_path, "m")
    assert call["keeps_unsupported"] is True
    assert call["settings"] is not None

    told = json.loads(CliRunner().invoke(summarize, [*given, "--json"]).stdout)
    assert {name: told[name] for name in ("method", "words", "words_asked")} == {
        "method": "abstractive",
        "words": 10,
        "words_asked": None,
    }
    assert (told["parts"], told["rounds"]) == (3, 1)
    assert told["unsupported"] == [[26, 39]]
    assert told["citations"][1]["sentence"] == [40, 57]


def test_nothing_to_sum_up_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = Answer(text="", abstained=True, reason="the documents hold nothing")
    module = ModuleType("groundtune.recipes.summarize")
    empty = Summary(answer=nothing, method="", why="", words=0, wanted=100)

    def found(*_: Any, **__: Any) -> Summary:
        return empty

    setattr(module, "summarize", found)  # noqa: B010 (a module made here)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    shown = CliRunner().invoke(summarize, ["x", "--kb", str(tmp_path)])

    assert shown.stdout == "(no summary: the documents hold nothing)\n"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "nothing to sum up"),
        ({"topic": "x"}, "nothing to sum up"),
        ({"kb": True, "file": True}, "a file and a knowledge base"),
        ({"kb": True}, "no topic"),
        ({"kb": True, "topic": " "}, "no topic"),
        ({"file": True, "topic": "x"}, "a topic, and a file"),
        ({"file": True, "words": 0}, "words is 0"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    tmp_path: Path, given: dict[str, Any], problem: str
) -> None:
    options: dict[str, Any] = dict(given)
    for name in ("kb", "file"):
        if name in options:
            options[name] = tmp_path / name

    with pytest.raises(ConfigError, match=problem):
        summarize_recipe(**options)


def test_a_file_that_nothing_reads_is_refused_before_a_model_is_opened(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError):
        summarize_recipe(file=tmp_path / "no.txt", model="no-such-model")


def rouge(value: float) -> dict[str, Any]:
    names = ("rouge_l", "rouge_1", "rouge_2")
    return {
        name: {"value": value, "low": value - 1, "high": value + 2, "n": 200}
        for name in names
    }


def measured() -> dict[str, Any]:
    return {"tuned": rouge(34.0), "plain": rouge(22.0), "first sentences": rouge(25.0)}


@dataclass
class TextReport:
    model: str
    base: str = "smollm2-135m-instruct"
    instruction: str = "Summarize the text."
    dev: dict[str, Any] | None = None
    test: dict[str, Any] = field(default_factory=lambda: rouge(34.0)["rouge_l"])
    seconds: float = 12.0
    rows_left_out: int = 0
    measures: dict[str, Any] = field(default_factory=measured)
    gains: dict[str, Any] = field(default_factory=lambda: rouge(12.0))
    written: dict[str, Any] = field(
        default_factory=lambda: {"tuned": {"cut": 0}, "plain": {"cut": 3}}
    )
    plain_prompts: dict[str, float] = field(
        default_factory=lambda: {"instruction": 20.04, "length": 21.5}
    )


def test_a_tuned_summarizer_is_shown_beside_what_needs_no_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def tuned(task: str, **options: Any) -> TextReport:
        seen.append(task)
        return TextReport(str(options["out"]))

    module = ModuleType("groundtune.recipes.tune_texts")
    setattr(module, "tune_generator_on_texts", tuned)  # noqa: B010 (made here)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    given = ["summarization", "--train", __file__, "--test", __file__, "--out", "m"]
    shown = CliRunner().invoke(tune, given)

    assert shown.stdout == snapshot("""\
model: m
instruction: Summarize the text.
tuned: ROUGE-L 34.0 [33.0, 36.0], ROUGE-1 34.0 [33.0, 36.0], ROUGE-2 34.0 [33.0, 36.0]
plain: ROUGE-L 22.0 [21.0, 24.0], ROUGE-1 22.0 [21.0, 24.0], ROUGE-2 22.0 [21.0, 24.0], 3 answers ended by the bound of new tokens
first sentences: ROUGE-L 25.0 [24.0, 27.0], ROUGE-1 25.0 [24.0, 27.0], ROUGE-2 25.0 [24.0, 27.0]
tuned - plain: ROUGE-L +12.0 [+11.0, +14.0], ROUGE-1 +12.0 [+11.0, +14.0], ROUGE-2 +12.0 [+11.0, +14.0], 200 test cases, 95 % intervals
plain was asked in the best of these ways, on dev cases: instruction 20.0, length 21.5
trained for 12 s from smollm2-135m-instruct
""")  # noqa: E501 (lines as they are printed)
    assert seen == ["summarization"]
