"""chat and `evaluate dialogue`: what goes in and what a person sees."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import pytest
from click.testing import CliRunner

from groundtune.augment.rewriting import Standalone
from groundtune.cli.chatting import chat
from groundtune.cli.evaluating import evaluate
from groundtune.core.values import Answer, Citation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CITED = Citation(document="tools.md", start=7, end=30, text="A drill\nmay be kept.")


@dataclass(frozen=True)
class Turn:
    question: str
    standalone: Standalone
    answer: Answer


class Conversation:
    """Says what it heard; `stop` is somebody pressing Ctrl-C."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.closed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def begin_anew(self) -> None:
        self.turns.clear()

    def say(
        self,
        question: str,
        *,
        on_text: Callable[[str], None] | None = None,
        on_query: Callable[[Standalone], None] | None = None,
    ) -> Turn:
        query = Standalone(text=question)
        if self.turns:
            query = Standalone(text=f"{question} (drill)", by="rules")
        if question == "other":
            query = Standalone(text=question, new_topic=True)
        if on_query is not None:
            on_query(query)
        if question == "stop":
            raise KeyboardInterrupt
        self.turns.append(question)
        if question == "unknown":
            answer = Answer(text="", abstained=True, reason="nothing on this")
            return Turn(question, query, answer)
        if on_text is not None:
            on_text(f"heard {question}")
        answer = Answer(text=f"heard {question}", citations=(CITED,))
        return Turn(question, query, answer)


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> tuple[Conversation, list[dict[str, Any]]]:
    conversation, calls = Conversation(), list[dict[str, Any]]()

    def begin(**options: Any) -> Conversation:
        calls.append(options)
        return conversation

    made = ModuleType("groundtune.recipes.chat")
    made.chat = begin  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return conversation, calls


def ended(folder: Path, said: str, *options: str) -> Any:
    return CliRunner().invoke(
        chat, ["--kb", str(folder), *options], input=said, prog_name="groundtune chat"
    )


def test_a_conversation_as_a_person_sees_it(
    talk: tuple[Conversation, list[dict[str, Any]]], tmp_path: Path
) -> None:
    done = ended(tmp_path, "drill?\n\nlate?\nother\nunknown\n")

    assert done.exit_code == 0
    cited = '[1] tools.md:7-30  "A drill may be kept."'
    assert done.stdout.splitlines() == [
        "> drill?",
        "heard drill?",
        cited,
        "> ",
        "> late?",
        "(searching: late? (drill))",
        "heard late?",
        cited,
        "> other",
        "(another topic: searching without what was said before)",
        "heard other",
        cited,
        "> unknown",
        "(searching: unknown (drill))",
        "",
        "(no answer: nothing on this)",
    ]
    assert talk[0].closed == 1
    assert talk[1][0]["rewrite"] == "rules"
    assert talk[1][0]["history"] is None


def test_commands_and_a_stopped_answer(
    talk: tuple[Conversation, list[dict[str, Any]]], tmp_path: Path
) -> None:
    done = ended(tmp_path, "drill?\n/new\nlate?\nstop\n/quit\nnever\n")

    assert done.exit_code == 0
    assert "a new conversation" in done.stderr
    assert "stopped: this turn is not kept" in done.stderr
    assert talk[0].turns == ["late?"]
    assert "(searching: late?" not in done.stdout
    assert talk[0].closed == 1


def test_turns_as_json(
    talk: tuple[Conversation, list[dict[str, Any]]], tmp_path: Path
) -> None:
    done = ended(tmp_path, "drill?\nlate?\n/new\nother\n/quit\nx\n", "--json")

    turns = json.loads(done.stdout)["turns"]
    assert [turn["question"] for turn in turns] == ["drill?", "late?", "other"]
    assert turns[1]["query"] == "late? (drill)"
    assert turns[1]["rewritten_by"] == "rules"
    assert turns[2]["new_topic"]
    assert turns[0]["answer"]["citations"][0]["document"] == "tools.md"


def test_it_says_that_it_goes_on(
    talk: tuple[Conversation, list[dict[str, Any]]], tmp_path: Path
) -> None:
    talk[0].turns = ["drill?"]
    history = tmp_path / "talk.jsonl"
    done = ended(
        tmp_path, "", "--history", str(history), "--rewrite", "none", "-k", "2"
    )

    assert "going on after 1 turn\n" in done.stderr
    assert talk[1][0]["history"] == history
    assert (talk[1][0]["rewrite"], talk[1][0]["k"]) == ("none", 2)


FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
GAP = {"difference": {"value": 0.1, "low": 0.02, "high": 0.2, "n": 40}, "p": 0.01}
NAMES = ("passage_hit@1", "passage_hit@5", "passage_hit@10", "document_hit@5")
REPORT = {
    "turns": {
        "follow_up": {m: dict.fromkeys(NAMES, FIGURE) for m in ("last", "rules")}
    },
    "differences": {"follow_up": {"rules-last": {"passage_hit@5": GAP}}},
    "topics": {"seen": FIGURE, "false_alarms": FIGURE},
    "rewritten": {"used": 30, "it did not end": 10},
    "cases": 40,
    "documents": 7,
    "passages": 9,
}


class Report:
    def to_json(self) -> dict[str, Any]:
        return REPORT


def test_evaluate_dialogue_prints_figures_and_gaps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[dict[str, Any]] = []

    def evaluate_dialogue(**options: Any) -> Report:
        calls.append(options)
        return Report()

    made = ModuleType("groundtune.recipes.dialogue_evaluation")
    made.evaluate_dialogue = evaluate_dialogue  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    cases = tmp_path / "cases.jsonl"
    cases.touch()
    options = ["dialogue", "--kb", str(tmp_path), "--cases", str(cases)]
    options += ["--part", "dev"]

    shown = CliRunner().invoke(evaluate, options)
    as_json = CliRunner().invoke(evaluate, [*options, "--json"])

    assert json.loads(as_json.stdout) == REPORT
    assert calls[0]["part"] == "dev"
    assert shown.stdout.splitlines() == [
        "turns that need history (40):",
        *(
            f"  {method:<8} " + "  ".join(f"{name} 0.500" for name in NAMES)
            for method in ("last", "rules")
        ),
        "  rules-last: passage_hit@5 +0.100 [+0.020, +0.200]",
        "new topics: 0.500 seen, 0.500 of follow-up turns taken for one",
        "wording of the model: 30 used, 10 it did not end",
        "40 turns on 7 documents in 9 passages",
    ]
