"""Verbs that keep a knowledge base: kb status, verify, rebuild, backup and so on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from groundtune.cli.options import ANY_PATH, EXISTING, example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.retrieve.snapshot import Snapshot

DAMAGED = 8
"""Exit code of `kb verify` when something is damaged: that of StoreError."""


@click.group(epilog=example("groundtune kb verify handbook"))
def kb() -> None:
    """Look after a knowledge base: verify, rebuild, back up, restore.

    Readers go on while any of these runs. A verb that is stopped leaves the knowledge
    base as it was.
    """


@kb.command(epilog=example("groundtune kb status handbook"))
@click.argument("path", metavar="KB", type=EXISTING)
@json_option
def status(*, path: Path, as_json: bool) -> None:
    """Show what it holds, what made it, and which documents failed."""
    from groundtune.recipes.kb import status as status_recipe

    found = status_recipe(path)
    if as_json:
        print_json(
            {
                "documents": found.documents,
                "passages": found.passages,
                "version": found.version,
                "bytes": found.bytes,
                "made_with": dataclasses.asdict(found.made_with),
                "states": found.states,
                "failed": [
                    {"document": s.document, "reason": s.reason} for s in found.failed
                ],
            }
        )
        return
    click.echo(
        f"{found.documents} documents, {found.passages} passages, "
        f"version {found.version}, {_megabytes(found.bytes)}"
    )
    click.echo(
        f"embedder {found.made_with.embedder}, "
        f"passages of {found.made_with.splitter.target} tokens"
    )
    click.echo(", ".join(f"{n} {state}" for state, n in sorted(found.states.items())))
    for state in found.failed:
        click.echo(f"not read: {state.document}: {state.reason}")


@kb.command(epilog=example("groundtune kb verify handbook"))
@click.argument("path", metavar="KB", type=EXISTING)
@json_option
@click.pass_context
def verify(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """Compare every file, passage, text and index with what was written.

    What is damaged is named with the command that mends it, and the exit code is 8.
    Nothing is changed.
    """
    from groundtune.recipes.kb import verify as verify_recipe

    with ProgressDisplay() as progress:
        report = verify_recipe(path, progress=progress)
    if as_json:
        fields = dataclasses.asdict(report)
        fields["damage"] = [damage._asdict() for damage in report.damage]
        print_json({"whole": report.is_whole, **fields})
    else:
        for damage in report.damage:
            click.echo(f"{damage.where}: {damage.what}\n  fix: {damage.fix}")
        for note in report.notes:
            click.echo(f"note: {note}")
        verdict = "whole" if report.is_whole else f"{len(report.damage)} damaged"
        click.echo(
            f"{verdict}: {report.documents} documents, {report.passages} passages, "
            f"{report.files} files, {_megabytes(report.bytes)}"
        )
    if not report.is_whole:
        ctx.exit(DAMAGED)


@kb.command(epilog=example("groundtune kb rebuild handbook --target 120"))
@click.argument("path", metavar="KB", type=EXISTING)
@click.option(
    "--embedder", help="Embedder from now on.  [default: the one that made it]"
)
@click.option(
    "--target",
    type=click.IntRange(min=1),
    help="Tokens of a passage from now on.  [default: as before]",
)
@click.option(
    "--maximum",
    type=click.IntRange(min=8),
    help="Most tokens of a passage from now on.  [default: as before]",
)
@json_option
def rebuild(
    *,
    path: Path,
    embedder: str | None,
    target: int | None,
    maximum: int | None,
    as_json: bool,
) -> None:
    """Make its tables anew from the stored documents.

    The old tables stay in service until the new ones are complete. This also mends
    damaged tables and takes on what an older groundtune made.
    """
    from groundtune.recipes.kb import rebuild as rebuild_recipe

    with ProgressDisplay() as progress:
        report = rebuild_recipe(
            path, model=embedder, target=target, maximum=maximum, progress=progress
        )
    if as_json:
        print_json(
            {
                "documents": report.documents,
                "passages": report.passages,
                "before": dataclasses.asdict(report.before),
                "after": dataclasses.asdict(report.after),
            }
        )
    else:
        click.echo(f"{report.documents} documents, {report.passages} passages")


@kb.command(epilog=example("groundtune kb backup handbook copies/monday"))
@click.argument("path", metavar="KB", type=EXISTING)
@click.argument("to", type=ANY_PATH)
@json_option
def backup(*, path: Path, to: Path, as_json: bool) -> None:
    """Copy it as it is now to a new folder.

    Writers need not stop. Every file is compared with its hash. The copy is a knowledge
    base that can be searched.
    """
    from groundtune.recipes.kb import backup as backup_recipe

    with ProgressDisplay() as progress:
        made = backup_recipe(path, to, progress=progress)
    _show(made, as_json=as_json)


@kb.command(epilog=example("groundtune kb restore copies/monday handbook"))
@click.argument("source", metavar="FROM", type=EXISTING)
@click.argument("path", metavar="KB", type=ANY_PATH)
@click.option("--yes", is_flag=True, help="Put back a knowledge base that is there.")
@json_option
def restore(*, source: Path, path: Path, yes: bool, as_json: bool) -> None:
    """Make it, or put it back, from a backup or a tag.

    Every file is compared with its hash first. Where a knowledge base is there, it
    stays in service until the last step.
    """
    from groundtune.recipes.kb import restore as restore_recipe

    with ProgressDisplay() as progress:
        made = restore_recipe(source, path, replace_base=yes, progress=progress)
    _show(made, as_json=as_json)


@kb.command(epilog=example("groundtune kb tag handbook before-the-move"))
@click.argument("path", metavar="KB", type=EXISTING)
@click.argument("name")
@click.option("--remove", is_flag=True, help="Let the tag go instead.")
@json_option
def tag(*, path: Path, name: str, remove: bool, as_json: bool) -> None:
    """Keep the version of now under a name.

    It stands in KB/tags/NAME and can be searched and restored. No clean-up and no
    rebuild takes it away, and what is shared with later versions takes no space.
    """
    from groundtune.recipes.kb import tag as tag_recipe
    from groundtune.recipes.kb import untag as untag_recipe

    if remove:
        untag_recipe(path, name)
        if as_json:
            print_json({"removed": name})
        return
    _show(tag_recipe(path, name), as_json=as_json)


@kb.command(epilog=example("groundtune kb tags handbook"))
@click.argument("path", metavar="KB", type=EXISTING)
@json_option
def tags(*, path: Path, as_json: bool) -> None:
    """List the versions that are kept."""
    from groundtune.recipes.kb import tags as tags_recipe

    found = tags_recipe(path)
    if as_json:
        print_json({"tags": {name: made._asdict() for name, made in found.items()}})
        return
    for name, made in found.items():
        click.echo(f"{name}: version {made.version}, {made.documents} documents")


@kb.command(epilog=example("groundtune kb maintain handbook"))
@click.argument("path", metavar="KB", type=EXISTING)
@json_option
def maintain(*, path: Path, as_json: bool) -> None:
    """Join small files, refresh indices, delete old versions.

    Then the indices are asked for what a comparison of everything finds. After an
    ingest this runs by itself where it is due.
    """
    from groundtune.recipes.kb import maintain as maintain_recipe

    with ProgressDisplay() as progress:
        report = maintain_recipe(path, progress=progress)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    pairs = {"versions": report.versions, "files": report.fragments}
    told = [f"{name} {a} to {b}" for name, (a, b) in pairs.items()]
    sizes = " to ".join(_megabytes(size) for size in report.bytes)
    click.echo(f"{', '.join(told)}, {sizes}")


def _show(made: Snapshot, *, as_json: bool) -> None:
    if as_json:
        print_json(made._asdict())
    else:
        click.echo(
            f"{made.path}: version {made.version}, {made.documents} documents, "
            f"{made.passages} passages, {_megabytes(made.bytes)}"
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
