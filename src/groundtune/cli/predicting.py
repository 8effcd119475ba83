"""The verb that uses a tuned model: predict."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import ANY_PATH, EXISTING, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.cli.training_texts import MEASURES

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=example("groundtune predict model --in new.jsonl --out labelled.jsonl"),
)
@click.argument("model")
@click.option(
    "--in",
    "source",
    type=EXISTING,
    required=True,
    help="Rows to label: JSON Lines, JSON, CSV, TSV or Parquet.",
)
@click.option(
    "--out",
    type=ANY_PATH,
    required=True,
    help="JSON Lines file to write: each row with `prediction` and `scores`.",
)
@click.option(
    "--column",
    default="",
    help="Column that holds the text, or the tokens.  [default: found by its name]",
)
@click.option(
    "--int8",
    "is_int8",
    is_flag=True,
    help="Compute with weights of 8 bits: labels come faster, and what writes takes "
    "half of the memory. What it changes is shown.",
)
@json_option
def predict(
    *, model: str, source: Path, out: Path, column: str, is_int8: bool, as_json: bool
) -> None:
    """Label the rows of a file with a tuned model.

    MODEL is a folder that `groundtune tune` made for sentiment, classification or ner.
    Scores are calibrated probabilities where dev cases were there to fit them on.

    Or it was made for translation, support or summarization: then it writes, and
    `prediction` is what it writes to a row.
    """
    from groundtune.recipes.predict import predict as predict_recipe

    with ProgressDisplay() as progress:
        report = predict_recipe(
            model,
            source=source,
            out=out,
            column=column,
            is_int8=is_int8,
            progress=progress,
        )
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    if not report.labels:
        cut = f", {report.cut} texts cut at the bound" if report.cut else ""
        click.echo(f"{report.rows} rows of {report.column!r}: {report.out}{cut}")
        if report.int8 is not None:
            click.echo("\n".join(_texts_of_8_bits(report.int8)))
        return
    click.echo(f"{report.rows} rows of {report.column!r} labelled: {report.out}")
    for label, count in report.labels.items():
        click.echo(f"  {label}: {count}")
    if report.int8 is not None:
        click.echo(
            f"int8 left {report.int8['same']:.1%} of the labels of "
            f"{report.int8['rows']} rows as they were"
        )


def _texts_of_8_bits(found: dict[str, Any]) -> list[str]:
    """What weights of 8 bits changed in texts, in lines."""
    rows = f"{found['rows']} row{'s' if found['rows'] > 1 else ''}"
    lines = [
        f"int8 left {found['same']:.1%} of the texts of {rows} as they were; "
        f"{found['seconds_a_row']:.3f} s a row, {found['seconds_a_row_without']:.3f} s "
        "without it"
    ]
    if name := found.get("measure"):
        lines.append(
            f"{MEASURES[name]} on them: {found['value']:.1f}, {found['without']:.1f} "
            "without it"
        )
    if gain := found.get("difference"):
        value, low, high = (f"{gain[key]:+.1f}" for key in ("value", "low", "high"))
        lines[-1] += f", difference {value} [{low}, {high}]"
    return lines
