"""How far an export may be from the trained model, and how far it is.

Pure: numpy and plain values. Every runtime computes in float32 for this, so that the
figures show what the files hold and not in what a processor happens to compute.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import StoreError
from groundtune.measure.calibration import probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from groundtune.tune.exports.trained import Answer

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """An export of a label model beside the model itself."""

    rows: int
    labels: int
    """Labels given: one a text, or one a word."""
    largest_difference: float
    """Of two probabilities of one label, over all rows and labels."""
    mean_difference: float
    same_labels: float
    """Share of the labels given."""
    right_before: float | None
    """Share of right labels of the trained model; None where these are not known."""
    right_after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFigures:
    """An export of a generator beside the model itself."""

    prompts: int
    tokens: int
    """Next tokens that were compared: those of answers up to where two part."""
    largest_difference: float
    """Of the probabilities that both give to their first choice of a next token."""
    mean_difference: float
    same_next_tokens: float
    same_answers: float
    """Share of prompts with the very same greedy answer."""
    same_prompts: float
    """Share of prompts that both tokenizers cut into the same tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What blocks an export. None: not asked."""

    largest_difference: float | None = None
    mean_difference: float | None = None
    same_labels: float | None = None
    same_next_tokens: float | None = None
    same_prompts: float | None = None


LABEL_LIMITS = Limits(largest_difference=0.01, same_labels=0.98)
ROUNDED_LABEL_LIMITS = Limits(mean_difference=0.02, same_labels=0.95)
"""Where weights have 8 bits, or are bfloat16."""
ANSWER_LIMITS = Limits(largest_difference=0.05, same_next_tokens=0.97, same_prompts=1.0)
ROUNDED_ANSWER_LIMITS = Limits(
    mean_difference=0.05, same_next_tokens=0.85, same_prompts=1.0
)


def compare_labels(
    trained: Sequence[Floats],
    exported: Sequence[Floats],
    *,
    names: Sequence[str],
    gold: Sequence[list[str]],
) -> LabelFigures:
    """Figures of logits, one array `(labels given, names)` a row.

    Args:
        trained: Of the trained model.
        exported: Of the export, rows in the same order.
        names: Of the labels.
        gold: Right labels of each row; empty where they are not known.
    """
    ours_S_L = probabilities(np.concatenate(trained))
    theirs_S_L = probabilities(np.concatenate(exported))
    apart_S_L = np.abs(ours_S_L - theirs_S_L)
    ours_S, theirs_S = ours_S_L.argmax(axis=1), theirs_S_L.argmax(axis=1)
    right: list[float | None] = [None, None]
    if gold:
        named_S = [label for labels in gold for label in labels]
        right = [
            float(
                np.mean(
                    [names[int(p)] == g for p, g in zip(said, named_S, strict=True)]
                )
            )
            for said in (ours_S, theirs_S)
        ]
    return LabelFigures(
        rows=len(trained),
        labels=len(ours_S),
        largest_difference=float(apart_S_L.max()),
        mean_difference=float(apart_S_L.mean()),
        same_labels=float((ours_S == theirs_S).mean()),
        right_before=right[0],
        right_after=right[1],
    )


def compare_answers(
    trained: Sequence[Answer], exported: Sequence[Answer], *, same_prompts: int
) -> AnswerFigures:
    """Figures of greedy answers, in the same order of prompts.

    Args:
        trained: Of the trained model.
        exported: Of the export.
        same_prompts: Prompts that both tokenizers cut alike.
    """
    apart: list[float] = []
    same = compared = 0
    for ours, theirs in zip(trained, exported, strict=True):
        # After the first other token the two answer different questions.
        for place in range(min(len(ours.tokens), len(theirs.tokens))):
            compared += 1
            if not math.isnan(theirs.shares[place]):
                apart.append(abs(ours.shares[place] - theirs.shares[place]))
            if ours.tokens[place] != theirs.tokens[place]:
                break
            same += 1
    equal = sum(a.tokens == b.tokens for a, b in zip(trained, exported, strict=True))
    return AnswerFigures(
        prompts=len(trained),
        tokens=compared,
        largest_difference=max(apart, default=math.inf),
        mean_difference=float(np.mean(apart)) if apart else math.inf,
        same_next_tokens=same / max(1, compared),
        same_answers=equal / len(trained),
        same_prompts=same_prompts / len(trained),
    )


def refuse_different(
    figures: LabelFigures | AnswerFigures, limits: Limits, *, to: str
) -> None:
    """Let pass what is as the trained model within the limits.

    Raises:
        StoreError: It is further away.
    """
    found: dict[str, Any] = asdict(figures)
    for name, limit in asdict(limits).items():
        if limit is None:
            continue
        is_share = name.startswith("same")
        if not (found[name] >= limit if is_share else found[name] <= limit):
            word = "least" if is_share else "most"
            raise StoreError(
                f"the export to {to} does not answer as the trained model: "
                f"{name.replace('_', ' ')} is {found[name]:.3g}, allowed is at {word} "
                f"{limit:g}; nothing was written",
                fix="export without --int8 and in the precision of training; "
                "if you did, report this",
                where=to,
            )
