"""The entry point: which verbs there are, and how errors become exit codes.

Each verb stands in the module of its family beside this one and is imported when it is
used: `groundtune --help` must answer at once.
"""

from __future__ import annotations

import sys

import click

from groundtune import __version__
from groundtune.cli.lazy import LazyGroup
from groundtune.cli.options import example
from groundtune.core.errors import GroundtuneError

INTERRUPTED = 130

VERBS = {
    "demo": (
        "groundtune.cli.comparing:demo",
        "Compare the four arms on a world of invented facts.",
    ),
    "ingest": (
        "groundtune.cli.knowledge:ingest",
        "Make a knowledge base, or bring it up to date.",
    ),
    "search": (
        "groundtune.cli.knowledge:search",
        "Find the passages that fit a query best.",
    ),
    "ask": (
        "groundtune.cli.knowledge:ask",
        "Answer a question from a knowledge base, with citations.",
    ),
    "calibrate": (
        "groundtune.cli.calibrating:calibrate",
        "Learn from labelled questions when not to answer.",
    ),
    "chat": (
        "groundtune.cli.chatting:chat",
        "Talk with a knowledge base: several turns, each with citations.",
    ),
    "summarize": (
        "groundtune.cli.summarizing:summarize",
        "Sum up a document, or what a knowledge base says of a topic, with sources.",
    ),
    "check": (
        "groundtune.cli.checking:check",
        "Say whether the documents support or refute a claim.",
    ),
    "kb": (
        "groundtune.cli.keeping:kb",
        "Look after a knowledge base: verify, rebuild, back up, restore.",
    ),
    "evaluate": (
        "groundtune.cli.evaluating:evaluate",
        "Measure a system on labelled data, with intervals.",
    ),
    "optimize": (
        "groundtune.cli.retrieval:optimize",
        "Choose the retrieval settings that do best on labelled questions.",
    ),
    "questions": (
        "groundtune.cli.questioning:questions",
        "Draft test questions from the documents, and review them.",
    ),
    "doctor": (
        "groundtune.cli.doctor:doctor",
        "Examine a labelled file before training, or this machine.",
    ),
    "tune": (
        "groundtune.cli.training:tune",
        "Fine-tune a model on labelled cases.",
    ),
    "predict": (
        "groundtune.cli.predicting:predict",
        "Label the rows of a file with a tuned model.",
    ),
    "export": (
        "groundtune.cli.exporting:export",
        "Write a tuned model for other programs, and check it there.",
    ),
    "compare": (
        "groundtune.cli.comparing:compare",
        "Measure plain, rag, tuned and both on the same cases.",
    ),
    "report": (
        "groundtune.cli.comparing:report",
        "Show a run again: a table here, an HTML page in its folder.",
    ),
    "models": (
        "groundtune.cli.models:models",
        "List the models known by name, or fetch one.",
    ),
}


@click.group(
    epilog=example("groundtune demo"),
    cls=LazyGroup,
    verbs=VERBS,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"max_content_width": 88, "help_option_names": ["-h", "--help"]},
)
@click.version_option(
    __version__, prog_name="groundtune", message="%(prog)s %(version)s"
)
def cli() -> None:
    """RAG, fine-tuning, or both? Measured on your own data.

    Results go to standard output, progress and errors to standard error.
    """


def run(args: list[str] | None = None) -> None:
    """Run the command line and exit: the one place that makes exit codes."""
    sys.exit(_exit_code(args))


def _exit_code(args: list[str] | None) -> int:
    try:
        # Without standalone mode click returns the code of `ctx.exit` and lets
        # errors through to here.
        code = cli.main(args=args, prog_name="groundtune", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: run the same command again to go on", err=True)
        return INTERRUPTED
    except GroundtuneError as error:
        click.echo(f"groundtune: {error}", err=True)
        return error.exit_code
    return code if isinstance(code, int) else 0
