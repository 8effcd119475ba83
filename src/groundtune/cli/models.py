"""The verb on models: models, and models pull."""

from __future__ import annotations

import dataclasses

import click

from groundtune.cli.options import example
from groundtune.cli.output import json_option, print_json
from groundtune.cli.progress import ProgressDisplay


@click.group(epilog=example("groundtune models"), invoke_without_command=True)
@json_option
@click.pass_context
def models(ctx: click.Context, *, as_json: bool) -> None:
    """List the models known by name, or fetch one.

    Shown are the licence of the weights, the size of the download, and whether the
    model is on this machine already.
    """
    if ctx.invoked_subcommand is not None:
        return
    from groundtune.recipes.models import models as models_recipe

    entries = models_recipe()
    if as_json:
        print_json({"models": [dataclasses.asdict(entry) for entry in entries]})
        return
    for entry in entries:
        state = "here" if entry.cached else f"{entry.megabytes:.0f} MB to fetch"
        click.echo(
            f"{entry.name}  ({entry.kind}, {entry.licence}, {state})\n"
            f"  {entry.description}; from {entry.source}"
        )


@models.command(
    epilog=example("groundtune models pull smollm2-135m-instruct"),
)
@click.argument("name")
@json_option
def pull(*, name: str, as_json: bool) -> None:
    """Fetch a model into the cache of this user, once.

    It is checked against its pinned hash. Afterwards it works without a network.
    """
    from groundtune.recipes.models import pull as pull_recipe

    with ProgressDisplay() as progress:
        folder = pull_recipe(name, progress=progress)
    if as_json:
        fields = {
            "name": folder.name,
            "kind": folder.kind,
            "licence": folder.licence,
            "path": folder.path,
            "weights_sha256": folder.weights_sha256,
        }
        print_json(fields)
    else:
        click.echo(f"{folder.name}: {folder.path} ({folder.licence})")
