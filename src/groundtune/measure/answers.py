"""Scores of one short answer against its accepted wordings.

The rules are those of the SQuAD v1.1 evaluation (Rajpurkar et al., 2016): lower case,
no ASCII punctuation, no English articles, single spaces. Only scores of a single
answer belong here; their means and intervals are made in `summary`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIMARY = "token_f1"
"""The measure by which arms win: graded, without a judge model."""

_PUNCTUATION = frozenset(string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """Bring a text to the form in which answers are compared.

    Punctuation goes first and leaves no space ("U.S." becomes "us"), then articles.
    Punctuation outside ASCII stays, as in the official rules.

    Examples:
        >>> normalise("The  U.S. Navy, of  an era")
        'us navy of era'
    """
    bare = "".join(char for char in text.lower() if char not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 where the normalised prediction equals any reference; 0 with none."""
    found = normalise(prediction)
    return float(any(found == normalise(reference) for reference in references))


def token_f1(prediction: str, references: Sequence[str]) -> float:
    """Best overlap of words with any reference, counting repeats; 0 with none.

    Where nothing is left of a text after normalisation, the score is 1 if nothing is
    left of the other either, else 0 (the rule of SQuAD v2.0; v1.1 leaves it open).
    """
    return max((_f1(prediction, reference) for reference in references), default=0.0)


def _f1(prediction: str, reference: str) -> float:
    found, wanted = normalise(prediction).split(), normalise(reference).split()
    if not found or not wanted:
        return float(found == wanted)
    shared = (Counter(found) & Counter(wanted)).total()
    return 2 * shared / (len(found) + len(wanted))


def contains(text: str, references: Sequence[str]) -> float:
    """1 where the words of any reference stand in `text`, in order and unbroken.

    Whole words: "art" is not contained in "party". A reference of which nothing is
    left after normalisation is contained in nothing.
    """
    words = f" {normalise(text)} "
    wanted = (normalise(reference) for reference in references)
    return float(any(w and f" {w} " in words for w in wanted))


def score_answer(
    prediction: str,
    references: Sequence[str],
    *,
    answerable: bool,
    abstained: bool,
) -> dict[str, float]:
    """Every score of one answer, each in [0, 1].

    To abstain is right exactly where the case has no answer: then all scores are 1,
    and what an unanswerable case is told instead scores 0. An answerable case that
    is abstained from scores 0, whatever words the refusal shares with a reference.
    """
    if not answerable or abstained:
        right = float(abstained and not answerable)
        return dict.fromkeys((PRIMARY, "exact_match", "contains"), right)
    return {
        PRIMARY: token_f1(prediction, references),
        "exact_match": exact_match(prediction, references),
        "contains": contains(prediction, references),
    }
