"""What `tune` takes and tells for tasks with labels: sentiment, classification, ner."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import click

from groundtune.cli.options import changes_of, role_option, role_pairs
from groundtune.cli.progress import ProgressDisplay
from groundtune.cli.retrieval import interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOR_LABELS_ALONE = ("search", "roles", "accepted", "track")
"""Options that no other task takes, by their parameters' names."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")


def label_options(command: _Command) -> _Command:
    """Give `tune` the options that only tasks with labels take."""
    options = [
        click.option(
            "--search",
            type=click.IntRange(min=1),
            metavar="N",
            help="sentiment, classification, ner: try N settings on cases held out of "
            "--train, and train with the best.",
        ),
        role_option("sentiment, classification, ner: which"),
        click.option(
            "--accept",
            "accepted",
            multiple=True,
            metavar="KIND",
            help="sentiment, classification, ner: train although `doctor` finds this "
            "error, such as unseen_labels. Repeatable.",
        ),
        click.option(
            "--track",
            type=click.Choice(["tensorboard", "mlflow", "trackio"]),
            default=None,
            help="sentiment, classification, ner: also hand losses and scores to this "
            "tracker, which must be installed.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def tune_labels(
    task: str, options: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Run the recipe; its report as plain values, and as lines for a person."""
    from groundtune.recipes.tune_labels import tune_encoder

    with ProgressDisplay() as progress:
        report = tune_encoder(
            task,
            train=options["train"],
            dev=options["dev"],
            test=options["test"],
            base=options["base"] or "all-minilm-l6-v2",
            strategy=options["strategy"] or "auto",
            format=options["format"],
            roles=role_pairs(options["roles"]),
            changes=changes_of(options["changes"]),
            accepted=options["accepted"],
            search=options["search"] or 0,
            budget_seconds=options["budget"],
            out=options["out"],
            seed=options["seed"],
            processes=options["processes"],
            track=options["track"],
            progress=progress,
            tell=progress.tell,
        )
    fields = dataclasses.asdict(report)
    figures = {split: fields[split] for split in ("dev", "test") if fields[split]}
    lines = [f"model: {fields['model']}"]
    if fields["search"]:
        lines += _trial_lines(fields["search"])
    lines += [
        f"strategy: {fields['strategy']}, {fields['why']}",
        *(f"{name}: {interval(f)}, {f['n']} cases" for name, f in figures.items()),
        f"trained for {fields['seconds']:.0f} s from {fields['base']}",
    ]
    if (budget := fields["budget"]) is not None:
        lines.append(
            f"budget: {budget['seconds']:.0f} s, so {budget['epochs']:.3g} epochs"
        )
    return fields, lines


def _trial_lines(search: Mapping[str, Any]) -> list[str]:
    """A line a trial."""
    lines = [f"tried on {search['chosen_on']}:"]
    for trial in search["trials"]:
        varied = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in trial["settings"].items()
        )
        mark = "*" if trial["number"] == search["chosen"] else " "
        score = f"{trial['score']:.3f}" if trial["is_whole"] else "given up"
        lines.append(
            f"{mark} {trial['number']:2d}  {score:8}  {trial['strategy']}"
            f"{f', {varied}' if varied else ''}"
        )
    return lines
