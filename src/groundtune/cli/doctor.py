"""The verb that looks before anything is trained: doctor."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from groundtune.cli.options import (
    ANY_PATH,
    EXISTING,
    example,
    role_option,
    role_pairs,
)
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay
from groundtune.core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.data.examination.diagnosis import Diagnosis
    from groundtune.recipes.machine import Machine

_SHOWN_SPOTS = 5


@click.command(epilog=example("groundtune doctor train.csv --test test.csv"))
@click.argument("file", required=False, type=ANY_PATH)
@click.option(
    "--task",
    type=click.Choice(
        [
            "sentiment",
            "classification",
            "ner",
            "translation",
            "support",
            "summarization",
            "qa",
        ]
    ),
    help="What the file is for.  [default: what it can be read as]",
)
@click.option("--test", type=EXISTING, help="Also look for what this file shares.")
@click.option(
    "--base",
    help="Model whose tokenizer measures the rows, and whose template is tried.",
)
@click.option("--format", "kind", help="Format of FILE.  [default: recognised]")
@role_option("Which")
@click.option("--all", "shows_all", is_flag=True, help="Show every row, not five.")
@json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    *,
    file: Path | None,
    task: str | None,
    test: Path | None,
    base: str | None,
    kind: str | None,
    roles: tuple[str, ...],
    shows_all: bool,
    as_json: bool,
) -> None:
    """Examine a labelled file before training, or this machine.

    FILE is JSON Lines, JSON, CSV, TSV, Parquet, a folder of save_to_disk, CoNLL
    columns, lines of label and text, or one of two aligned files of lines. Each finding
    names file, line and column, and how to mend it. An error makes training fail or its
    figure wrong, and the exit code is 3; a warning is most likely a mistake; a note is
    a fact to know. Nothing is changed.

    Without FILE: cores, memory, instruction sets, extras, disk and models.
    """
    if file is None:
        if task or test or base or kind or roles:
            raise click.UsageError("these options need FILE")
        from groundtune.recipes.machine import describe_machine

        machine = describe_machine()
        if as_json:
            print_json(dataclasses.asdict(machine))
        else:
            click.echo("\n".join(_machine_lines(machine)))
        return
    from groundtune.recipes.doctor import doctor as doctor_recipe

    with ProgressDisplay() as progress:
        found = doctor_recipe(
            file,
            task=task,
            test=test,
            base=base,
            format=kind,
            roles=role_pairs(roles),
            progress=progress,
        )
    if as_json:
        print_json(found.to_json())
    else:
        as_read = ", ".join(f"{role}={column}" for role, column in found.roles.items())
        click.echo(
            f"{found.file}: {found.rows} rows for {found.task}"
            f"{f', {found.format}' if found.format else ''}, {as_read}"
        )
        for finding in found.findings:
            click.echo("\n".join(_lines(finding, shows_all=shows_all)))
        click.echo(
            f"{found.count('error')} errors, {found.count('warning')} warnings, "
            f"{found.count('note')} notes"
        )
    if found.count("error"):
        ctx.exit(DataError.exit_code)


def _lines(finding: Diagnosis, *, shows_all: bool) -> list[str]:
    lines = [f"{finding.severity}: {finding.message}  [{finding.kind}]"]
    shown = finding.spots if shows_all else finding.spots[:_SHOWN_SPOTS]
    for where, column, detail in shown:
        lines.append("  " + "  ".join(part for part in (where, column, detail) if part))
    if more := len(finding.spots) - len(shown):
        lines.append(f"  and {more} more: --all")
    if finding.fix:
        lines.append(f"  fix: {finding.fix}")
    return lines


def _machine_lines(machine: Machine) -> list[str]:
    computed = ", ".join(machine.instructions) or "not known"
    lines = [
        f"python {machine.python} on {machine.system}",
        f"processor: {machine.processor or 'not known'}, {machine.cores} cores to use",
        f"instructions: {computed}; bf16 {'yes' if machine.bf16 else 'no'}",
        f"memory: {machine.memory_gb or 'not known'} GB to use",
        f"GPU: {', '.join(machine.gpus) or 'none'}",
        f"disk: {machine.disk_free_gb} GB free at {machine.cache}",
    ]
    for extra, packages in machine.extras.items():
        state = ", ".join(
            f"{name} {found}" if found else f"{name} not installed"
            for name, found in packages.items()
        )
        lines.append(f"{extra}: {state}")
    lines.append(f"models here: {', '.join(machine.models) or 'none'}")
    return lines
