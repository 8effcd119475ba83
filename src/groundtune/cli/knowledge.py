"""Verbs on a knowledge base: ingest, search, ask."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    embedder_option,
    example,
    generator_option,
    passages_option,
    retrieval_options,
    runtime_option,
)
from groundtune.cli.output import (
    answer_fields,
    citation_lines,
    hit_fields,
    hit_lines,
    json_option,
    print_json,
)
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from groundtune.retrieve.source import IngestReport

_UNCALIBRATED = (
    "not calibrated: how sure this answer is cannot be said (groundtune calibrate)"
)
SOME_FAILED = 3
"""Exit code of `ingest` when some documents could not be read: that of DataError."""


@click.command(
    epilog=example("groundtune ingest docs/ --kb handbook"),
)
@click.argument("paths", nargs=-1, required=True, type=ANY_PATH)
@click.option(
    "--kb", required=True, type=ANY_PATH, help="Folder of the knowledge base."
)
@click.option(
    "--model",
    default="all-minilm-l6-v2",
    show_default=True,
    help="Embedder: a name from `groundtune models`, a model folder, org/name, or "
    "URL#NAME.",
)
@click.option(
    "--delete", is_flag=True, help="Also remove documents that PATHS no longer hold."
)
@click.option("--yes", is_flag=True, help="Agree to delete many documents at once.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Read only what failed, or was not finished, the last time.",
)
@click.option(
    "--watch", is_flag=True, help="Go on, and follow every change until Ctrl-C."
)
@json_option
@click.pass_context
def ingest(
    ctx: click.Context,
    *,
    paths: tuple[Path, ...],
    kb: Path,
    model: str,
    delete: bool,
    yes: bool,
    retry_failed: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Make a knowledge base, or bring it up to date.

    PATHS are folders, files, patterns such as 'docs/**/*.md', a git checkout, a sitemap
    file, or - for a list of paths on standard input. Documents are compared by content:
    unchanged ones are skipped, moved ones keep their vectors. A document that cannot be
    read is reported and its earlier version stays, the others are taken, and the exit
    code is 3. To delete more than 20 documents and a third of all is asked about first.
    """
    if watch:
        if retry_failed:
            raise click.UsageError("--watch and --retry-failed exclude each other")
        _follow(
            paths, kb=kb, model=model, delete=delete, confirm=_asker(yes), json=as_json
        )
        return
    from groundtune.recipes.ingest import ingest as ingest_recipe

    with ProgressDisplay() as progress:
        report = ingest_recipe(
            paths,
            kb=kb,
            model=model,
            delete=delete,
            retry_failed=retry_failed,
            confirm=_asker(yes, progress),
            progress=progress,
        )
    _show_ingest(report, as_json=as_json)
    if report.failed:
        ctx.exit(SOME_FAILED)


def _show_ingest(report: IngestReport, *, as_json: bool) -> None:
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "deleted": report.deleted,
        "unchanged": report.unchanged,
        "passages": report.passages,
    }
    if as_json:
        failed = [{"document": name, "reason": why} for name, why in report.failed]
        print_json(counts | {"failed": failed})
    else:
        click.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    for document, reason in report.failed:
        click.echo(f"not read: {document}: {reason}", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)


def _asker(
    yes: bool,  # noqa: FBT001 (what the flag says)
    progress: ProgressDisplay | None = None,
) -> Callable[[int, int], bool]:
    """What is asked before a mass delete: a person at a terminal, else the flag."""

    def ask(going: int, held: int) -> bool:
        if yes:
            return True
        if progress is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        progress.pause()
        return click.confirm(
            f"{going} of {held} documents are no longer there. Delete them?", err=True
        )

    return ask


def _follow(
    paths: tuple[Path, ...],
    *,
    kb: Path,
    model: str,
    delete: bool,
    confirm: Callable[[int, int], bool],
    json: bool,
) -> None:
    """Ingest until Ctrl-C; an update that has begun is finished first."""
    from groundtune.recipes.following import watch as watch_recipe

    stop = threading.Event()

    def interrupted(_signal: int, _frame: FrameType | None) -> None:
        # A second Ctrl-C does not wait.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        with ProgressDisplay() as progress:
            reports = watch_recipe(
                paths,
                kb=kb,
                stop=stop,
                model=model,
                delete=delete,
                confirm=confirm,
                on_error=lambda error: progress.tell(f"groundtune: {error}"),
                progress=progress,
            )
            for report in reports:
                _show_ingest(report, as_json=json)
                progress.tell("watching; stop with Ctrl-C")
    finally:
        signal.signal(signal.SIGINT, before)
    click.echo("stopped watching", err=True)


@click.command(
    epilog=example('groundtune search --kb handbook "days of leave" -k 3'),
)
@click.argument("query")
@click.option(
    "--kb", required=True, type=EXISTING, help="Folder of the knowledge base."
)
@click.option(
    "-k",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="Passages to show.",
)
@retrieval_options
@embedder_option
@json_option
def search(
    *,
    query: str,
    kb: Path,
    k: int,
    where: str,
    embedder: str,
    as_json: bool,
    **changes: Any,  # noqa: ANN401 (settings of retrieval, each of its own type)
) -> None:
    """Find the passages that fit a query best.

    How it ranks was chosen for the knowledge base, or is the default; options change
    it for this search. --where chooses documents by what is known of them (lang, date,
    author, title, and whatever their files say) and by their name: document.
    """
    from groundtune.recipes.search import search as search_recipe
    from groundtune.retrieve.settings import chosen_settings

    with ProgressDisplay() as progress:
        hits = search_recipe(
            query,
            kb=kb,
            k=k,
            model=embedder,
            where=where,
            settings=chosen_settings(kb, **changes),
            progress=progress,
        )
    if as_json:
        print_json({"hits": [hit_fields(hit) for hit in hits]})
    else:
        click.echo(hit_lines(hits) or "nothing found")


@click.command(
    epilog=example('groundtune ask --kb handbook "How many days of leave are there?"'),
)
@click.argument("question")
@click.option(
    "--kb", required=True, type=EXISTING, help="Folder of the knowledge base."
)
@generator_option
@passages_option
@runtime_option
@click.option(
    "--check",
    default="",
    metavar="MODEL",
    help="Also judge citations by a model of tune fact_check, a generator, or rule.",
)
@retrieval_options
@embedder_option
@json_option
def ask(
    *,
    question: str,
    kb: Path,
    model: str,
    k: int | None,
    where: str,
    runtime: str,
    check: str,
    embedder: str,
    as_json: bool,
    **changes: Any,  # noqa: ANN401 (settings of retrieval, each of its own type)
) -> None:
    """Answer a question from a knowledge base, with citations.

    The answer is shown as it is written. Each citation names the document and the
    characters in it that the answer rests on. After `groundtune calibrate`, an answer
    that is not sure enough is withheld.
    """
    from groundtune.recipes.ask import ask as ask_recipe
    from groundtune.retrieve.settings import chosen_settings

    streamed: list[str] = []

    def show(text: str) -> None:
        streamed.append(text)
        click.echo(text, nl=False)

    with ProgressDisplay() as progress:
        answer = ask_recipe(
            question,
            kb=kb,
            model=model,
            embedder=embedder,
            k=k,
            where=where,
            settings=chosen_settings(kb, **changes),
            runtime=runtime,
            check=check,
            # A pipe gets only what stands in the end: an answer may be withheld.
            on_text=show if sys.stdout.isatty() and not as_json else None,
            progress=progress,
        )
    if as_json:
        print_json(answer_fields(answer))
        return
    if not streamed:
        click.echo(answer.text, nl=False)
    click.echo()
    if answer.abstained:
        kind = "withheld, do not rely on it" if streamed else "no answer"
        click.echo(f"({kind}: {answer.reason})")
    if lines := citation_lines(answer):
        click.echo(lines)
    if answer.confidence is None:
        click.echo(_UNCALIBRATED, err=True)
