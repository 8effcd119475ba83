"""What a kind of invented entity is made of: wordings and the rules of its values.

The kinds themselves stand a file each beside this one (`towns`, `ships`, ...), as data;
`names` invents names, `make` turns kinds and a seed into a world.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The rule by which an attribute's values are drawn.

    Exactly one of `low`/`high` (a number), `pool` (one of a list) and `name` (an
    invented name) is used.
    """

    low: int = 0
    high: int = 0
    unit: str = ""
    """Written after the number or name, such as `ells` or `House`; may be empty."""
    pool: tuple[str, ...] = ()
    """At least 24, so that guessing the most common value does not pay."""
    name: str = ""
    """`person` or `place`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One thing that documents state of every entity of a kind.

    In every wording `{name}` is the entity and `{value}` the value.
    """

    name: str
    label: str
    """Heading of the register that lists it."""
    values: Values
    article: tuple[str, str]
    """Statements of the entity's own article, the first of which names it."""
    almanac: str
    letter: str
    train: tuple[str, str, str, str, str]
    """Questions that training may use."""
    dev: str
    """A question for choosing settings; in neither training nor test."""
    test: tuple[str, str]
    """Questions kept for the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of entity: how it is named, described and asked about."""

    name: str
    plural: str
    onsets: tuple[str, ...]
    codas: tuple[str, ...]
    endings: tuple[str, ...]
    """Added to a stem that another entity has too: names that are easy to mix up."""
    opening: tuple[str, ...]
    """First sentences of an article; they state none of the attributes."""
    fillers: tuple[str, ...]
    """Sentences that state none of the attributes."""
    headings: tuple[str, str]
    attributes: tuple[Attribute, ...]
