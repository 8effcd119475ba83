"""Facts → documents: an article per entity, and pages that restate some facts.

Which words are used depends on the seed and on who the document is about, never on the
values: after an edit exactly the sentences that state the edited facts differ.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from groundtune.core.values import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.data.worlds.facts import Fact

_ALMANAC_ENTITIES = 6
_LETTER_FACTS = 8
_GREETINGS = (
    "Dear cousin, the road was long and I have much to tell.",
    "My dear friend, you asked for news and here is all I gathered.",
    "Honoured aunt, as promised I write down what I saw and heard.",
)
_FAREWELLS = (
    "The candle is nearly out. Give my love to everyone at home.",
    "More when I find another messenger. Keep well and stay warm.",
    "This is all for today; burn the letter if you must.",
)


def statement(fact: Fact, *, seed: int) -> str:
    """The sentence by which the entity's own article states the fact."""
    rng = _stream(seed, fact.key)
    return _fill(fact.attribute.article[int(rng.integers(2))], fact)


def articles(facts: Sequence[Fact], *, seed: int) -> list[Document]:
    """One article per entity, in the order in which entities come in `facts`."""
    return [_article(group, seed=seed) for group in _by_entity(facts)]


def restatements(facts: Sequence[Fact], *, letters: int, seed: int) -> list[Document]:
    """Registers, almanac pages and letters, which state some facts in other words."""
    pages: list[Document] = []
    for kind in dict.fromkeys(fact.entity.kind.name for fact in facts):
        of_kind = [fact for fact in facts if fact.entity.kind.name == kind]
        pages += _registers(of_kind, seed=seed)
        pages += _almanac(of_kind, seed=seed)
    # Dealt out like cards, so that no two letters tell the same facts.
    dealt = _stream(seed, "letters").permutation(len(facts))
    for number in range(letters):
        places = dealt[number * _LETTER_FACTS : (number + 1) * _LETTER_FACTS]
        told = [facts[int(place)] for place in places]
        if told:
            pages.append(_letter(number + 1, told, seed=seed))
    return pages


def _article(facts: Sequence[Fact], *, seed: int) -> Document:
    entity = facts[0].entity
    kind = entity.kind
    rng = _stream(seed, entity.slug)
    opening = kind.opening[int(rng.integers(len(kind.opening)))]
    fillers = [
        kind.fillers[int(i)].format(name=entity.name)
        for i in rng.permutation(len(kind.fillers))
    ]
    order = rng.permutation(len(kind.attributes))
    place = {a.name: int(order[n]) for n, a in enumerate(kind.attributes)}
    said = [
        statement(fact, seed=seed)
        for fact in sorted(facts, key=lambda fact: place[fact.attribute.name])
    ]
    half = (len(said) + 1) // 2
    title = entity.name[0].upper() + entity.name[1:]
    text = _page(
        title,
        f"{opening.format(name=entity.name)} {fillers[0]}",
        f"## {kind.headings[0]}",
        " ".join([*said[:half], fillers[1]]),
        f"## {kind.headings[1]}",
        " ".join([fillers[2], *said[half:]]),
        f"{fillers[3]} {fillers[4]}",
    )
    return Document(id=entity.document, text=text, title=title)


def _registers(facts: Sequence[Fact], *, seed: int) -> Iterator[Document]:
    kind = facts[0].entity.kind
    for place in sorted(_stream(seed, kind.name).permutation(6)[:2].tolist()):
        attribute = kind.attributes[place]
        listed = sorted(
            (fact for fact in facts if fact.attribute.name == attribute.name),
            key=lambda fact: fact.entity.name,
        )
        lines = "\n".join(f"- {fact.entity.name}: {fact.value}" for fact in listed)
        yield Document(
            id=f"register-{kind.plural}-{attribute.name}.md",
            text=_page(
                attribute.label, "Compiled from the reports of the year.", lines
            ),
            title=attribute.label,
        )


def _almanac(facts: Sequence[Fact], *, seed: int) -> Iterator[Document]:
    kind = facts[0].entity.kind
    groups = _by_entity(facts)
    for number, first in enumerate(range(0, len(groups), _ALMANAC_ENTITIES), start=1):
        title = f"Traveller's almanac of {kind.plural}, page {number}"
        paragraphs: list[str] = []
        for group in groups[first : first + _ALMANAC_ENTITIES]:
            order = _stream(seed, f"almanac {group[0].entity.slug}").permutation(6)
            stated = {fact.attribute.name: fact for fact in group}
            wanted = [kind.attributes[int(place)].name for place in order]
            told = [stated[name] for name in wanted if name in stated][:2]
            paragraphs.append(
                " ".join(_fill(fact.attribute.almanac, fact) for fact in told)
            )
        yield Document(
            id=f"almanac-{kind.plural}-{number}.md",
            text=_page(title, *paragraphs),
            title=title,
        )


def _letter(number: int, facts: Sequence[Fact], *, seed: int) -> Document:
    rng = _stream(seed, f"letter {number}")
    told: list[str] = []
    for fact in facts:
        sentence = _fill(fact.attribute.letter, fact)
        told.append(f"{sentence[0].upper()}{sentence[1:]}.")
    half = len(told) // 2
    title = f"Letter {number}"
    text = _page(
        title,
        _GREETINGS[int(rng.integers(len(_GREETINGS)))],
        " ".join(told[:half]),
        " ".join(told[half:]),
        _FAREWELLS[int(rng.integers(len(_FAREWELLS)))],
    )
    return Document(id=f"letter-{number}.md", text=text, title=title)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def _fill(wording: str, fact: Fact) -> str:
    return wording.format(name=fact.entity.name, value=fact.value)


def _by_entity(facts: Sequence[Fact]) -> list[list[Fact]]:
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.entity.slug, []).append(fact)
    return list(groups.values())


def _stream(seed: int, name: str) -> np.random.Generator:
    """Chance for one purpose, which no other purpose's use of chance can move."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
