"""What a person pays: for tokens, for machines, for keeping what was made.

Prices are given, never guessed: what is not given is None, and figures that need it are
said not to be known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Self

from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """A price table, all in one currency.

    Where the tokens of a model are priced its answers cost tokens; otherwise they cost
    the seconds that were measured, at the price of a machine hour.
    """

    currency: str = "USD"
    prompt_tokens: float | None = None
    """A million prompt tokens of the published model (plain, rag)."""
    output_tokens: float | None = None
    """A million tokens that it writes."""
    tuned_prompt_tokens: float | None = None
    """A million prompt tokens of a tuned model (tuned, both)."""
    tuned_output_tokens: float | None = None
    """A million tokens that it writes."""
    machine_hour: float | None = None
    """An hour of the machine that answers and indexes."""
    training_hour: float | None = None
    """An hour of the machine that trains; None: as `machine_hour`."""
    index_month: float = 0.0
    """Keeping an index a month, for arms that retrieve."""
    tuned_month: float = 0.0
    """Keeping a tuned model ready a month, for arms that were trained."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not (isfinite(value) and value >= 0):
                raise ConfigError(
                    f"{field.name} is {value}",
                    fix="use a price of 0 or more",
                    where=f"prices.{field.name}",
                )
        for kind in ("", "tuned_"):
            pair = (f"{kind}prompt_tokens", f"{kind}output_tokens")
            given = [name for name in pair if getattr(self, name) is not None]
            if len(given) == 1:
                (other,) = set(pair) - set(given)
                raise ConfigError(
                    f"{given[0]} is given and {other} is not",
                    fix=f"give {other} as well; 0 if it is not charged",
                    where=f"prices.{other}",
                )
        if not self.currency.strip() or len(self.currency) > 8:
            raise ConfigError(
                f"currency is {self.currency!r}",
                fix="use a short name, such as USD",
                where="prices.currency",
            )

    @property
    def training(self) -> float | None:
        """Price of an hour of training; None where it is not known."""
        given = self.training_hour
        return self.machine_hour if given is None else given

    @property
    def is_given(self) -> bool:
        """Whether there is any price by which an answer costs money."""
        return any(
            price is not None
            for price in (
                self.prompt_tokens,
                self.tuned_prompt_tokens,
                self.machine_hour,
            )
        )

    def with_prices(self, raw: Mapping[str, Any], *, where: str = "prices") -> Self:
        """The same table with some prices as TOML or JSON gives them.

        Raises:
            ConfigError: A price is unknown, no number, or out of range.
        """
        kinds = {field.name: "a price" for field in fields(self)}
        kinds |= {"currency": "text", "index_month": "a number"}
        kinds |= {"tuned_month": "a number"}
        return replace(self, **typed(raw, kinds, where=where))


_TAKEN: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "a whole number": (int,),
    "a number": (int, float),
    "a price": (int, float, type(None)),
    "a time": (int, float, type(None)),
    "a table": (dict,),
}


def typed(
    raw: Mapping[str, Any], kinds: Mapping[str, str], *, where: str
) -> dict[str, Any]:
    """A table whose settings are all known and of their kind; numbers as floats.

    Raises:
        ConfigError: One is not.
    """
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in kinds:
            raise ConfigError(
                f"unknown setting {name!r}",
                fix=f"known settings: {', '.join(sorted(kinds))}",
                where=where,
            )
        kind = kinds[name]
        if isinstance(value, bool) or not isinstance(value, _TAKEN[kind]):
            raise ConfigError(
                f"{name} is {value!r}", fix=f"give {kind}", where=f"{where}.{name}"
            )
        is_real = kind in ("a number", "a price", "a time")
        values[name] = value if value is None or not is_real else float(value)
    return values
