"""The verb that makes models: tune."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    Seconds,
    embedder_option,
    example,
)
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.cli.retrieval import difference, interval

_FOR_QA = ("train", "dev", "test", "docs", "base", "out")
_FOR_RETRIEVAL = ("cases", "beir")


@click.command(
    epilog=example("groundtune tune qa --train train.jsonl --docs docs/ --out model"),
)
@click.argument("task", type=click.Choice(["qa", "retrieval"]))
@click.option("--train", type=EXISTING, help="qa: labelled cases to learn.")
@click.option(
    "--dev",
    type=EXISTING,
    help="qa: cases for stopping early.  [default: some of --train]",
)
@click.option(
    "--test", type=EXISTING, help="qa: cases to score the model on at the end."
)
@click.option(
    "--docs",
    multiple=True,
    type=EXISTING,
    help="qa: documents to learn to answer from. Repeatable.",
)
@click.option(
    "--kb",
    type=ANY_PATH,
    help="qa: knowledge base to train with, instead of --docs; retrieval: the one "
    "whose embedder is tuned.",
)
@click.option(
    "--cases",
    type=EXISTING,
    help="retrieval: labelled cases on its documents.  [default: questions made from "
    "the documents]",
)
@click.option(
    "--beir", type=EXISTING, help="retrieval: BEIR folder with qrels/train.tsv instead."
)
@click.option(
    "--base",
    default=None,
    help="qa: generator to start from, by name, folder, or org/name.  "
    "[default: smollm2-135m-instruct]",
)
@embedder_option
@click.option("--out", type=ANY_PATH, help="qa: folder for the tuned model.")
@click.option("--seed", default=0, show_default=True, help="Source of all chance.")
@click.option("--budget", type=Seconds(), help="Train no longer than, such as 30m.")
@json_option
def tune(*, task: str, as_json: bool, **options: Any) -> None:  # noqa: ANN401 (click's)
    """Fine-tune a model on labelled cases.

    qa tunes a generator: without --docs or --kb it learns question and answer alone
    (closed book). The folder holds merged weights in the usual layout.

    retrieval tunes the embedder of a knowledge base. A new index is built beside the
    one in service and takes its place only where held-out questions show a gain.

    If the command is stopped, run it again: it goes on where it was.
    """
    work = {"qa": _tune_generator, "retrieval": _tune_embedder}
    fields, lines = work[task](options)
    if as_json:
        print_json(fields)
    else:
        click.echo("\n".join(lines))


def _tune_generator(options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from groundtune.recipes.tune import tune as tune_recipe

    _check_options(options, task="qa", needed=("train", "out"), foreign=_FOR_RETRIEVAL)
    if (kb := options["kb"]) is not None and not kb.exists():
        raise click.BadParameter(f"{kb} does not exist", param_hint="--kb")
    with ProgressDisplay() as progress:
        report = tune_recipe(
            "qa",
            train=options["train"],
            dev=options["dev"],
            test=options["test"],
            docs=options["docs"],
            kb=kb,
            base=options["base"] or "smollm2-135m-instruct",
            embedder=options["embedder"],
            out=options["out"],
            seed=options["seed"],
            budget_seconds=options["budget"],
            progress=progress,
        )
    fields = dataclasses.asdict(report)
    figures = {split: fields[split] for split in ("dev", "test") if fields[split]}
    lines = [
        f"model: {fields['model']}",
        *(f"{name}: {interval(f)}, {f['n']} cases" for name, f in figures.items()),
        f"trained for {fields['seconds']:.0f} s from {fields['base']}",
    ]
    return fields, lines


def _tune_embedder(options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from groundtune.recipes.tune_retrieval import tune_embedder

    _check_options(options, task="retrieval", needed=("kb",), foreign=_FOR_QA)
    if options["cases"] is not None and options["beir"] is not None:
        raise click.UsageError("give --cases or --beir, not both")
    with ProgressDisplay() as progress:
        fields = tune_embedder(
            kb=options["kb"],
            cases=options["cases"],
            beir=options["beir"],
            base=options["embedder"],
            budget_seconds=options["budget"],
            seed=options["seed"],
            progress=progress,
        ).to_json()
    dense = fields["dense"]
    lines = [
        f"trained for {fields['seconds']:.0f} s on {fields['pairs']} pairs "
        f"({fields['questions']}), from {fields['base']}",
        f"before: {fields['measure']} {interval(fields['before'])}",
        f"after:  {fields['measure']} {interval(fields['test'])}",
        f"gain: {difference(fields['gain'])}",
        f"gain of vectors alone: {difference(dense['gain'])}",
    ]
    if fields["switched"]:
        lines += [
            f"now in service, with the embedder {fields['model']}",
            f"the base before is kept in {fields['previous']}",
        ]
    else:
        lines.append("no gain is shown: the knowledge base stays as it was")
    return fields, lines


def _check_options(
    options: dict[str, Any],
    *,
    task: str,
    needed: tuple[str, ...],
    foreign: tuple[str, ...],
) -> None:
    for name in needed:
        if options[name] is None:
            raise click.UsageError(f"tune {task} needs --{name}")
    for name in foreign:
        if options[name]:
            raise click.UsageError(f"tune {task} takes no --{name}")
