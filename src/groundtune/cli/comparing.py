"""Verbs that measure the arms and show what was found: demo, compare, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from groundtune.cli.options import ANY_PATH, EXISTING, TASKS, Arms, Seconds, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.values import Arm
    from groundtune.recipes.report import Summary


@click.command(
    epilog=example("groundtune demo --out demo"),
)
@click.option(
    "--out",
    default="demo",
    show_default=True,
    type=ANY_PATH,
    help="Folder for the run.",
)
@click.option("--seed", default=0, show_default=True, help="Which world is invented.")
@click.option(
    "--thorough",
    is_flag=True,
    help="200 cases, longer training, every edit: half an hour, not ten minutes.",
)
@json_option
def demo(*, out: Path, seed: int, thorough: bool, as_json: bool) -> None:
    """Compare the four arms on a world of invented facts.

    Everything is made on this machine: the documents, the questions, the tuned models
    and the report. It takes some minutes. If it is stopped, run it again: it goes on
    where it was.
    """
    from groundtune.recipes.demo import demo as demo_recipe

    with ProgressDisplay() as progress:
        summary = demo_recipe(
            out=out,
            seed=seed,
            thorough=thorough,
            progress=progress,
            tell=progress.tell,
        )
    _show(summary, page=out / "report.html", as_json=as_json)


@click.command(
    epilog=example(
        "groundtune compare qa --cases dev-v1.1.json --docs dev-v1.1.json --out run"
    ),
)
@click.argument("task", type=TASKS)
@click.option(
    "--cases",
    type=EXISTING,
    help="Labelled cases, to be split by document into train, dev and test.",
)
@click.option("--train", type=EXISTING, help="Cases to learn, instead of --cases.")
@click.option("--dev", type=EXISTING, help="Cases for choosing settings, with --train.")
@click.option("--test", type=EXISTING, help="Cases to measure on, with --train.")
@click.option(
    "--docs",
    multiple=True,
    type=EXISTING,
    help="Documents to answer from: files, folders or SQuAD JSON. Repeatable.",
)
@click.option("--kb", type=EXISTING, help="Knowledge base to answer from, not --docs.")
@click.option(
    "--model",
    default="smollm2-135m-instruct",
    show_default=True,
    help="Generator of all arms: a name, a model folder, org/name, or URL#NAME.",
)
@click.option(
    "--embedder",
    default="all-minilm-l6-v2",
    show_default=True,
    help="Embedder for --docs: a name, a model folder, org/name, or URL#NAME.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many test cases.")
@click.option(
    "--arms",
    default=",".join(ARMS),
    show_default=True,
    type=Arms(),
    help="Which arms to measure.",
)
@click.option("--seed", default=0, show_default=True, help="Source of all chance.")
@click.option(
    "--seeds",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Trainings per tuned arm, each with a seed of its own.",
)
@click.option("--budget", type=Seconds(), help="Train no longer than, such as 30m.")
@click.option("--out", required=True, type=ANY_PATH, help="Folder for the run.")
@json_option
def compare(
    *,
    task: str,
    cases: Path | None,
    train: Path | None,
    dev: Path | None,
    test: Path | None,
    docs: tuple[Path, ...],
    kb: Path | None,
    model: str,
    embedder: str,
    limit: int | None,
    arms: tuple[Arm, ...],
    seed: int,
    seeds: int,
    budget: float | None,
    out: Path,
    as_json: bool,
) -> None:
    """Measure plain, rag, tuned and both on the same cases.

    Cases come as JSON Lines, CSV, Parquet or SQuAD JSON. Give either --cases, or
    --train and --test. Give the documents with --docs or --kb. If the command is
    stopped, run it again: it goes on where it was.
    """
    _check_sources(cases=cases, train=train, dev=dev, test=test, docs=docs, kb=kb)
    from groundtune.recipes.compare import compare as compare_recipe

    with ProgressDisplay() as progress:
        summary = compare_recipe(
            task,
            cases=cases,
            train=train,
            dev=dev,
            test=test,
            docs=docs,
            kb=kb,
            model=model,
            embedder=embedder,
            limit=limit,
            arms=arms,
            seed=seed,
            seeds=seeds,
            budget_seconds=budget,
            out=out,
            progress=progress,
            tell=progress.tell,
        )
    _show(summary, page=out / "report.html", as_json=as_json)


@click.command(
    epilog=example("groundtune report demo"),
)
@click.argument("run", type=EXISTING)
@json_option
def report(*, run: Path, as_json: bool) -> None:
    """Show a run again: a table here, an HTML page in its folder.

    Every figure is computed from the rows of the run.
    """
    from groundtune.recipes.report import report as report_recipe
    from groundtune.recipes.report import write_html

    summary = report_recipe(run)
    _show(summary, page=write_html(run, summary), as_json=as_json)


def _check_sources(
    *,
    cases: Path | None,
    train: Path | None,
    dev: Path | None,
    test: Path | None,
    docs: tuple[Path, ...],
    kb: Path | None,
) -> None:
    """Refuse options that contradict each other before anything is loaded."""
    if cases and (train or dev or test):
        msg = "--cases is split by groundtune: leave --train, --dev and --test out"
        raise click.UsageError(msg)
    if not cases and not (train and test):
        msg = "give --cases, or --train and --test"
        raise click.UsageError(msg)
    if docs and kb:
        msg = "give --docs or --kb, not both"
        raise click.UsageError(msg)
    if not docs and not kb:
        msg = "give the documents with --docs or --kb"
        raise click.UsageError(msg)


def _show(summary: Summary, *, page: Path, as_json: bool) -> None:
    from groundtune.recipes.report import render_terminal

    if as_json:
        print_json(summary.to_json())
    else:
        click.echo(render_terminal(summary))
    click.echo(f"report: {page}", err=True)
