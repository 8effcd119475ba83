"""Options for a person's own weights: how much is asked, how fast, at what price."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from groundtune.cli.options import EXISTING

if TYPE_CHECKING:
    from collections.abc import Callable

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_NAMES = ("questions_per_month", "updates_per_month", "latency_limit", "machine_hour")


def weight_options(command: _Command) -> _Command:
    """Give a verb the options that say what a person's use is like.

    They reach it as one argument `weights`: a mapping of what was given, such as
    `ProtocolSettings.from_mapping` takes it, and `weights_file`.
    """

    @wraps(command)
    def called(**options: Any) -> None:  # noqa: ANN401 (what click hands over)
        given = {name: options.pop(name) for name in _NAMES}
        command(**options, weights=_as_settings(given))

    options = [
        click.option(
            "--questions-per-month",
            type=click.IntRange(min=1),
            metavar="N",
            help="How much is asked: over it training is paid off.  "
            "[default: 10000, or as the run has it]",
        ),
        click.option(
            "--updates-per-month",
            type=click.FloatRange(min=0),
            metavar="N",
            help="How often the facts change; tuned is trained again.  "
            "[default: 1, or as the run has it]",
        ),
        click.option(
            "--latency-limit",
            type=click.FloatRange(min=0, min_open=True),
            metavar="MS",
            help="Longest that 95 of 100 answers may take; slower arms are dropped.",
        ),
        click.option(
            "--machine-hour",
            type=click.FloatRange(min=0),
            metavar="PRICE",
            help="Price of an hour of the machine; without prices cost is time.",
        ),
        click.option(
            "--weights",
            "weights_file",
            type=EXISTING,
            metavar="FILE",
            help="These and a whole price table, as TOML below a line [protocol].",
        ),
    ]
    made: Any = called
    for option in reversed(options):
        made = option(made)
    return made


def _as_settings(given: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in given.items() if value is not None}
    if "latency_limit" in found:
        found["latency_limit_ms"] = found.pop("latency_limit")
    if "machine_hour" in found:
        found["prices"] = {"machine_hour": found.pop("machine_hour")}
    return found


def together(file: Path | None, weights: dict[str, Any]) -> dict[str, Any]:
    """Weights of a file, with those of the command line in their place.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    if file is None:
        return weights
    from groundtune.store.own_settings import read_weights

    found = read_weights(file)
    prices = found.get("prices")
    if isinstance(prices, dict) and "prices" in weights:
        weights = {**weights, "prices": {**prices, **weights["prices"]}}
    return {**found, **weights}


def own_file(named: Path | None) -> Path | None:
    """The file that was named, else `groundtune.toml` of this folder if it is there."""
    from groundtune.store.own_settings import FILE

    if named is not None:
        return named
    usual = Path(FILE)
    return usual if usual.is_file() else None
