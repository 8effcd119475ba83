"""A click group that imports the module of a verb only when the verb is used."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """Knows its verbs by name and place; `--help` lists them without an import.

    Args:
        verbs: Verb → (`module:function`, the line that `--help` shows for it). The
            line must be the first of the command's own help: a test compares them.
    """

    def __init__(
        self,
        *args: object,
        verbs: Mapping[str, tuple[str, str]],
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # pyright: ignore[reportArgumentType]
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Return the verbs in the order in which a person meets them."""
        return list(self._verbs)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's)
        cmd_name: str,
    ) -> click.Command | None:
        """Import the verb, or return None if there is none of that name."""
        if cmd_name not in self._verbs:
            return None
        module, _, function = self._verbs[cmd_name][0].partition(":")
        command = getattr(import_module(module), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb of `args`, or say which verbs there are."""
        if args[0] not in self._verbs and not args[0].startswith("-"):
            close = get_close_matches(args[0], self._verbs, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            verbs = ", ".join(self._verbs)
            ctx.fail(f"no verb named {args[0]!r}\n  fix: {hint}use one of {verbs}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's)
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(verb, line) for verb, (_, line) in self._verbs.items()]
            )
