"""The verb `calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import (
    EXISTING,
    embedder_option,
    example,
    generator_option,
    passages_option,
)
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.recipes.calibrate import CalibrateReport


@click.command(
    epilog=example("groundtune calibrate --kb handbook --cases questions.jsonl"),
)
@click.option(
    "--kb", required=True, type=EXISTING, help="Folder of the knowledge base."
)
@click.option(
    "--cases",
    required=True,
    type=EXISTING,
    help="Questions; those without an answer say so: answerable is false.",
)
@click.option(
    "--test",
    default=None,
    type=EXISTING,
    help="Questions to judge on.  [default: half of the documents of --cases]",
)
@generator_option
@passages_option
@click.option(
    "--limit", default=None, type=click.IntRange(min=1), help="Questions on each side."
)
@click.option("--seed", default=0, show_default=True, help="Of the split.")
@embedder_option
@json_option
def calibrate(
    *,
    kb: Path,
    cases: Path,
    test: Path | None,
    model: str,
    k: int | None,
    limit: int | None,
    seed: int,
    embedder: str,
    as_json: bool,
) -> None:
    """Learn from labelled questions when not to answer.

    Half of the questions need an answer that the documents do not hold. From then on
    `ask` with the same generator and the same retrieval says how sure it is, and
    withholds what it is not sure enough of. Use questions that the generator was not
    trained on.
    """
    from groundtune.recipes.calibrate import calibrate as calibrate_recipe

    with ProgressDisplay() as progress:
        report = calibrate_recipe(
            kb=kb,
            cases=cases,
            test=test,
            model=model,
            embedder=embedder,
            k=k,
            limit=limit,
            seed=seed,
            progress=progress,
        )
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(_lines(report)))


def _lines(report: CalibrateReport) -> list[str]:
    figures, at = report.figures, report.at_threshold
    sides = ", ".join(
        f"{count['n']} to {verb} ({count['answerable']} with an answer)"
        for verb, count in zip(
            ("learn from", "judge on"), report.cases.values(), strict=True
        )
    )
    return [
        f"questions: {sides}",
        f"area under the risk-coverage curve: {_shown(figures['aurc'])}, "
        f"{_shown(figures['aurc_gain'], percent=True)} less than never abstaining",
        f"token F1 of all answers {_shown(figures['f1'])}, of the surer half "
        f"{_shown(figures['f1_at_half'])}: "
        f"{_shown(figures['f1_gain_at_half'])} times as much",
        f"AUROC, with an answer against without: {_shown(figures['auroc'])}",
        f"threshold {report.threshold:.2f}: {at['coverage']:.0%} are answered, with "
        f"token F1 {at['f1']:.3f}; treated rightly {at['right']:.3f}, against "
        f"{at['right_always']:.3f} without a threshold",
        f"picture: {report.picture}",
        "`groundtune ask` with this generator now withholds what is below it",
    ]


def _shown(figure: dict[str, Any], *, percent: bool = False) -> str:
    style = ".0%" if percent else ".3f"
    value, low, high = (format(figure[key], style) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
