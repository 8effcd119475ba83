"""The verb that makes models: tune."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from groundtune.cli.checking import tune_facts
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
from groundtune.cli.training_labels import (
    FOR_LABELS_ALONE,
    label_options,
    tune_labels,
)
from groundtune.cli.training_texts import tune_texts
from groundtune.config.encoder import STRATEGIES
from groundtune.data.labelled import FORMATS

_TEXT_TASKS = ("translation", "support", "summarization")
_LABEL_TASKS = ("sentiment", "classification", "ner")
_FACTS = "fact_check"
_FOR_QA = ("docs", "right_passage")
_FOR_CASES = ("train", "dev", "test", "base", "out")
_FOR_RETRIEVAL = ("cases", "beir")
_FOR_TEXTS = ("test_share", "limit")
_FOR_LABELS = ("strategy", "format", "changes", *FOR_LABELS_ALONE)
_SHOWN = {"changes": "set", "roles": "role", "accepted": "accept"}
"""Parameters whose options are called otherwise."""


@click.command(
    epilog=example(
        "groundtune tune classification --train train.csv --test test.csv --out model"
    ),
)
@click.argument(
    "task",
    type=click.Choice(["qa", "retrieval", *_LABEL_TASKS, *_TEXT_TASKS, _FACTS]),
)
@click.option("--train", type=EXISTING, help="Labelled cases to learn.")
@click.option(
    "--dev",
    type=EXISTING,
    help="Cases for choosing the best weights.  [default: some of --train]",
)
@click.option(
    "--test", type=EXISTING, help="Cases to score the model on, once, at the end."
)
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=None,
    help="translation, support, summarization: share of --train to score on, instead "
    "of --test.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=None,
    help="translation, support, summarization: score on at most so many cases.  "
    "[default: all]",
)
@click.option(
    "--strategy",
    type=click.Choice(["auto", *STRATEGIES, "likelihood"]),
    default=None,
    help="sentiment, classification, ner: what is trained.  [default: auto, by the "
    "number of cases]  fact_check: head weighs wording, likelihood also asks a "
    "generator how likely a claim is, full trains an encoder.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="All but qa and retrieval: a setting of training, such as epochs=3, "
    "frozen_layers=4 or class_weights=balanced. Repeatable.",
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default=None,
    help="All but qa and retrieval: format of the files.  [default: recognised "
    "by content]",
)
@label_options
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
    "whose embedder is tuned; fact_check: the one that the claims are about.",
)
@click.option(
    "--right-passage",
    "right_passage",
    is_flag=True,
    help="qa with documents: score on --test with the right passage given as well.",
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
    help="Model to start from, by name, folder, or org/name.  [default: "
    "smollm2-135m-instruct for what writes, all-minilm-l6-v2 for labels]",
)
@embedder_option
@click.option("--out", type=ANY_PATH, help="Folder for the tuned model.")
@click.option("--seed", default=0, show_default=True, help="Source of all chance.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many processes train together, one an accelerator where there are any. "
    "Not for retrieval.",
)
@click.option("--budget", type=Seconds(), help="Train no longer than, such as 30m.")
@json_option
def tune(*, task: str, as_json: bool, **options: Any) -> None:  # noqa: ANN401 (click's)
    """Fine-tune a model on labelled cases.

    sentiment, classification and ner tune an encoder with a head. What is trained is
    chosen by the number of cases, unless --strategy says it. The folder opens in
    transformers as it is, and in `groundtune predict`.

    qa tunes a generator: without --docs or --kb it learns question and answer alone
    (closed book). The folder holds merged weights in the usual layout.

    translation, support and summarization tune a generator to write. It is scored
    beside the model as published, with the same instruction (for summaries the way of
    asking that does best on dev cases), and beside the answer of the most similar
    training case, or the first sentences of what is summed up. Files of lines, train.en
    and train.de, are given by the first.

    fact_check trains a verdict model on claims and what --kb holds on them, for
    `groundtune check --model`: on their wording, in seconds; with --strategy
    likelihood also on how likely a generator finds the claim and its opposite after the
    evidence, in minutes; with --strategy full an encoder.

    retrieval tunes the embedder of a knowledge base. A new index is built beside the
    one in service and takes its place only where held-out questions show a gain.

    If the command is stopped, run it again: it goes on where it was.
    """
    if task == "qa":
        fields, lines = _tune_generator(options)
    elif task in _TEXT_TASKS:
        foreign = (*_FOR_QA, *_FOR_RETRIEVAL, "kb", "strategy", *FOR_LABELS_ALONE)
        _check_options(options, task=task, needed=("train", "out"), foreign=foreign)
        fields, lines = tune_texts(task, options)
    elif task == "retrieval":
        fields, lines = _tune_embedder(options)
    elif task == _FACTS:
        _check_fact_options(options)
        fields, lines = tune_facts(options)
    else:
        foreign = (*_FOR_QA, *_FOR_RETRIEVAL, *_FOR_TEXTS, "kb")
        _check_options(options, task=task, needed=("train", "out"), foreign=foreign)
        fields, lines = tune_labels(task, options)
    if as_json:
        print_json(fields)
    else:
        click.echo("\n".join(lines))


def _tune_generator(options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from groundtune.recipes.tune import tune as tune_recipe

    foreign = (*_FOR_RETRIEVAL, *_FOR_LABELS, *_FOR_TEXTS)
    _check_options(options, task="qa", needed=("train", "out"), foreign=foreign)
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
            processes=options["processes"],
            gives_passage=options["right_passage"],
            track=options["track"],
            progress=progress,
            tell=progress.tell,
        )
    fields = dataclasses.asdict(report)
    scored = ("dev", "test", "right_passage")
    figures = {name.replace("_", " "): fields[name] for name in scored if fields[name]}
    lines = [
        f"model: {fields['model']}",
        *(f"{name}: {interval(f)}, {f['n']} cases" for name, f in figures.items()),
        f"trained for {fields['seconds']:.0f} s from {fields['base']}",
    ]
    return fields, lines


def _tune_embedder(options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from groundtune.recipes.tune_retrieval import tune_embedder

    foreign = (*_FOR_QA, *_FOR_CASES, *_FOR_LABELS, *_FOR_TEXTS, "track")
    _check_options(options, task="retrieval", needed=("kb",), foreign=foreign)
    if options["processes"] > 1:
        raise click.UsageError("tune retrieval takes no --processes")
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


def _check_fact_options(options: dict[str, Any]) -> None:
    foreign = (*_FOR_QA, *_FOR_RETRIEVAL, *_FOR_TEXTS, *FOR_LABELS_ALONE)
    _check_options(
        options,
        task=_FACTS,
        needed=("train", "kb", "out"),
        foreign=(*foreign, "format", "budget", "track"),
    )
    if options["processes"] > 1:
        raise click.UsageError(f"tune {_FACTS} takes no --processes")


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
            shown = _SHOWN.get(name, name.replace("_", "-"))
            raise click.UsageError(f"tune {task} takes no --{shown}")
