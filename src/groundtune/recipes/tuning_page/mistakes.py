"""Which cases show best what a model gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.measure.calibration import probabilities
from groundtune.measure.entities import spans
from groundtune.recipes.tuning_page.tuned import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]


def wrong_labels(
    texts: Sequence[str],
    *,
    gold: Sequence[str],
    predicted: Sequence[str],
    ids: Sequence[str],
    labels: Sequence[str],
    logits_N_L: Floats | None,
    temperature: float,
) -> list[Mistake]:
    """Mistakes, those that the model was surest of first."""
    wrong = [i for i, label in enumerate(gold) if label != predicted[i]]
    notes = dict.fromkeys(wrong, "")
    if logits_N_L is not None:
        place = {label: i for i, label in enumerate(labels)}
        chances_N_L = probabilities(logits_N_L, temperature=temperature)

        def chance(row: int, label: str) -> float:
            return float(chances_N_L[row, place[label]]) if label in place else 0.0

        wrong.sort(key=lambda row: (chance(row, gold[row]), row))
        for row in wrong:
            ours, theirs = (chance(row, each[row]) for each in (predicted, gold))
            notes[row] = f"{ours:.2f} sure of it, {theirs:.2f} of the right label"
    return [
        Mistake(
            case=ids[row] if ids else str(row + 1),
            text=texts[row],
            gold=gold[row],
            predicted=predicted[row],
            note=notes[row],
        )
        for row in wrong
    ]


def wrong_sentences(
    tokens: Sequence[Sequence[str]],
    *,
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    ids: Sequence[str],
) -> list[Mistake]:
    """Sentences with a mistake, those with most entities missed or invented first."""
    found: list[tuple[int, int, Mistake]] = []
    for row, words in enumerate(tokens):
        wanted, given = spans(gold[row]), spans(predicted[row])
        missed = len(set(wanted) - set(given))
        invented = len(set(given) - set(wanted))
        if not missed + invented:
            continue

        def told(entities: Sequence[tuple[int, int, str]], of: Sequence[str]) -> str:
            named = (f"{' '.join(of[a:b])} ({type_})" for a, b, type_ in entities)
            return ", ".join(named) or "no entity"

        mistake = Mistake(
            case=ids[row] if ids else str(row + 1),
            text=" ".join(words),
            gold=told(wanted, words),
            predicted=told(given, words),
            note=f"{missed} not found as they are, {invented} not there",
        )
        found.append((-missed - invented, row, mistake))
    return [mistake for _, _, mistake in sorted(found, key=lambda each: each[:2])]


def poorest_texts(
    asked: Sequence[str],
    *,
    predicted: Sequence[str],
    references: Sequence[str],
    scores: Sequence[float],
    ids: Sequence[str],
    measure: str,
) -> list[Mistake]:
    """Cases whose text is least like its reference, the least like first."""
    order = sorted(range(len(asked)), key=lambda row: (scores[row], row))
    return [
        Mistake(
            case=ids[row] if ids else str(row + 1),
            text=asked[row],
            gold=references[row],
            predicted=predicted[row],
            note=f"{measure} {scores[row]:.1f}",
        )
        for row in order
    ]
