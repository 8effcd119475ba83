"""Measures of generated text against one reference each: BLEU and chrF of a corpus.

Values come from sacreBLEU (Post, 2018), with the signature that makes them comparable.
Both are ratios of n-gram counts over the whole corpus, not means over cases; so for the
interval the counts of cases are drawn again and the formula is applied to their sums.
Axis suffixes: N cases, K counts, D draws.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.measure import f1 as counting
from groundtune.measure.resample import Groups
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import percentile_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

WORD_ORDER = 4
"""Longest n-gram of words in BLEU."""
CHARACTER_ORDER = 6
"""Longest n-gram of characters in chrF."""
RECALL_WEIGHT = 2
"""How much more recall counts than precision in chrF, as its authors chose."""
_WHOLE = 1_000_000
"""Lengths are multiplied by it where they must be whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport:
    """How near generated texts are to their references, between 0 and 100."""

    bleu: Figure
    chrf: Figure
    bleu_signature: str
    """sacreBLEU's own account of how the value was made; print it with the value."""
    chrf_signature: str

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "bleu": self.bleu.to_json(),
            "chrf": self.chrf.to_json(),
            "bleu_signature": self.bleu_signature,
            "chrf_signature": self.chrf_signature,
        }


def text_report(
    predicted: Sequence[str],
    references: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> TextReport:
    """Measure texts against references, case by case in the same order.

    Args:
        predicted: What was generated; an empty text counts as what it is.
        references: What was wanted.
        groups: Group of each case, such as its dialogue; each its own if None.
        seed: Where the bootstrap starts.
        draws: Bootstrap draws.

    Raises:
        ValueError: There are no cases, or not one prediction for each.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    _check(predicted, references)
    grouping = Groups.of(list(groups) if groups is not None else range(len(predicted)))
    rng = np.random.default_rng(seed)
    bleu, chrf = BLEU(), CHRF()
    texts, wanted = list(predicted), [list(references)]
    bleu_value = float(bleu.corpus_score(texts, wanted).score)
    chrf_value = float(chrf.corpus_score(texts, wanted).score)

    def drawn(counts_K_N: Floats, score: Callable[[Floats], float]) -> Floats:
        sums_D_K = counting.drawn_sums(counts_K_N, grouping, rng=rng, draws=draws)
        return np.array([score(sums_K) for sums_K in sums_D_K])

    return TextReport(
        bleu=_figure(
            bleu_value, drawn(bleu_counts(texts, references), bleu_of), grouping
        ),
        chrf=_figure(
            chrf_value, drawn(chrf_counts(texts, references), chrf_of), grouping
        ),
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
    )


def chrf_scores(predicted: Sequence[str], references: Sequence[str]) -> list[float]:
    """Score each case alone by chrF, 0 to 100; their mean is not the corpus's.

    Raises:
        ValueError: There is not one prediction for each reference.
    """
    _check(predicted, references)
    return [chrf_of(counts_K) for counts_K in chrf_counts(predicted, references).T]


def _check(predicted: Sequence[str], references: Sequence[str]) -> None:
    if not references or len(predicted) != len(references):
        msg = f"{len(references)} cases and {len(predicted)} predictions"
        raise ValueError(msg)


def _figure(value: float, drawn_D: Floats, groups: Groups) -> Figure:
    if groups.count == 1:
        return Figure(value=value, low=0.0, high=100.0, n=groups.cases)
    low, high = percentile_limits(drawn_D, groups.count)
    return Figure(
        value=value,
        low=max(0.0, min(low, value)),
        high=min(100.0, max(high, value)),
        n=groups.cases,
    )


def bleu_counts(predicted: Sequence[str], references: Sequence[str]) -> Floats:
    """What BLEU is made of: `(10, N)`.

    For each case the matches and then the totals of each order, then both lengths.
    """
    from sacrebleu.metrics.bleu import BLEU

    alone = BLEU(effective_order=True)
    counts: list[list[int]] = []
    for text, reference in zip(predicted, references, strict=True):
        score: Any = alone.sentence_score(text, [reference])
        counts.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(counts, dtype=np.float64).T


def bleu_of(sums_K: Floats) -> float:
    """BLEU of a corpus from the sums of its `bleu_counts`, between 0 and 100."""
    from sacrebleu.metrics.bleu import BLEU

    sums: list[Any] = [float(each) for each in sums_K]
    # Without a single match their formula takes the logarithm of nothing.
    if not any(sums[:WORD_ORDER]):
        return 0.0
    # Of the lengths only the ratio counts, and they must be whole numbers.
    found, wanted = (round(_WHOLE * each) for each in sums[-2:])
    score = BLEU.compute_bleu(
        sums[:WORD_ORDER],
        sums[WORD_ORDER : 2 * WORD_ORDER],
        found,
        wanted,
        smooth_method="exp",
    )
    return float(score.score)


def chrf_counts(predicted: Sequence[str], references: Sequence[str]) -> Floats:
    """What chrF is made of: `(18, N)`.

    For each case and order the n-grams that are found, wanted, and both.
    """
    counts: list[list[int]] = []
    for text, reference in zip(predicted, references, strict=True):
        # White space is no character here: where a text is broken says little.
        found_text, wanted_text = "".join(text.split()), "".join(reference.split())
        row: list[int] = []
        for order in range(1, CHARACTER_ORDER + 1):
            found, wanted = _ngrams(found_text, order), _ngrams(wanted_text, order)
            # An order that the reference is too short for is not held against a text.
            size = found.total() if wanted else 0
            row += [size, wanted.total(), (found & wanted).total()]
        counts.append(row)
    return np.array(counts, dtype=np.float64).T


def _ngrams(text: str, order: int) -> Counter[str]:
    return Counter(text[i : i + order] for i in range(len(text) - order + 1))


def chrf_of(sums_K: Floats) -> float:
    """ChrF of a corpus from the sums of its `chrf_counts`, between 0 and 100.

    As Popovic defined it (2015): precision and recall are averaged over orders first.
    """
    found, wanted, shared = sums_K.reshape(CHARACTER_ORDER, 3).T
    used = (found > 0) & (wanted > 0)
    if not used.any() or not shared.any():
        return 0.0
    precision = float((shared[used] / found[used]).mean())
    recall = float((shared[used] / wanted[used]).mean())
    weight = RECALL_WEIGHT**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall)


def text_gain(
    better: Sequence[str],
    worse: Sequence[str],
    references: Sequence[str],
    *,
    measure: str = "chrf",
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> Figure:
    """How much higher `better` scores in `bleu` or `chrf`, drawn over the same cases.

    Raises:
        ValueError: There are no cases, not one prediction for each, or another measure.
    """
    counted = {"bleu": (bleu_counts, bleu_of), "chrf": (chrf_counts, chrf_of)}
    if measure not in counted:
        msg = f"measure is {measure!r}"
        raise ValueError(msg)
    _check(better, references)
    _check(worse, references)
    count, score = counted[measure]
    both_2K_N = np.vstack([count(better, references), count(worse, references)])
    grouping = Groups.of(list(groups) if groups is not None else range(len(better)))

    def gain(sums_2K: Floats) -> float:
        ours, theirs = np.split(sums_2K, 2)
        return score(ours) - score(theirs)

    rng = np.random.default_rng(seed)
    drawn_D_2K = counting.drawn_sums(both_2K_N, grouping, rng=rng, draws=draws)
    return counting.difference(
        gain(both_2K_N.sum(axis=1)),
        np.array([gain(sums_2K) for sums_2K in drawn_D_2K]),
        grouping,
        bound=100.0,
    )
