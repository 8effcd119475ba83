"""The command line as a person meets it: help, speed, mistakes, and its page."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from inline_snapshot import snapshot

from groundtune.cli.main import VERBS, cli

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "torch",
    "numpy",
    "openvino",
    "openvino_genai",
    "lancedb",
    "pyarrow",
    "scipy",
    "matplotlib",
    "transformers",
    "tokenizers",
    "rich",
    "pydantic",
}


def docs_generator() -> Any:
    spec = spec_from_file_location("make_docs", ROOT / "scripts" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = docs_generator()
COMMANDS: list[tuple[tuple[str, ...], click.Command]] = list(GENERATOR.commands())


def test_help(call: Callable[..., Any]) -> None:
    ended = call("--help")

    assert ended.code == 0
    assert ended.out == snapshot("""\
Usage: groundtune [OPTIONS] VERB [ARGS]...

  RAG, fine-tuning, or both? Measured on your own data.

  Results go to standard output, progress and errors to standard error.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Verbs:
  demo       Compare the four arms on a world of invented facts.
  ingest     Make a knowledge base, or bring it up to date.
  search     Find the passages that fit a query best.
  ask        Answer a question from a knowledge base, with citations.
  calibrate  Learn from labelled questions when not to answer.
  chat       Talk with a knowledge base: several turns, each with citations.
  summarize  Sum up a document, or what a knowledge base says of a topic, with
             sources.
  check      Say whether the documents support or refute a claim.
  kb         Look after a knowledge base: verify, rebuild, back up, restore.
  evaluate   Measure a system on labelled data, with intervals.
  optimize   Choose the retrieval settings that do best on labelled questions.
  questions  Draft test questions from the documents, and review them.
  doctor     Examine a labelled file before training, or this machine.
  tune       Fine-tune a model on labelled cases.
  predict    Label the rows of a file with a tuned model.
  export     Write a tuned model for other programs, and check it there.
  compare    Measure plain, rag, tuned and both on the same cases.
  report     Show a run again: a table here, an HTML page in its folder.
  models     List the models known by name, or fetch one.

  Example:
    groundtune demo
""")


def test_unknown_verb_is_answered_with_the_nearest(call: Callable[..., Any]) -> None:
    ended = call("comapre")

    assert ended.code == 2
    assert ended.err == snapshot("""\
Usage: groundtune [OPTIONS] VERB [ARGS]...
Try 'groundtune --help' for help.

Error: no verb named 'comapre'
  fix: did you mean 'compare'? use one of demo, ingest, search, ask, calibrate, chat, summarize, check, kb, evaluate, optimize, questions, doctor, tune, predict, export, compare, report, models
""")  # noqa: E501


def test_no_verb_shows_the_help(call: Callable[..., Any]) -> None:
    ended = call()

    assert ended.code == 2
    assert "Verbs:" in ended.err


def test_version(call: Callable[..., Any]) -> None:
    assert call("--version").out == "groundtune 0.1.0\n"


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS]
)
def test_every_verb_shows_an_example_that_it_accepts(
    path: tuple[str, ...], command: click.Command
) -> None:
    shown = GENERATOR.help_text(command, *path)

    line = shown.rstrip().split("\n")[-1].strip()
    assert line.split()[: len(path)] == list(path)
    known = {name for p in command.params for name in p.opts}
    if path != ("groundtune",):
        assert {word for word in line.split() if word.startswith("-")} <= known


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_list_of_verbs_repeats_their_own_first_line(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)

    assert command is not None
    assert command.name == verb
    assert (command.help or "").split("\n")[0] == VERBS[verb][1]


@pytest.mark.parametrize("page", sorted(GENERATOR.pages()))
def test_generated_pages_are_in_step_with_the_code(page: str) -> None:
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")

    assert written == GENERATOR.pages()[page], "run `make docs`"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import groundtune\n"
        "from groundtune.cli.main import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert not HEAVY & set(shown.stderr.split())


def test_help_answers_at_once() -> None:
    command = [str(Path(sys.executable).with_name("groundtune")), "--help"]

    def seconds() -> float:
        """Processor time, which on an idle machine is the time that a person waits.

        Waiting for a core that other tests hold would say nothing about the program.
        """
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.3
