"""Verbs that measure the arms and show what was found: demo, compare, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    OVER_DOCUMENTS,
    TASKS,
    Arms,
    Seconds,
    changes_of,
    example,
    role_option,
    role_pairs,
)
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.cli.weights import own_file, together, weight_options
from groundtune.config.protocol import ProtocolSettings
from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from pathlib import Path

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
    help="Which arms to measure; or RUN:SYSTEM,RUN:SYSTEM of two finished runs.",
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
@click.option(
    "--format",
    help="Tasks with labels: format of the files.  [default: recognised by content]",
)
@role_option("Tasks with labels: which")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Tasks with labels: a setting of training, such as epochs=2. Repeatable.",
)
@click.option(
    "--learning-curve",
    is_flag=True,
    help="Train tuned on parts of its cases too, and say what more would bring.",
)
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="KIND",
    help="Tasks with labels: go on although `doctor` finds this error. Repeatable.",
)
@weight_options
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
    arms: str,
    seed: int,
    seeds: int,
    budget: float | None,
    format: str | None,  # noqa: A002 (the option's name)
    roles: tuple[str, ...],
    changes: tuple[str, ...],
    learning_curve: bool,
    accepted: tuple[str, ...],
    weights: dict[str, Any],
    weights_file: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Measure plain, rag, tuned and both on the same cases.

    Give either --cases, or --train and --test. For qa, dialogue and
    fact_check give the documents as well, with --docs or --kb; for the other tasks the
    labelled cases are the evidence. If the command is stopped, run it again: it goes on
    where it was.

    With --arms old:rag,new:rag two systems of finished runs are held together: two
    models, prompts or retrieval settings, measured on the same test cases.
    """
    if ":" in arms:
        _compare_runs(task, arms, out=out, as_json=as_json)
        return
    measured = Arms().convert(arms, None, click.get_current_context())
    _check_sources(cases=cases, train=train, dev=dev, test=test, docs=docs, kb=kb)
    if task in OVER_DOCUMENTS and not docs and not kb:
        msg = "give the documents with --docs or --kb"
        raise click.UsageError(msg)
    own = together(own_file(weights_file), weights)
    protocol = ProtocolSettings.from_mapping(own) if own else None
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
            arms=measured,
            seed=seed,
            seeds=seeds,
            budget_seconds=budget,
            format=format,
            roles=role_pairs(roles),
            changes=changes_of(changes),
            accepted=accepted,
            learning_curve=learning_curve,
            protocol=protocol,
            out=out,
            progress=progress,
            tell=progress.tell,
        )
    _show(summary, page=out / "report.html", as_json=as_json)


@click.command(
    epilog=example("groundtune report demo"),
)
@click.argument("run", type=EXISTING)
@weight_options
@click.option(
    "--parquet", type=ANY_PATH, metavar="FILE", help="Also write the rows as Parquet."
)
@json_option
def report(
    *,
    run: Path,
    weights: dict[str, Any],
    weights_file: Path | None,
    parquet: Path | None,
    as_json: bool,
) -> None:
    """Show a run again: a table here, an HTML page in its folder.

    Every figure is computed from the rows of the run. Beside report.html stands
    report.md. With other weights the same rows are judged anew, and the page says so;
    what the run was registered with stays in it.
    """
    from groundtune.recipes.report import report as report_recipe
    from groundtune.recipes.report import write_html, write_markdown, write_parquet

    summary = report_recipe(run, weights=together(weights_file, weights))
    page = write_html(run, summary)
    write_markdown(run, summary)
    if parquet is not None:
        click.echo(f"rows: {write_parquet(run, parquet)}", err=True)
    _show(summary, page=page, as_json=as_json)


def _compare_runs(task: str, arms: str, *, out: Path, as_json: bool) -> None:
    """Two systems of finished runs."""
    from groundtune.recipes.comparison.pairs import compare_runs, read_pair

    systems = read_pair(arms)
    assert systems is not None, "there is a colon in it"
    pair = compare_runs(task, systems, out=out)
    if as_json:
        print_json(pair.to_json())
        return
    for name, figures in pair.figures.items():
        score = figures.score
        click.echo(f"{name:<32} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]")
    click.echo(f"\n{pair.told}")


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


def _show(summary: Summary, *, page: Path, as_json: bool) -> None:
    from groundtune.recipes.report import render_terminal

    if as_json:
        print_json(summary.to_json())
    else:
        click.echo(render_terminal(summary))
    click.echo(f"report: {page}", err=True)
