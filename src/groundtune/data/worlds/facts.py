"""Who is in a world, and what is true of them: drawn by rule from a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from groundtune.data.worlds.guilds import GUILD
from groundtune.data.worlds.herbs import HERB
from groundtune.data.worlds.instruments import INSTRUMENT
from groundtune.data.worlds.ships import SHIP
from groundtune.data.worlds.towns import TOWN

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    import numpy as np

    from groundtune.data.worlds.names import Names
    from groundtune.data.worlds.schema import Attribute, Kind, Values

KINDS: tuple[Kind, ...] = (TOWN, SHIP, GUILD, INSTRUMENT, HERB)

Role = Literal["seen", "dev", "unseen", "new", "absent"]
"""What an entity is for: `seen` entities are trained on, `dev` ones settle settings,
`unseen` ones stand in the documents but in no training case, `new` ones come into the
documents later, and `absent` ones do not exist in any."""

_PAIRS_IN_FOUR = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something with a name that documents tell of."""

    kind: Kind
    name: str
    role: Role
    withheld: str = ""
    """Attribute that no document states of it; empty if none."""

    @property
    def slug(self) -> str:
        """Name for ids and files, such as `ship-elovia-fair`."""
        return f"{self.kind.name}-{self.name.lower().replace(' ', '-')}"

    @property
    def document(self) -> str:
        """Id of its own article."""
        return f"{self.slug}.md"

    @property
    def stated(self) -> tuple[Attribute, ...]:
        """The attributes that documents state of it."""
        return tuple(a for a in self.kind.attributes if a.name != self.withheld)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One attribute of one entity, with its value."""

    entity: Entity
    attribute: Attribute
    value: str

    @property
    def key(self) -> str:
        """Such as `town-quodarn/mayor`; the same before and after an edit."""
        return f"{self.entity.slug}/{self.attribute.name}"

    @property
    def answers(self) -> tuple[str, ...]:
        """Accepted wordings: as documents state it, then without its unit."""
        unit = self.attribute.values.unit
        if not unit:
            return (self.value,)
        return (self.value, self.value.removesuffix(f" {unit}"))


def draw_entities(
    kind: Kind, roles: Sequence[Role], *, rng: np.random.Generator, names: Names
) -> list[Entity]:
    """Draw one entity for each of `roles`.

    About half of them have a name that is part of another one's, or has another one's
    in it, so that search by name alone mixes them up. Every second entity of those in
    the first documents withholds one attribute, in turn.
    """
    drawn: list[str] = []
    while len(drawn) < len(roles):
        stem = names.entity(kind)
        drawn.append(stem)
        if len(drawn) % 4 == _PAIRS_IN_FOUR and len(drawn) < len(roles):
            drawn.append(names.sibling(kind, of=stem))
    order = rng.permutation(len(drawn))
    withheld = rng.permutation([a.name for a in kind.attributes]).tolist()
    found: list[Entity] = []
    for number, (role, place) in enumerate(zip(roles, order, strict=True)):
        hides = number % 2 == 1 and role in {"seen", "unseen"}
        found.append(
            Entity(
                kind=kind,
                name=drawn[int(place)],
                role=role,
                withheld=withheld[number // 2 % len(withheld)] if hides else "",
            )
        )
    return found


def draw_facts(
    entities: Sequence[Entity], *, rng: np.random.Generator, names: Names
) -> list[Fact]:
    """Draw the value of every stated attribute of entities of one kind.

    Values of an attribute are used equally often, so that each is shared by as few
    entities as its rule allows.
    """
    facts: list[Fact] = []
    for attribute in entities[0].kind.attributes:
        holders = [e for e in entities if attribute.name != e.withheld]
        values = _draw_values(attribute.values, len(holders), rng=rng, names=names)
        facts += [
            Fact(entity=entity, attribute=attribute, value=value)
            for entity, value in zip(holders, values, strict=True)
        ]
    # Entity by entity, as a reader of the documents meets them.
    rank = {entity.slug: number for number, entity in enumerate(entities)}
    return sorted(facts, key=lambda fact: rank[fact.entity.slug])


def draw_other_value(
    fact: Fact, used: Container[str], *, rng: np.random.Generator, names: Names
) -> str:
    """A value of the same type that is not in `used` if the rule has one left.

    It is never the fact's own value.
    """
    values = fact.attribute.values
    if values.name:
        return _draw_values(values, 1, rng=rng, names=names)[0]
    legal = [value for value in _legal(values) if value != fact.value]
    fresh = [value for value in legal if value not in used]
    choices = fresh or legal
    return choices[int(rng.integers(len(choices)))]


def _draw_values(
    values: Values, count: int, *, rng: np.random.Generator, names: Names
) -> list[str]:
    if values.name:
        invent = names.person if values.name == "person" else names.place
        return [_with_unit(invent(), values) for _ in range(count)]
    legal = _legal(values)
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += [legal[int(place)] for place in rng.permutation(len(legal))]
    return drawn[:count]


def _legal(values: Values) -> list[str]:
    if values.pool:
        return list(values.pool)
    numbers = range(values.low, values.high + 1)
    return [_with_unit(str(number), values) for number in numbers]


def _with_unit(core: str, values: Values) -> str:
    return f"{core} {values.unit}" if values.unit else core
