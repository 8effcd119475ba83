"""Measures of named entities: a span counts only with both ends and its type right.

Tags of words become spans by the rules of the CoNLL-2000 evaluation script, which also
say how tags that contradict each other are read; see `spans`. The figures equal
seqeval's in its default mode, which a test checks. Axis suffixes: K types, N sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.measure import f1 as counting
from groundtune.measure.resample import Groups

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy.typing as npt

    from groundtune.measure.rows import Figure

    Floats = npt.NDArray[np.float64]

OUTSIDE = "O"
"""The tag of a word that belongs to no entity."""

TAG_END = "\n"
"""Stands between the tags of a sentence where they are one text, as in rows."""

_BEGINS = frozenset("BSU")
_ENDS = frozenset("ELSU")
_KNOWN = _BEGINS | _ENDS | {"I"}


class EntitySpan(NamedTuple):
    """An entity as words `[start, end)` of its sentence."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFigures:
    """Precision, recall and F1 over entities, with intervals over sentences."""

    precision: Figure
    recall: Figure
    f1: Figure
    support: int
    """Gold entities."""
    found: int
    """Predicted entities."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "precision": self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
            "support": self.support,
            "found": self.found,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityReport:
    """Every figure of one set of predicted tags. Each figure's `n` is sentences."""

    overall: EntityFigures
    """Over all entities together: the CoNLL score."""
    macro_f1: Figure
    """Mean over the types that occur, each with one voice."""
    by_type: dict[str, EntityFigures]
    """Types that occur, in gold or in predictions, sorted."""

    @property
    def f1(self) -> Figure:
        """Strict entity F1, the measure that people mean."""
        return self.overall.f1

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "f1": self.overall.f1.to_json(),
            "precision": self.overall.precision.to_json(),
            "recall": self.overall.recall.to_json(),
            "support": self.overall.support,
            "found": self.overall.found,
            "macro_f1": self.macro_f1.to_json(),
            "by_type": {name: each.to_json() for name, each in self.by_type.items()},
        }


def spans(tags: Sequence[str]) -> list[EntitySpan]:
    """Read the entities out of one sentence's tags, first to last.

    A tag is `O`, or a letter, a hyphen and the type. `B` begins an entity, `I` goes on
    with it; `E` (or `L`) is its last word, `S` (or `U`) its only one. So BIO, IOB1, IO
    and BIOES are read alike. Tags that contradict each other are repaired, not dropped:

    1. `I` or `E` where no entity of its type is open begins one.
    2. An entity that is open ends before any word that does not go on with it.
    3. A tag without such a letter is read as `I` of the type that the whole tag names.

    Examples:
        >>> spans(["B-PER", "I-PER", "O", "I-LOC"])
        [EntitySpan(start=0, end=2, type='PER'), EntitySpan(start=3, end=4, type='LOC')]
    """
    found: list[EntitySpan] = []
    start, open_type = 0, None
    for place, tag in enumerate(tags):
        letter, type_ = _parts(tag)
        if open_type is not None and (letter in _BEGINS or type_ != open_type):
            found.append(EntitySpan(start, place, open_type))
            open_type = None
        if type_ is not None and open_type is None:
            start, open_type = place, type_
        if letter in _ENDS and open_type is not None:
            found.append(EntitySpan(start, place + 1, open_type))
            open_type = None
    if open_type is not None:
        found.append(EntitySpan(start, len(tags), open_type))
    return found


def _parts(tag: str) -> tuple[str, str | None]:
    """Letter and type; the type is None for a word that belongs to no entity."""
    if tag == OUTSIDE:
        return OUTSIDE, None
    letter, hyphen, type_ = tag.partition("-")
    if hyphen and letter in _KNOWN:
        return letter, type_
    return "I", tag


def entity_report(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> EntityReport:
    """Measure predicted tags against gold ones, sentence by sentence.

    Args:
        gold: The tags of each sentence, one a word.
        predicted: The same for the predictions.
        groups: Group of each sentence, such as its document; each its own if None.
        seed: Where the bootstrap starts.
        draws: Bootstrap draws.

    Raises:
        ValueError: There are no sentences, or a word has only one of its two tags.
    """
    _check(gold, predicted)
    wanted = [set(spans(tags)) for tags in gold]
    given = [set(spans(tags)) for tags in predicted]
    types = sorted({span.type for found in (*wanted, *given) for span in found})
    shared = [a & b for a, b in zip(wanted, given, strict=True)]
    grouping = Groups.of(list(groups) if groups is not None else range(len(gold)))

    # Three blocks of rows: rightly found, found, wanted; within each all, then by type.
    counts_3K_N = np.vstack([_counts(part, types) for part in (shared, given, wanted)])
    seen_1_3K = counts_3K_N.sum(axis=1)[np.newaxis]
    rng = np.random.default_rng(seed)
    drawn_D_3K = counting.drawn_sums(counts_3K_N, grouping, rng=rng, draws=draws)
    seen, drawn = (np.split(sums, 3, axis=1) for sums in (seen_1_3K, drawn_D_3K))

    def part(sums: Sequence[Floats], k: int) -> tuple[Floats, Floats, Floats]:
        right_D_K, found_D_K, wanted_D_K = sums
        return right_D_K[:, k], found_D_K[:, k], wanted_D_K[:, k]

    figures = [
        _figures(part(seen, k), part(drawn, k), grouping) for k in range(len(types) + 1)
    ]
    macro = counting.figure(
        float(counting.mean_f1(*(sums[:, 1:] for sums in seen))[0]),
        counting.mean_f1(*(sums[:, 1:] for sums in drawn)),
        grouping,
        units=_union(*(float(sums[0, 0]) for sums in seen)),
    )
    return EntityReport(
        overall=figures[0],
        macro_f1=macro,
        by_type=dict(zip(types, figures[1:], strict=True)),
    )


def _check(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if not gold or len(gold) != len(predicted):
        msg = f"{len(gold)} sentences and {len(predicted)} predictions"
        raise ValueError(msg)
    for number, (a, b) in enumerate(zip(gold, predicted, strict=True)):
        if len(a) != len(b):
            msg = f"sentence {number} has {len(a)} gold tags and {len(b)} predicted"
            raise ValueError(msg)


def _counts(sentences: Iterable[set[EntitySpan]], types: Sequence[str]) -> Floats:
    """Entities of each sentence: all in the first row, then a row a type."""
    by_type = [
        [len(found), *(sum(span.type == name for span in found) for name in types)]
        for found in sentences
    ]
    return np.array(by_type, dtype=np.float64).T


def _figures(
    seen: Sequence[Floats], drawn: Sequence[Floats], groups: Groups
) -> EntityFigures:
    right, found, wanted = (float(part[0]) for part in seen)

    def one(above: str, below: str) -> Figure:
        sides = {"right": 0, "found": 1, "wanted": 2}
        a, b = sides[above], sides[below]
        return counting.figure(
            float(counting.ratio(seen[a], seen[b])[0]),
            counting.ratio(drawn[a], drawn[b]),
            groups,
            units=float(seen[b][0]),
        )

    return EntityFigures(
        precision=one("right", "found"),
        recall=one("right", "wanted"),
        f1=counting.figure(
            float(counting.f1(*seen)[0]),
            counting.f1(*drawn),
            groups,
            units=_union(right, found, wanted),
        ),
        support=int(wanted),
        found=int(found),
    )


def _union(right: float, found: float, wanted: float) -> float:
    """Different entities among those found and those wanted."""
    return found + wanted - right


def f1_gain(
    gold: Sequence[Sequence[str]],
    better: Sequence[Sequence[str]],
    worse: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> Figure:
    """How much higher the entity F1 of `better` is, both drawn over the same sentences.

    Raises:
        ValueError: There are no sentences, or a word lacks one of its tags.
    """
    _check(gold, better)
    _check(gold, worse)
    wanted = [set(spans(tags)) for tags in gold]
    rows: list[Floats] = [_counts(wanted, ())]
    for predicted in (better, worse):
        given = [set(spans(tags)) for tags in predicted]
        shared = [a & b for a, b in zip(wanted, given, strict=True)]
        rows += [_counts(shared, ()), _counts(given, ())]
    counts_5_N = np.vstack(rows)
    grouping = Groups.of(list(groups) if groups is not None else range(len(gold)))

    def gain(sums_D_5: Floats) -> Floats:
        wanted_D, right_a, found_a, right_b, found_b = sums_D_5.T
        return counting.f1(right_a, found_a, wanted_D) - counting.f1(
            right_b, found_b, wanted_D
        )

    rng = np.random.default_rng(seed)
    drawn_D_5 = counting.drawn_sums(counts_5_N, grouping, rng=rng, draws=draws)
    value = float(gain(counts_5_N.sum(axis=1)[np.newaxis])[0])
    return counting.difference(value, gain(drawn_D_5), grouping)
