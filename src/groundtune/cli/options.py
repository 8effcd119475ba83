"""Kinds of option values that several verbs share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from groundtune.core.values import ARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from groundtune.core.values import Arm

EXISTING = click.Path(exists=True, path_type=Path)
ANY_PATH = click.Path(path_type=Path)
OVER_DOCUMENTS = ("qa", "dialogue", "fact_check")
"""Tasks of `compare` that need documents."""
TASKS = click.Choice(
    [
        *OVER_DOCUMENTS,
        "sentiment",
        "classification",
        "ner",
        "translation",
        "support",
        "summarization",
    ]
)

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def embedder_option(command: _Command) -> _Command:
    """Give a verb that reads a knowledge base the option `--embedder`."""
    option = click.option(
        "--embedder",
        default="all-minilm-l6-v2",
        show_default=True,
        help="The embedder of the knowledge base: a name, a model folder, org/name, or "
        "URL#NAME.",
    )
    return option(command)


generator_option = click.option(
    "--model",
    default="smollm2-135m-instruct",
    show_default=True,
    help="Generator: a name from `groundtune models`, a model folder, org/name, or "
    "URL#NAME for one behind an endpoint (docs/remote.md).",
)
passages_option = click.option(
    "-k",
    default=None,
    type=click.IntRange(min=1),
    help="Passages to give to the model.  [default: the knowledge base's own]",
)
runtime_option = click.option(
    "--runtime",
    default="openvino",
    show_default=True,
    type=click.Choice(["openvino", "transformers"]),
    help="What runs the model.",
)


def changes_of(written: Iterable[str]) -> dict[str, str]:
    """What `--set` was given: NAME=VALUE each.

    Raises:
        BadParameter: One is not of that form.
    """
    found: dict[str, str] = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        found[name.strip()] = value.strip()
    return found


def retrieval_options(command: _Command) -> _Command:
    """Give a verb that searches the options that change how it does."""
    options = [
        click.option(
            "--where",
            default="",
            help="Only these documents, such as: lang = en and date >= 2024-01-01 and "
            'document like "guides/*".',
        ),
        click.option(
            "--mode",
            default=None,
            type=click.Choice(["hybrid", "dense", "bm25"]),
            help="What to rank by.  [default: as chosen for the knowledge base]",
        ),
        click.option(
            "--mmr",
            default=None,
            type=click.FloatRange(0, 1),
            help="Prefer passages unlike each other: 1 is relevance alone.",
        ),
        click.option(
            "--widen",
            default=None,
            type=click.Choice(["none", "neighbours", "section"]),
            help="Add what stands around a passage.",
        ),
        click.option(
            "--expand",
            default=None,
            type=click.Choice(["none", "parts", "feedback"]),
            help="Also search for the question's parts, or with words of first hits.",
        ),
        click.option(
            "--centre",
            default=None,
            type=click.IntRange(min=0),
            metavar="SENTENCES",
            help="Keep so many sentences around the best match of a passage; 0: all.",
        ),
        click.option(
            "--dedupe/--no-dedupe",
            default=None,
            help="Drop a passage that repeats a better one.",
        ),
        click.option(
            "--order",
            default=None,
            type=click.Choice(["score", "position"]),
            help="Passages by score, or as they stand in their documents.",
        ),
        click.option(
            "--rerank",
            default=None,
            metavar="MODEL",
            help="Cross-encoder that reads the best passages again: a model folder.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def example(line: str) -> str:
    """The end of a verb's help: one line that works as it stands."""
    # A backspace alone on a line tells click to leave what follows unwrapped.
    return f"\b\nExample:\n  {line}"


class Seconds(click.ParamType[float]):
    """A length of time such as `90s`, `30m` or `1.5h`, as seconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the length of time; it must be above zero."""
        if isinstance(value, float):
            return value
        read = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(value).strip())
        if read is None or float(read[1]) == 0:
            self.fail(f"{value!r} is no time: write 90s, 30m or 1.5h", param, ctx)
        return float(read[1]) * _SECONDS[read[2]]


class Arms(click.ParamType["tuple[Arm, ...]"]):
    """A list of arms such as `plain,rag`, put into their usual order."""

    name = "arms"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Arm, ...]:
        """Read the list; every part must be an arm."""
        if isinstance(value, tuple):
            return tuple(arm for arm in ARMS if arm in value)
        wanted = [part.strip() for part in str(value).split(",") if part.strip()]
        unknown = [part for part in wanted if part not in ARMS]
        if unknown or not wanted:
            what = repr(unknown[0]) if unknown else "an empty list"
            self.fail(f"{what} is no arm: use some of {','.join(ARMS)}", param, ctx)
        return tuple(arm for arm in ARMS if arm in wanted)


def role_option(which: str) -> Callable[[_Command], _Command]:
    """The option `--role`, whose help begins with `which`."""
    return click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="ROLE=COLUMN",
        help=f"{which} column is what, such as label=intent. Repeatable.  "
        "[default: inferred]",
    )


def role_pairs(roles: Iterable[str]) -> dict[str, str]:
    """Role to column, as `--role` was given."""
    pairs: dict[str, str] = {}
    for role in roles:
        name, mark, column = role.partition("=")
        if not mark or not name or not column:
            raise click.BadParameter(
                f"{role!r} is not ROLE=COLUMN", param_hint="--role"
            )
        pairs[name] = column
    return pairs
