"""Verbs on a knowledge base: ingest, search, ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundtune.cli.options import ANY_PATH, EXISTING, embedder_option, example
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
    from pathlib import Path

SOME_FAILED = 3
"""Exit code of `ingest` when some documents could not be read: that of DataError."""


@click.command(
    epilog=example("groundtune ingest docs/ --kb handbook"),
)
@click.argument("paths", nargs=-1, required=True, type=EXISTING)
@click.option(
    "--kb", required=True, type=ANY_PATH, help="Folder of the knowledge base."
)
@click.option(
    "--model",
    default="all-minilm-l6-v2",
    show_default=True,
    help="Embedder: a name from `groundtune models`, a model folder, or org/name.",
)
@click.option(
    "--delete", is_flag=True, help="Also remove documents that PATHS no longer hold."
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
    as_json: bool,
) -> None:
    """Make a knowledge base, or bring it up to date.

    PATHS are files and folders of txt, Markdown, HTML and PDF. Documents that have not
    changed are skipped. A document that cannot be read is reported, the others are
    taken, and the exit code is 3.
    """
    from groundtune.recipes.ingest import ingest as ingest_recipe

    with ProgressDisplay() as progress:
        report = ingest_recipe(
            paths, kb=kb, model=model, delete=delete, progress=progress
        )
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
    if report.failed:
        ctx.exit(SOME_FAILED)


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
@embedder_option
@json_option
def search(*, query: str, kb: Path, k: int, embedder: str, as_json: bool) -> None:
    """Find the passages that fit a query best."""
    from groundtune.recipes.search import search as search_recipe

    with ProgressDisplay() as progress:
        hits = search_recipe(query, kb=kb, k=k, model=embedder, progress=progress)
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
@click.option(
    "--model",
    default="smollm2-135m-instruct",
    show_default=True,
    help="Generator: a name from `groundtune models`, a model folder, or org/name.",
)
@click.option(
    "-k",
    default=None,
    type=click.IntRange(min=1),
    help="Passages to give to the model.  [default: the knowledge base's own]",
)
@click.option(
    "--runtime",
    default="openvino",
    show_default=True,
    type=click.Choice(["openvino", "transformers"]),
    help="What runs the model.",
)
@embedder_option
@json_option
def ask(
    *,
    question: str,
    kb: Path,
    model: str,
    k: int | None,
    runtime: str,
    embedder: str,
    as_json: bool,
) -> None:
    """Answer a question from a knowledge base, with citations.

    The answer is shown as it is written. Each citation names the document and the
    characters in it that the answer rests on.
    """
    from groundtune.recipes.ask import ask as ask_recipe

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
            runtime=runtime,
            on_text=None if as_json else show,
            progress=progress,
        )
    if as_json:
        print_json(answer_fields(answer))
        return
    if not streamed:
        click.echo(answer.text, nl=False)
    click.echo()
    if answer.abstained:
        click.echo(f"(no answer: {answer.reason})")
    if answer.citations:
        click.echo(citation_lines(answer.citations))
