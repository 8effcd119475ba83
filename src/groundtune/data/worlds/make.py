"""A seed → a world: documents, questions on them in splits, and edits.

The splits are those of the comparison's protocol. Questions of training, dev and test
never share a wording.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from groundtune.core.values import Document, QaCase
from groundtune.data.worlds.facts import (
    KINDS,
    Entity,
    Fact,
    Role,
    draw_entities,
    draw_facts,
    draw_other_value,
)
from groundtune.data.worlds.names import Names
from groundtune.data.worlds.render import articles, restatements, statement

if TYPE_CHECKING:
    from collections.abc import Sequence

SizeName = Literal["tiny", "small"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSize:
    """How much of everything a world holds; entities are counted per kind."""

    kinds: int
    seen: int
    dev: int
    unseen: int
    new: int
    absent: int
    letters: int
    edits: int
    """Facts whose value changes."""


SIZES: dict[SizeName, WorldSize] = {
    "tiny": WorldSize(
        kinds=3, seen=2, dev=1, unseen=1, new=1, absent=1, letters=2, edits=6
    ),
    "small": WorldSize(
        kinds=5, seen=8, dev=1, unseen=3, new=1, absent=2, letters=8, edits=40
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A fact whose value was changed in the documents, and a question about it."""

    case: QaCase
    """Its answers and evidence are the new ones."""
    old_answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Invented facts, the documents that state them, and questions about them."""

    seed: int
    size: WorldSize
    documents: tuple[Document, ...]
    edited_documents: tuple[Document, ...]
    """All documents after the edits, under the same ids."""
    new_documents: tuple[Document, ...]
    """Articles on entities that `documents` do not know."""
    train: tuple[QaCase, ...]
    """Five wordings of every fact about a seen entity."""
    dev: tuple[QaCase, ...]
    """A wording of its own: all facts of dev entities, as many of seen entities."""
    test_seen: tuple[QaCase, ...]
    """Facts that stand in `train`, in a wording that does not."""
    test_unseen: tuple[QaCase, ...]
    """Facts about entities that stand in the documents only."""
    unanswerable: tuple[QaCase, ...]
    """An attribute that no document states of the entity, or an entity of none."""
    controls: tuple[QaCase, ...]
    """One for each of `unanswerable`: the same words, on an entity that answers."""
    edits: tuple[Edit, ...]
    new_cases: tuple[QaCase, ...]
    """Answered by `new_documents`."""

    @property
    def test(self) -> tuple[QaCase, ...]:
        """Everything that a comparison asks, split after split."""
        return self.test_seen + self.test_unseen + self.unanswerable + self.controls

    def base_rates(self) -> dict[str, float]:
        """Share of the most common answer among the facts of each attribute.

        A system that always guessed it would be right that often. Keys are such as
        `town/mayor`.
        """
        answers: dict[str, Counter[str]] = {}
        for case in self.train + self.dev + self.test_seen + self.test_unseen:
            _, slug, attribute, _ = case.id.split("/")
            key = f"{slug.split('-')[0]}/{attribute}"
            answers.setdefault(key, Counter())[f"{case.answers[0]}\n{slug}"] = 1
        rates: dict[str, float] = {}
        for key, counted in answers.items():
            by_answer = Counter(pair.split("\n")[0] for pair in counted)
            rates[key] = max(by_answer.values()) / by_answer.total()
        return rates


def make_world(seed: int = 0, *, size: SizeName | WorldSize = "small") -> World:
    """Make the world of a seed: the same seed and size give the same bytes.

    Examples:
        >>> world = make_world(0, size="tiny")
        >>> world.test_seen[0].answers[0] in world.documents[0].text
        True
    """
    amounts = SIZES[size] if isinstance(size, str) else size
    rng = np.random.default_rng([seed, 0])
    names = Names(rng)

    # 1) Who there is, and what is true of them.
    roles = _roles(amounts)
    groups = [
        draw_entities(kind, roles, rng=rng, names=names)
        for kind in KINDS[: amounts.kinds]
    ]
    absent = [
        entity
        for group in groups
        for entity in _absent(group, amounts.absent, names=names)
    ]
    facts = [f for group in groups for f in draw_facts(group, rng=rng, names=names)]
    by_role = {role: [f for f in facts if f.entity.role == role] for role in roles}
    present = [fact for fact in facts if fact.entity.role != "new"]

    # 2) Which facts change: such that a tuned model learned the old value.
    edited = _edit(by_role["seen"], amounts.edits, rng=rng, names=names)
    after = [edited.get(fact.key, fact) for fact in present]

    # 3) Questions. Test facts use one of two wordings; controls use the other.
    def ask(prefix: str, fact: Fact, wording: int) -> QaCase:
        return _case(prefix, fact, wording, seed=seed)

    pick = {fact.key: int(rng.integers(2)) for fact in facts}
    seen_sample = _sample(by_role["seen"], len(by_role["dev"]), rng=rng)
    unanswerable, controls = _unanswerable(
        [entity for group in groups for entity in group], absent, present, pick, seed
    )
    return World(
        seed=seed,
        size=amounts,
        documents=_documents(present, amounts, seed=seed),
        edited_documents=_documents(after, amounts, seed=seed),
        new_documents=tuple(articles(by_role["new"], seed=seed)),
        train=tuple(ask("train", f, w) for f in by_role["seen"] for w in range(5)),
        dev=tuple(ask("dev", f, 5) for f in by_role["dev"] + seen_sample),
        test_seen=tuple(ask("seen", f, 6 + pick[f.key]) for f in by_role["seen"]),
        test_unseen=tuple(ask("unseen", f, 6 + pick[f.key]) for f in by_role["unseen"]),
        unanswerable=unanswerable,
        controls=controls,
        edits=tuple(
            Edit(
                case=ask("edit", edited[fact.key], 6 + pick[fact.key]),
                old_answers=fact.answers,
            )
            for fact in present
            if fact.key in edited
        ),
        new_cases=tuple(ask("new", f, 6 + pick[f.key]) for f in by_role["new"]),
    )


def _roles(amounts: WorldSize) -> list[Role]:
    amounts_by_role: tuple[tuple[Role, int], ...] = (
        ("seen", amounts.seen),
        ("unseen", amounts.unseen),
        ("dev", amounts.dev),
        ("new", amounts.new),
    )
    return [role for role, count in amounts_by_role for _ in range(count)]


def _absent(present: Sequence[Entity], count: int, *, names: Names) -> list[Entity]:
    """Entities of no document, each named like one that has its own article."""
    kind = present[0].kind
    stems = [e.name for e in present if not e.name.endswith(kind.endings)]
    return [
        Entity(kind=kind, name=names.sibling(kind, of=stem), role="absent")
        for stem in stems[:count]
    ]


def _documents(
    facts: Sequence[Fact], amounts: WorldSize, *, seed: int
) -> tuple[Document, ...]:
    pages = restatements(facts, letters=amounts.letters, seed=seed)
    return (*articles(facts, seed=seed), *pages)


def _edit(
    facts: Sequence[Fact], count: int, *, rng: np.random.Generator, names: Names
) -> dict[str, Fact]:
    """Facts with new values, by key; each new value is new to its attribute."""
    used: dict[str, set[str]] = {}
    for fact in facts:
        used.setdefault(fact.attribute.name, set()).add(fact.value)
    changed: dict[str, Fact] = {}
    for fact in _sample(facts, count, rng=rng):
        taken = used[fact.attribute.name]
        value = draw_other_value(fact, taken, rng=rng, names=names)
        taken.add(value)
        changed[fact.key] = dataclasses.replace(fact, value=value)
    return changed


def _unanswerable(
    entities: Sequence[Entity],
    absent: Sequence[Entity],
    facts: Sequence[Fact],
    pick: dict[str, int],
    seed: int,
) -> tuple[tuple[QaCase, ...], tuple[QaCase, ...]]:
    """Questions without an answer, and as many that have one, in the same words."""
    gaps = [(e, a) for e in entities for a in e.kind.attributes if a.name == e.withheld]
    for number, entity in enumerate(absent):
        attributes = entity.kind.attributes
        gaps += [
            (entity, attributes[(number + shift) % len(attributes)]) for shift in (0, 3)
        ]
    asked: set[str] = set()
    missing: list[QaCase] = []
    controls: list[QaCase] = []
    for entity, attribute in gaps:
        twins = [
            fact
            for fact in facts
            if fact.attribute.name == attribute.name
            and fact.entity.kind.name == entity.kind.name
            and fact.entity.role in {"seen", "unseen"}
            and fact.key not in asked
        ]
        if not twins:
            msg = "more unanswerable questions than facts to set beside them"
            raise ValueError(msg)
        twin = twins[0]
        asked.add(twin.key)
        wording = 7 - pick[twin.key]
        hole = Fact(entity=entity, attribute=attribute, value="")
        question = _question(hole, wording)
        missing.append(
            QaCase(
                id=f"unanswerable/{hole.key}/{wording}",
                question=question,
                answers=(),
                answerable=False,
                group=entity.document,
            )
        )
        controls.append(_case("control", twin, wording, seed=seed))
    return tuple(missing), tuple(controls)


def _case(prefix: str, fact: Fact, wording: int, *, seed: int) -> QaCase:
    return QaCase(
        id=f"{prefix}/{fact.key}/{wording}",
        question=_question(fact, wording),
        answers=fact.answers,
        source=fact.entity.document,
        evidence=(statement(fact, seed=seed),),
        group=fact.entity.document,
    )


def _question(fact: Fact, wording: int) -> str:
    """Wordings 0 to 4 are for training, 5 for dev, 6 and 7 for the test."""
    attribute = fact.attribute
    wordings = (*attribute.train, attribute.dev, *attribute.test)
    return wordings[wording].format(name=fact.entity.name)


def _sample(
    facts: Sequence[Fact], count: int, *, rng: np.random.Generator
) -> list[Fact]:
    """`count` facts, or all if there are fewer, in the order given."""
    places = sorted(rng.permutation(len(facts))[:count].tolist())
    return [facts[place] for place in places]
