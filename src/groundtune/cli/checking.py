"""The verb check, and what `tune` tells for fact-checking."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import ANY_PATH, changes_of, embedder_option, example
from groundtune.cli.output import (
    answer_fields,
    citation_lines,
    json_option,
    print_json,
)
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundtune.systems.fact_checker import Checked


@click.command(
    epilog=example('groundtune check --kb handbook "The office is closed on Sundays."')
)
@click.argument("claim")
@click.option(
    "--kb", required=True, type=ANY_PATH, help="Folder of the knowledge base."
)
@click.option(
    "--model",
    default=None,
    metavar="MODEL",
    help="A verdict model that `tune fact_check` made, or a generator to ask.  "
    "[default: none, a rule on wording]",
)
@click.option(
    "-k",
    default=None,
    type=click.IntRange(min=1),
    help="Passages to read.  [default: 10]",
)
@click.option(
    "--where", default="", help='Only these documents, such as: document like "hr/*".'
)
@embedder_option
@json_option
def check(
    *,
    claim: str,
    kb: Path,
    model: str | None,
    k: int | None,
    where: str,
    embedder: str,
    as_json: bool,
) -> None:
    """Say whether the documents support or refute a claim.

    The verdict is SUPPORTED, REFUTED or NOT_ENOUGH_INFO. Below it stand the sentences
    that decide it, and where they are.

    Without --model a rule compares the wording of the claim with the sentence most
    like it. It needs no training and is often wrong: `tune fact_check` trains a model
    on your own claims, and `evaluate fact_check` measures both.
    """
    from groundtune.recipes.check import check as check_recipe

    with ProgressDisplay() as progress:
        checked = check_recipe(
            claim,
            kb=kb,
            model=model,
            embedder=embedder,
            k=k,
            where=where,
            progress=progress,
        )
    if as_json:
        print_json(checked_fields(checked))
    else:
        click.echo("\n".join(checked_lines(checked)))


def checked_fields(checked: Checked) -> dict[str, Any]:
    """The fields that `check --json` prints: those of `ask`, label and scores."""
    return {
        **answer_fields(checked.answer),
        "label": checked.label,
        "scores": dict(checked.scores),
    }


def checked_lines(checked: Checked) -> list[str]:
    """A verdict as a person reads it."""
    scores = ", ".join(f"{name} {share:.2f}" for name, share in checked.scores.items())
    lines = [f"{checked.label}  ({scores})", f"by: {checked.answer.check}"]
    if checked.answer.citations:
        lines.append(citation_lines(checked.answer))
    elif checked.answer.reason:
        lines.append(checked.answer.reason)
    return lines


def tune_facts(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Run `tune fact_check`; its report as plain values, and as lines for a person."""
    from groundtune.recipes.tune_fact_check import tune_verdict_model

    with ProgressDisplay() as progress:
        report = tune_verdict_model(
            train=options["train"],
            dev=options["dev"],
            test=options["test"],
            kb=options["kb"],
            out=options["out"],
            base=options["base"],
            embedder=options["embedder"],
            strategy=options["strategy"] or "auto",
            seed=options["seed"],
            changes=changes_of(options["changes"]),
            progress=progress,
            tell=progress.tell,
        )
    fields = dataclasses.asdict(report)
    lines = [f"model: {fields['model']}"]
    for side, measures in fields["measures"].items():
        lines += [f"{side} {line}" for line in measure_lines(measures)]
    lines.append(
        f"trained for {fields['seconds']:.0f} s from {fields['base']} on "
        f"{fields['lessons']:,} lessons"
    )
    return fields, lines


def measure_lines(measures: Mapping[str, Any]) -> list[str]:
    """The measures of one side or arm, a line each; F1 by label on one line."""
    lines: list[str] = []
    by_label: list[str] = []
    for name, value in measures.items():
        if name.startswith("f1 "):
            by_label.append(f"{name.removeprefix('f1 ')} {value['value']:.3f}")
        elif isinstance(value, float):
            lines.append(f"{name}: {value:.3f}")
        elif value is not None:
            lines.append(f"{name}: {figure(value)}")
    if by_label:
        lines.append(f"f1: {', '.join(by_label)}")
    return lines


def figure(found: Mapping[str, Any]) -> str:
    """A figure with its interval and the cases it rests on."""
    return (
        f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}], "
        f"{found['n']} claims"
    )
