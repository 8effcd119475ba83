"""The verb that hands a tuned model to other programs: export."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import ANY_PATH, EXISTING, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path

_TARGETS = ("merged", "adapter", "onnx", "openvino", "gguf")
_PRECISIONS = ("as-trained", "float32", "float16", "bfloat16")


@click.command(
    epilog=example("groundtune export model --to openvino --out model-openvino --int8"),
)
@click.argument("model")
@click.option(
    "--to",
    type=click.Choice(_TARGETS),
    required=True,
    help="For transformers (merged), peft (adapter), or the program of that name; "
    "gguf is for llama.cpp.",
)
@click.option(
    "--out",
    type=ANY_PATH,
    required=True,
    help="Folder to make; an export that stands there is replaced.",
)
@click.option(
    "--int8",
    "is_int8",
    is_flag=True,
    help="Keep weights in 8 bits: smaller, and what it changes is shown. For onnx, "
    "openvino and gguf.",
)
@click.option(
    "--dtype",
    "precision",
    type=click.Choice(_PRECISIONS),
    default="as-trained",
    show_default=True,
    help="Precision of the weights of merged.",
)
@click.option(
    "--check",
    type=EXISTING,
    help="Rows to try the export on.  [default: held-out rows of the training]",
)
@click.option(
    "--column",
    default="",
    help="Column of --check that holds the text, tokens or prompt.  [default: found "
    "by its name]",
)
@click.option(
    "--base",
    default="",
    help="What an adapter stands on.  [default: where it was when it was trained]",
)
@json_option
def export(*, as_json: bool, model: str, out: Path, **options: Any) -> None:  # noqa: ANN401 (click's)
    """Write a tuned model for other programs, and check it there.

    MODEL is a folder that `groundtune tune` made. What is written is opened again by
    the program that it is for and compared on held-out rows; if it answers otherwise
    than the trained model, there is no export.
    """
    from groundtune.recipes.export import export as export_recipe

    with ProgressDisplay() as progress:
        report = export_recipe(model, out=out, progress=progress, **options)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    size = sum(report.files.values()) / 1e6
    click.echo(f"{report.model} to {report.to}: {report.out}, {size:.0f} MB")
    click.echo(f"opened by {report.checked_in}, on {_described(report.figures)}")
    for line in _lines(report.figures):
        click.echo(f"  {line}")


def _described(figures: dict[str, float | int | None]) -> str:
    if "prompts" in figures:
        return f"{figures['prompts']} held-out prompts, {figures['tokens']} next tokens"
    return f"{figures['rows']} held-out rows, {figures['labels']} labels"


def _lines(figures: dict[str, float | int | None]) -> list[str]:
    """Shares and differences, a line each."""
    lines: list[str] = []
    for name, value in figures.items():
        if not isinstance(value, float):
            continue
        words = name.replace("_", " ")
        is_share = name.startswith(("same", "right"))
        lines.append(f"{words}: {value:.1%}" if is_share else f"{words}: {value:.2g}")
    return lines
