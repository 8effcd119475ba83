"""What each diagnostic means for this run, in a sentence with its figures.

Diagnostics explain the arms and win nothing. A sentence says a direction only where the
two intervals keep clear of each other; otherwise that they cannot be told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.recipes.report_page.plots import label

if TYPE_CHECKING:
    from groundtune.measure.comparison import Summary

_COMPARED = {
    "naive_both": "both",
    "right_passage_base": "rag",
    "right_passage_tuned": "both",
    "context_without_documents": "both",
    "random_passages": "rag",
    "nearest_answer": "tuned",
}
"""The arm that each diagnostic is held against."""

_MEANING = {
    "naive_both": (
        "Simply adding retrieval to the tuned model",
        "does better than training for it: the training of both is to look at",
        "does worse: it is training with evidence that makes both what it is",
    ),
    "right_passage_base": (
        "Given the right passage, the published model",
        "does better than rag: that much is lost in retrieval",
        "does worse than rag: passages beside the right one help it",
    ),
    "right_passage_tuned": (
        "Given the right passage, the trained model",
        "does better than both: that much is lost in retrieval",
        "does worse than both: what it retrieves helps beyond the right passage",
    ),
    "context_without_documents": (
        "Without documents, the model of both",
        "does better than with them: what it is given misleads it",
        "does worse: its answers come from what it reads, not from memory",
    ),
    "random_passages": (
        "Given passages at random, the published model",
        "does better than rag: what retrieval brings is harmful",
        "does worse: it is the passages found that help, not passages as such",
    ),
    "nearest_answer": (
        "Copying the answer of the nearest training case",
        "does better than tuned: look for test answers among the training data",
        "does worse than tuned, which so has learnt more than to copy",
    ),
}
"""Who, what it means where it does better than its arm, and where worse."""


def meanings(summary: Summary) -> list[tuple[str, str]]:
    """Name and sentence of each diagnostic that was measured."""
    found: list[tuple[str, str]] = []
    for name, system in summary.diagnostics.items():
        arm = summary.arms.get(_COMPARED.get(name, ""))
        if arm is None or name not in _MEANING:
            continue
        who, better, worse = _MEANING[name]
        scores = (
            f"{system.score.value:.2f} against {arm.score.value:.2f} for {arm.name}"
        )
        # Intervals that keep clear of each other: stricter than a test of the pair.
        if system.score.low > arm.score.high:
            told = better
        elif system.score.high < arm.score.low:
            told = worse
        else:
            told = f"and {arm.name} cannot be told apart on these cases"
        found.append((label(name), f"{who} {told} ({scores}, n = {system.score.n:,})."))
    return found
