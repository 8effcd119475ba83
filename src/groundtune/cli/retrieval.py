"""The verb `optimize`, and what `tune retrieval` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundtune.cli.options import ANY_PATH, EXISTING, embedder_option, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@click.command(
    epilog=example("groundtune optimize --kb handbook --cases cases.jsonl"),
)
@click.option(
    "--kb", required=True, type=ANY_PATH, help="Folder of the knowledge base."
)
@click.option("--cases", type=EXISTING, help="Labelled cases on its documents.")
@click.option(
    "--beir",
    type=EXISTING,
    help="BEIR folder instead; the knowledge base is made of it where there is none.",
)
@click.option(
    "--passage-size",
    "sizes",
    multiple=True,
    type=click.IntRange(min=8),
    help="Also try passages of so many tokens. Repeatable.",
)
@click.option("--rerank", default="", help="Also try this cross-encoder: a folder.")
@click.option(
    "--trials",
    default=60,
    show_default=True,
    type=click.IntRange(min=1),
    help="Settings to try.",
)
@click.option(
    "--limit",
    default=300,
    show_default=True,
    type=click.IntRange(min=20),
    help="Most dev queries to choose on.",
)
@click.option("--seed", default=0, show_default=True, help="Source of all chance.")
@embedder_option
@json_option
def optimize(
    *,
    kb: Path,
    cases: Path | None,
    beir: Path | None,
    sizes: tuple[int, ...],
    rerank: str,
    trials: int,
    limit: int,
    seed: int,
    embedder: str,
    as_json: bool,
) -> None:
    """Choose the retrieval settings that do best on labelled questions.

    They are chosen on dev questions and reported once on test questions, against the
    settings before and against BM25 and vectors alone. search, ask and compare use
    them from then on. A query adapter, a learned step on the vectors of questions, is
    taken where questions that it has not seen are answered better with it.

    If the command is stopped, run it again: it goes on where it was.
    """
    from groundtune.recipes.optimize import optimize as optimize_recipe

    if (cases is None) == (beir is None):
        raise click.UsageError("give --cases or --beir, one of them")
    with ProgressDisplay() as progress:
        report = optimize_recipe(
            kb=kb,
            cases=cases,
            beir=beir,
            embedder=embedder,
            sizes=sizes,
            rerank=rerank,
            trials=trials,
            limit=limit,
            seed=seed,
            progress=progress,
        ).to_json()
    if as_json:
        print_json(report)
        return
    settings = ", ".join(f"{k} {v}" for k, v in report["settings"].items())
    click.echo(f"chosen of {report['tried']}: {settings}")
    for side in ("dev", "test"):
        for name, figure in report[side].items():
            click.echo(f"{side} {report['measure']} {name:<8} {interval(figure)}")
        best = report["best_single"]
        click.echo(f"{side} over {best}: {difference(report['gain'][side])}")
        over = difference(report["over_default"][side])
        click.echo(f"{side} over the settings before: {over}")
    adapter = report["query_adapter"]
    if adapter["gain"] is not None:
        click.echo(
            f"query adapter, learned from {adapter['queries']} questions, "
            f"{'taken' if adapter['taken'] else 'left out'}: "
            f"dev {difference(adapter['gain'])}"
        )
    click.echo(f"quality against latency: {report['picture']}")


def interval(figure: Mapping[str, Any]) -> str:
    """A figure as people read it, such as `0.731 [0.690, 0.771]`."""
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def difference(found: Mapping[str, Any]) -> str:
    """A paired difference with its interval and p-value."""
    figure = found["difference"]
    return (
        f"{figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}], "
        f"p {found['p']:.3f}, {figure['n']} queries"
    )
