"""The verb that makes models: tune."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    TASKS,
    Seconds,
    embedder_option,
    example,
)
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=example("groundtune tune qa --train train.jsonl --docs docs/ --out model"),
)
@click.argument("task", type=TASKS)
@click.option("--train", required=True, type=EXISTING, help="Labelled cases to learn.")
@click.option(
    "--dev", type=EXISTING, help="Cases for stopping early.  [default: some of --train]"
)
@click.option("--test", type=EXISTING, help="Cases to score the model on at the end.")
@click.option(
    "--docs",
    multiple=True,
    type=EXISTING,
    help="Documents to train with: the model learns to answer from them. Repeatable.",
)
@click.option(
    "--kb", type=EXISTING, help="Knowledge base to train with, instead of --docs."
)
@click.option(
    "--base",
    default="smollm2-135m-instruct",
    show_default=True,
    help="Generator to start from: a name, a model folder, or org/name.",
)
@embedder_option
@click.option("--out", required=True, type=ANY_PATH, help="Folder for the tuned model.")
@click.option("--seed", default=0, show_default=True, help="Source of all chance.")
@click.option("--budget", type=Seconds(), help="Train no longer than, such as 30m.")
@json_option
def tune(
    *,
    task: str,
    train: Path,
    dev: Path | None,
    test: Path | None,
    docs: tuple[Path, ...],
    kb: Path | None,
    base: str,
    embedder: str,
    out: Path,
    seed: int,
    budget: float | None,
    as_json: bool,
) -> None:
    """Fine-tune a model on labelled cases.

    Without --docs or --kb the model learns question and answer alone (closed book).
    The folder holds merged weights in the usual layout. If the command is stopped,
    run it again: it goes on where it was.
    """
    from groundtune.recipes.tune import tune as tune_recipe

    with ProgressDisplay() as progress:
        report = tune_recipe(
            task,
            train=train,
            dev=dev,
            test=test,
            docs=docs,
            kb=kb,
            base=base,
            embedder=embedder,
            out=out,
            seed=seed,
            budget_seconds=budget,
            progress=progress,
        )
    fields = dataclasses.asdict(report)
    if as_json:
        print_json(fields)
        return
    click.echo(f"model: {fields['model']}")
    for split in ("dev", "test"):
        if figure := fields[split]:
            click.echo(
                f"{split}: {figure['value']:.3f} "
                f"[{figure['low']:.3f}, {figure['high']:.3f}], {figure['n']} cases"
            )
    click.echo(f"trained for {fields['seconds']:.0f} s from {fields['base']}")
