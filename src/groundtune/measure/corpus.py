"""Measures that belong to a whole set of answers, brought to one value a case.

F1 over entities, BLEU and chrF are ratios of sums: no case has one of its own, so cases
cannot be averaged, paired or drawn again by themselves. Here each case gets the value
`f(S) + N · grad f(S) · (x - S / N)`, where `x` are its counts, `S` the sums of N cases
and `f` the measure. The mean of these values is the measure itself, exactly, and their
spread is what its linearisation (the infinitesimal jackknife; Jaeckel, 1972; Efron,
1982) says of it. So every interval, test and bound for means serves these measures too.
Axis suffixes: N cases, K counts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from groundtune.measure import f1 as counting
from groundtune.measure.entities import OUTSIDE, TAG_END, spans
from groundtune.measure.texts import bleu_counts, bleu_of, chrf_counts, chrf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from groundtune.measure.rows import Row

    Floats = npt.NDArray[np.float64]
    Count = Callable[[Sequence[Row]], Floats]
    Value = Callable[[Floats], float]

_STEP = 1e-4
"""Share of a count by which it is moved to see what the measure does."""


def linearised(counts_K_N: Floats, value: Value) -> Floats:
    """One value a case, `(N,)`, whose mean is `value` of the summed counts.

    Args:
        counts_K_N: What each case adds to the counts.
        value: The measure, of the sums.

    Raises:
        ValueError: There are no cases.
    """
    cases = counts_K_N.shape[1]
    if not cases:
        msg = "there are no cases"
        raise ValueError(msg)
    sums_K = counts_K_N.sum(axis=1)
    whole = value(sums_K)
    slope_K = np.zeros(len(sums_K))
    # What no case adds to cannot tell cases apart.
    for place in np.flatnonzero(sums_K):
        step_K = np.zeros(len(sums_K))
        step_K[place] = _STEP * sums_K[place]
        rise = value(sums_K + step_K) - value(sums_K - step_K)
        slope_K[place] = rise / (2 * step_K[place])
    around_K_N = counts_K_N - sums_K[:, np.newaxis] / cases
    values_N = whole + cases * (slope_K @ around_K_N)
    # Rounding must not move the mean.
    return values_N + (whole - values_N.mean())


def with_corpus_scores(rows: Sequence[Row], measures: Sequence[str]) -> list[Row]:
    """Rows with a score for each of these measures; others are left alone.

    Values are made for each system and training seed by itself, of the rows given:
    leave out first whatever is not to count.
    """
    wanted = [name for name in measures if name in CORPUS_MEASURES]
    if not wanted:
        return list(rows)
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.system, row.seed].append(place)
    made: list[dict[str, float]] = [{} for _ in rows]
    for chosen in places.values():
        its = [rows[place] for place in chosen]
        for name in wanted:
            count, value = CORPUS_MEASURES[name]
            values_N = linearised(count(its), value)
            for place, found in zip(chosen, values_N, strict=True):
                made[place][name] = float(found)
    return [
        replace(row, scores={**row.scores, **more})
        for row, more in zip(rows, made, strict=True)
    ]


def _entity_counts(rows: Sequence[Row]) -> Floats:
    """Entities right, found and wanted in each sentence."""
    counts: list[tuple[int, int, int]] = []
    for row in rows:
        gold = row.answers[0].split(TAG_END)
        # A row that failed says nothing: no word is named.
        tags = row.prediction.split(TAG_END) if row.prediction else [OUTSIDE]
        wanted, found = set(spans(gold)), set(spans(tags))
        counts.append((len(wanted & found), len(found), len(wanted)))
    return np.array(counts, dtype=np.float64).T


def _entity_f1(sums_K: Floats) -> float:
    right, found, wanted = (np.array([x]) for x in sums_K)
    return float(counting.f1(right, found, wanted)[0])


def _label_counts(rows: Sequence[Row]) -> Floats:
    """For each label the cases right, given it and having it, in three blocks."""
    labels = sorted({row.answers[0] for row in rows} | {row.prediction for row in rows})
    place = {label: number for number, label in enumerate(labels)}
    counts_3_L_N = np.zeros((3, len(labels), len(rows)))
    for number, row in enumerate(rows):
        gold, said = place[row.answers[0]], place[row.prediction]
        counts_3_L_N[1, said, number] = counts_3_L_N[2, gold, number] = 1
        counts_3_L_N[0, gold, number] = float(gold == said)
    return counts_3_L_N.reshape(3 * len(labels), len(rows))


def _macro_f1(sums_K: Floats) -> float:
    right_1_L, found_1_L, wanted_1_L = np.split(sums_K[np.newaxis], 3, axis=1)
    return float(counting.mean_f1(right_1_L, found_1_L, wanted_1_L)[0])


def _said_and_wanted(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    return [row.prediction for row in rows], [row.answers[0] for row in rows]


CORPUS_MEASURES: Mapping[str, tuple[Count, Value]] = {
    "entity_f1": (_entity_counts, _entity_f1),
    "macro_f1": (_label_counts, _macro_f1),
    "bleu": (
        lambda rows: bleu_counts(*_said_and_wanted(rows)),
        lambda sums_K: bleu_of(sums_K) / 100,
    ),
    "chrf": (
        lambda rows: chrf_counts(*_said_and_wanted(rows)),
        lambda sums_K: chrf_of(sums_K) / 100,
    ),
}
"""By name: what each case adds, and the measure of the sums, between 0 and 1."""
