"""Pairs of translations: copied, in the wrong language, of unlikely lengths."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from groundtune.core.values import TranslationCase
from groundtune.data.doctor import normalise
from groundtune.data.examination.diagnosis import (
    RARE,
    Diagnosis,
    Spot,
    by_share,
    shown,
)
from groundtune.data.languages import frequent_words, guess_language

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundtune.data.labelled import LabelledData

_SAMPLE_PAIRS = 2_000
_FACTOR = math.e
"""A ratio of lengths so many times above or below the usual one is an outlier."""
_DEVIATIONS = 6
_MIN_WORDS = 3
_CLEAR = 3
"""Frequent words of a language, and so many times as many as of the other's."""
_MANY_SOURCES = 5
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")


def check_translations(data: LabelledData, *, file: str) -> Iterator[Diagnosis]:
    """Look at the pairs of a file."""
    pairs = [
        (case, where)
        for case, where in zip(data.cases, data.places, strict=True)
        if isinstance(case, TranslationCase)
    ]
    target = data.roles["target"]
    copied = [
        (case, where)
        for case, where in pairs
        if normalise(case.source) == normalise(case.target)
        and len(_WORD.findall(case.source)) >= _MIN_WORDS
    ]
    found = [
        (
            "copied_source",
            [Spot(where, target, shown(case.target)) for case, where in copied],
            "targets are their source",
            "translate them, or delete the rows",
        ),
        (
            "length_ratio",
            _outliers(pairs, target),
            "targets are much shorter or longer than their sources",
            "check that source and target are the same sentence",
        ),
        (
            "numbers_differ",
            _other_numbers(pairs, target),
            "targets have other numbers than their sources",
            "check that source and target are the same sentence",
        ),
        (
            "same_target",
            _shared_targets(pairs, target),
            f"targets stand beside {_MANY_SOURCES} or more different sources",
            "check that the rows are aligned",
        ),
    ]
    for kind, spots, message, fix in found:
        if spots:
            yield Diagnosis(
                kind=kind,
                severity=by_share(len(spots), len(pairs)),
                message=f"{len(spots)} {message}",
                fix=fix,
                spots=tuple(spots),
            )
    known = {where for _, where in copied}
    rest = [(case, where) for case, where in pairs if where not in known]
    yield from _languages(rest, data, total=len(pairs), file=file)


def _outliers(pairs: Sequence[tuple[TranslationCase, str]], column: str) -> list[Spot]:
    ratios = [math.log(len(case.target) / len(case.source)) for case, _ in pairs]
    middle = median(ratios)
    spread = median(abs(ratio - middle) for ratio in ratios)
    bound = max(math.log(_FACTOR), _DEVIATIONS * spread)
    return [
        Spot(where, column, f"{shown(case.source[:40])}: {shown(case.target[:40])}")
        for (case, where), ratio in zip(pairs, ratios, strict=True)
        if abs(ratio - middle) > bound
    ]


def _other_numbers(
    pairs: Sequence[tuple[TranslationCase, str]], column: str
) -> list[Spot]:
    """Where nearly all pairs that have digits agree in them, those that do not."""
    digits = [
        (sorted(_DIGITS.findall(c.source)), sorted(_DIGITS.findall(c.target)), c, where)
        for c, where in pairs
    ]
    both = [row for row in digits if row[0] and row[1]]
    wrong = [row for row in both if row[0] != row[1]]
    if len(wrong) > 0.1 * len(both):
        return []
    return [
        Spot(where, column, f"{', '.join(one)}: {', '.join(other)}")
        for one, other, _, where in wrong
    ]


def _shared_targets(
    pairs: Sequence[tuple[TranslationCase, str]], column: str
) -> list[Spot]:
    sources: dict[str, dict[str, str]] = defaultdict(dict)
    for case, where in pairs:
        sources[normalise(case.target)].setdefault(normalise(case.source), where)
    return [
        Spot(where, column, shown(target))
        for target, places in sources.items()
        if len(places) >= _MANY_SOURCES
        for where in places.values()
    ]


def _languages(
    pairs: Sequence[tuple[TranslationCase, str]],
    data: LabelledData,
    *,
    total: int,
    file: str,
) -> Iterator[Diagnosis]:
    sample = pairs[:: max(1, len(pairs) // _SAMPLE_PAIRS)]
    source = guess_language(" ".join(case.source for case, _ in sample))
    target = guess_language(" ".join(case.target for case, _ in sample))
    if not source or not target:
        return
    if source == target:
        yield Diagnosis(
            kind="one_language",
            severity="error",
            message=f"sources and targets are both in {source!r}",
            fix="check which columns hold them: --role target=COLUMN",
            spots=(Spot(file, data.roles["target"]),),
        )
        return
    yield Diagnosis(
        kind="languages", severity="note", message=f"from {source!r} to {target!r}"
    )
    swapped: list[Spot] = []
    wrong: list[Spot] = []
    for case, where in pairs:
        source_is_wrong = _is_in(case.source, target, rather_than=source)
        target_is_wrong = _is_in(case.target, source, rather_than=target)
        if source_is_wrong and target_is_wrong:
            swapped.append(Spot(where, data.roles["source"], shown(case.source)))
        elif source_is_wrong:
            wrong.append(Spot(where, data.roles["source"], shown(case.source)))
        elif target_is_wrong:
            wrong.append(Spot(where, data.roles["target"], shown(case.target)))
    for kind, spots, message in (
        ("swapped_languages", swapped, "pairs are the wrong way round"),
        ("wrong_language", wrong, "texts are in the language of the other side"),
    ):
        if spots:
            is_rare = len(spots) < RARE * total
            yield Diagnosis(
                kind=kind,
                severity="note" if is_rare else "warning",
                message=f"{len(spots)} {message}",
                fix="translate them, turn them round, or delete the rows",
                spots=tuple(spots),
            )


def _is_in(text: str, language: str, *, rather_than: str) -> bool:
    """Whether a text is clearly in one of two languages, by words the other lacks."""
    words = [word.casefold() for word in _WORD.findall(text)]
    one, other = frequent_words(language), frequent_words(rather_than)
    for_it = sum(word in one and word not in other for word in words)
    against = sum(word in other and word not in one for word in words)
    return for_it >= _CLEAR and for_it > _CLEAR * against
