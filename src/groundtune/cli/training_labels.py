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

FOR_LABELS_ALONE = ("search", "folds", "repeats", "roles", "accepted")
"""Options that no other task takes, by their parameters' names."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")


def label_options(command: _Command) -> _Command:
    """Give `tune` the options that only tasks with labels take, and --track."""
    options = [
        click.option(
            "--search",
            type=click.IntRange(min=1),
            metavar="N",
            help="sentiment, classification, ner: try N settings on cases held out of "
            "--train, and train with the best.",
        ),
        click.option(
            "--folds",
            type=click.IntRange(2, 20),
            metavar="K",
            help="sentiment, classification, ner: cross-validate on --train in K "
            "parts, then train on all of it. For sets too small for test cases.",
        ),
        click.option(
            "--repeats",
            type=click.IntRange(min=1),
            metavar="R",
            help="With --folds: cut the folds R times, and report the mean.  "
            "[default: 1]",
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
            help="All but retrieval and fact_check: also hand losses, learning rate, "
            "speed and scores to this tracker, which must be installed.",
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
            folds=options["folds"] or 0,
            repeats=options["repeats"] or 1,
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
        *_fold_lines(fields["cross_validation"]),
        *(f"{name}: {interval(f)}, {f['n']} cases" for name, f in figures.items()),
        f"trained for {fields['seconds']:.0f} s from {fields['base']}",
    ]
    if (budget := fields["budget"]) is not None:
        lines.append(
            f"budget: {budget['seconds']:.0f} s, so {budget['epochs']:.3g} epochs"
        )
    return fields, lines


def _fold_lines(found: Mapping[str, Any] | None) -> list[str]:
    """The figure over all cases, that of each fold, and the baselines."""
    if found is None:
        return []
    folds, repeats = found["folds"], found["repeats"]
    mean = f", mean of {repeats} draws" if repeats > 1 else ""
    lines = [
        f"cross-validated: {interval(found['figure'])}, {found['cases']} cases in "
        f"{folds} folds{mean}"
    ]
    for draw in range(1, repeats + 1):
        mark = f" of draw {draw}" if repeats > 1 else ""
        parts = [p["value"] for p in found["parts"] if p["draw"] == draw]
        lines.append(f"  folds{mark}: {', '.join(f'{each:.3f}' for each in parts)}")
    if (macro := found["measures"].get("macro_f1")) is not None:
        lines.append(f"  macro F1: {interval(macro)}")
    lines += [
        f"  {name}: {interval(figure)}" for name, figure in found["baselines"].items()
    ]
    return lines


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
