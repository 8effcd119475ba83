"""Tags of named entities: whether they are legal, and their types spelled alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from groundtune.core.values import EntityCase
from groundtune.data.examination.diagnosis import (
    Diagnosis,
    Spot,
    by_share,
    line_of_token,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.data.labelled import LabelledData

_LONG_ENTITY = 30
_MANY_TOKENS = 150


class _Seen:
    """What a walk over all tokens finds."""

    def __init__(self) -> None:
        self.broken: list[Spot] = []
        self.foreign: list[Spot] = []
        self.long: list[Spot] = []
        self.spaced: list[Spot] = []
        self.by_type: dict[str, list[Spot]] = defaultdict(list)
        self.starts: Counter[str] = Counter()

    def walk(self, case: EntityCase, spots: list[Spot]) -> None:
        """Look at each token of a sentence with the tag before it."""
        length, before = 0, "O"
        for token, tag, spot in zip(case.tokens, case.tags, spots, strict=True):
            if len(token.split()) > 1:
                self.spaced.append(spot)
            if tag[0] in "ESLU":
                self.foreign.append(spot)
            goes_on = tag[0] == "I" and before != "O" and before[2:] == tag[2:]
            if tag[0] == "I" and not goes_on:
                detail = f"{spot.detail} after {before}"
                self.broken.append(spot._replace(detail=detail))
            if tag != "O" and not goes_on:
                self.by_type[tag[2:]].append(spot)
                self.starts[tag[0]] += 1
            length = length + 1 if tag[0] == "I" else 1
            if length == _LONG_ENTITY + 1:
                self.long.append(spot)
            before = tag


def check_entities(data: LabelledData, *, file: str) -> Iterator[Diagnosis]:
    """Look at the tags of a file."""
    cases = [
        (case, where)
        for case, where in zip(data.cases, data.places, strict=True)
        if isinstance(case, EntityCase)
    ]
    column = data.roles.get("tags", data.roles.get("entities", ""))
    is_columns = data.format == "conll"
    seen = _Seen()
    for case, where in cases:
        spots = [
            Spot(
                line_of_token(where, index, is_columns=is_columns),
                column,
                f"{shown(token)} {tag}",
            )
            for index, (token, tag) in enumerate(
                zip(case.tokens, case.tags, strict=True)
            )
        ]
        seen.walk(case, spots)
    yield from _scheme(seen)
    yield from _types(seen.by_type)
    if not seen.by_type:
        yield Diagnosis(
            kind="no_entities",
            severity="error",
            message="every token has the tag O",
            fix="check which column holds the tags: --role tags=COLUMN",
            spots=(Spot(file, column),),
        )
    for kind, spots, message, fix in (
        (
            "long_entities",
            seen.long,
            f"entities have more than {_LONG_ENTITY} tokens",
            "check where each of them ends",
        ),
        (
            "tokens_with_spaces",
            seen.spaced,
            "tokens hold spaces",
            "split them, each word with its own tag",
        ),
        (
            "missing_breaks",
            _unbroken(cases, data),
            "sentences are very much longer than the others",
            "put a blank line after each sentence",
        ),
    ):
        if spots:
            yield Diagnosis(
                kind=kind,
                severity="warning"
                if kind == "missing_breaks"
                else by_share(len(spots), len(cases)),
                message=f"{len(spots)} {message}",
                fix=fix,
                spots=tuple(spots),
            )


def _scheme(seen: _Seen) -> Iterator[Diagnosis]:
    broken, foreign, starts = seen.broken, seen.foreign, seen.starts
    if foreign:
        yield Diagnosis(
            kind="other_scheme",
            severity="error",
            message=f"{len(foreign)} tags begin with E, S, L or U: this is no BIO",
            fix="convert them: S and U to B, E and L to I",
            spots=tuple(foreign),
        )
    if broken and 2 * starts["I"] > starts.total():
        yield Diagnosis(
            kind="iob1",
            severity="error",
            message=f"{len(broken)} entities begin with I: the tags are IOB1",
            fix="convert them to BIO: the first token of an entity is B-TYPE",
            spots=tuple(broken),
        )
    elif broken:
        yield Diagnosis(
            kind="invalid_bio",
            severity="error",
            message=f"{len(broken)} tags go on with an entity that did not begin",
            fix="begin each entity with B-TYPE, and give all its tokens one type",
            spots=tuple(broken),
        )


def _types(by_type: dict[str, list[Spot]]) -> Iterator[Diagnosis]:
    forms: dict[str, list[str]] = defaultdict(list)
    for name in by_type:
        forms[name.casefold().replace("_", "-")].append(name)
    wrong: list[Spot] = []
    pairs: list[str] = []
    for names in forms.values():
        kept = max(names, key=lambda name: (len(by_type[name]), name))
        for name in names:
            if name != kept:
                wrong += by_type[name]
                pairs.append(f"{name!r} for {kept!r}")
    if wrong:
        yield Diagnosis(
            kind="type_variants",
            severity="error",
            message=f"types are spelled in several ways: {', '.join(pairs[:5])}",
            fix="write each type in one way; a model takes each for a class",
            spots=tuple(wrong),
        )


def _unbroken(cases: list[tuple[EntityCase, str]], data: LabelledData) -> list[Spot]:
    lengths = sorted(len(case.tokens) for case, _ in cases)
    usual = lengths[len(lengths) * 95 // 100] if lengths else 0
    return [
        Spot(where, data.roles.get("tokens", ""), f"{len(case.tokens)} tokens")
        for case, where in cases
        if len(case.tokens) > max(_MANY_TOKENS, 4 * usual)
    ]
