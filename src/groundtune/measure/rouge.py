"""Measures of summaries: ROUGE beside what people wrote, and what the source bears out.

ROUGE (Lin, 2004) counts what two texts share: words (ROUGE-1), pairs of words (ROUGE-2)
and the longest run of words in the same order (ROUGE-L). Values are F1 between 0 and
100 and equal to those of the package `rouge-score` without stemming, word for word of
ASCII; a test holds them together. Other scripts count here as well, where that package
sees no word. Of several references the one that fits best counts, for each measure.
Axis suffixes: K measures, N cases, D draws.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundtune.data.sentences import sentence_spans
from groundtune.measure import f1 as counting
from groundtune.measure.resample import Groups, bootstrap_means
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import percentile_limits

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

ROUGE = ("rouge_l", "rouge_1", "rouge_2")
"""Names of the measures; the first is the one that is quoted."""
SIGNATURE = "F1|references:best|case:lower|stemming:no|ROUGE-L:whole text"
"""How a value was made; print it with the value."""
SUPPORT = 0.6
"""Share of a sentence's longer words that the source must have, to bear it out."""

# Scripts without spaces are compared sign by sign; `_` separates, as in rouge-score.
_WORD = re.compile(r"[\u3040-\u9fff]|[^\W_\u3040-\u9fff]+")
_LONGER = 4
"""Letters from which a word says something of its own."""


class Rouge(NamedTuple):
    """One text beside its references."""

    rouge_l: float
    rouge_1: float
    rouge_2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RougeReport:
    """How near summaries are to their references, between 0 and 100: means of cases."""

    rouge_l: Figure
    rouge_1: Figure
    rouge_2: Figure
    signature: str = SIGNATURE

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        figures = {name: getattr(self, name).to_json() for name in ROUGE}
        return {**figures, "rouge_signature": self.signature}


def rouge(predicted: str, references: Sequence[str]) -> Rouge:
    """Score one text; of each measure the reference that fits best counts.

    Raises:
        ValueError: There are no references.

    Examples:
        >>> rouge("the cat sat", ["the cat was here", "the cat sat"])
        Rouge(rouge_l=100.0, rouge_1=100.0, rouge_2=100.0)
    """
    if not references:
        msg = "no reference to compare with"
        raise ValueError(msg)
    said = words_of(predicted)
    found = [_against(said, words_of(reference)) for reference in references]
    return Rouge(*(max(values) for values in zip(*found, strict=True)))


def rouge_report(
    predicted: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> RougeReport:
    """Measure summaries, case by case in the same order.

    Args:
        predicted: What was written; an empty text scores 0.
        references: What was wanted, one wording or several for each case.
        groups: Group of each case; each its own if None.
        seed: Where the bootstrap starts.
        draws: Bootstrap draws.

    Raises:
        ValueError: There are no cases, or not one prediction for each.
    """
    scores_K_N = _scores(predicted, references)
    grouping = _groups(groups, len(predicted))
    rng = np.random.default_rng(seed)
    drawn_D_K = bootstrap_means(scores_K_N, grouping, rng=rng, draws=draws)
    longest, one, two = (
        mean_figure(scores_K_N[k], drawn_D_K[:, k], grouping) for k in range(len(ROUGE))
    )
    return RougeReport(rouge_l=longest, rouge_1=one, rouge_2=two)


def rouge_gain(
    better: Sequence[str],
    worse: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    measure: str = ROUGE[0],
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = counting.DRAWS,
) -> Figure:
    """How much higher `better` scores in one of `ROUGE`, drawn over the same cases.

    Raises:
        ValueError: There are no cases, not one prediction for each, or another measure.
    """
    if measure not in ROUGE:
        msg = f"measure is {measure!r}"
        raise ValueError(msg)
    k = ROUGE.index(measure)
    gaps_1_N = (_scores(better, references)[k] - _scores(worse, references)[k])[None]
    grouping = _groups(groups, len(better))
    rng = np.random.default_rng(seed)
    drawn_D = bootstrap_means(gaps_1_N, grouping, rng=rng, draws=draws)[:, 0]
    return counting.difference(float(gaps_1_N.mean()), drawn_D, grouping, bound=100.0)


def coverage(summary: str, source: str) -> float:
    """Share of a summary's words that its source has, 0 to 1 (Grusky et al., 2018).

    1 of an empty summary: it says nothing that the source does not have.
    """
    said, had = words_of(summary), set(words_of(source))
    return sum(word in had for word in said) / len(said) if said else 1.0


def unsupported_sentences(summary: str, source: str) -> float:
    """Share of a summary's sentences most of whose longer words its source lacks.

    A sentence of short words alone is looked up by all of them. 0 of an empty summary.
    """
    had = set(words_of(source))
    spans = sentence_spans(summary)
    lacking = 0
    for span in spans:
        said = words_of(summary[span.start : span.end])
        telling = [word for word in said if len(word) >= _LONGER] or said
        borne_out = sum(word in had for word in telling)
        lacking += bool(telling) and borne_out < SUPPORT * len(telling)
    return lacking / len(spans) if spans else 0.0


def mean_figure(values_N: Floats, drawn_D: Floats, groups: Groups) -> Figure:
    """The mean of values in [0, 100], with the limits that its draws give."""
    value = float(values_N.mean())
    if groups.count == 1:
        return Figure(value=value, low=0.0, high=100.0, n=groups.cases)
    low, high = percentile_limits(drawn_D, groups.count)
    return Figure(
        value=value,
        low=max(0.0, min(low, value)),
        high=min(100.0, max(high, value)),
        n=groups.cases,
    )


def words_of(text: str) -> list[str]:
    """The words that are compared: lower case, letters and digits alone.

    Examples:
        >>> words_of("The cat's 2nd_life, über 猫")
        ['the', 'cat', 's', '2nd', 'life', 'über', '猫']
    """
    return _WORD.findall(text.lower())


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a word of the machine at a time.

    Bit i of `open_` says that the row of the usual table does not grow at word i of
    `one` (Hyyrö, 2004); so the zeros count what is common.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(one)) - 1
    open_ = full
    for word in other:
        met = open_ & places.get(word, 0)
        open_ = ((open_ + met) | (open_ - met)) & full
    return len(one) - open_.bit_count()


def _against(said: list[str], wanted: list[str]) -> Rouge:
    pairs, wanted_pairs = list(pairwise(said)), list(pairwise(wanted))
    return Rouge(
        _f1(common_length(said, wanted), len(said), len(wanted)),
        _f1((Counter(said) & Counter(wanted)).total(), len(said), len(wanted)),
        _f1(
            (Counter(pairs) & Counter(wanted_pairs)).total(),
            len(pairs),
            len(wanted_pairs),
        ),
    )


def _f1(shared: int, found: int, wanted: int) -> float:
    return 200 * shared / (found + wanted) if shared else 0.0


def _scores(predicted: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
    """Each measure of each case, `(K, N)`."""
    if not references or len(predicted) != len(references):
        msg = f"{len(references)} cases and {len(predicted)} predictions"
        raise ValueError(msg)
    pairs = zip(predicted, references, strict=True)
    return np.array([rouge(text, wanted) for text, wanted in pairs]).T


def _groups(groups: Sequence[Hashable] | None, count: int) -> Groups:
    return Groups.of(list(groups) if groups is not None else range(count))
