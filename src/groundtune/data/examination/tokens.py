"""What a rendered conversation teaches: checked on its token ids and labels.

The doctor calls this on what it renders itself, a trainer on what it feeds the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.data.examination.diagnosis import Diagnosis, Spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IGNORED = -100
"""Label of a position that carries no loss, as everywhere in the field."""


class Rendered(NamedTuple):
    """One conversation as the model would see it."""

    where: str
    ids: Sequence[int]
    labels: Sequence[int]
    """The id itself where it is learned, `IGNORED` elsewhere."""


class _Check(NamedTuple):
    kind: str
    is_wrong: Callable[[Rendered], bool]
    message: str
    fix: str


def check_rendered(
    rendered: Sequence[Rendered],
    *,
    end_token: int,
    start_token: int | None = None,
    whole_is_learned: bool = False,
) -> Iterator[Diagnosis]:
    """Look at what is learned of each conversation.

    Args:
        rendered: Without padding.
        end_token: The token that ends an answer.
        start_token: The token that begins a sequence; None where the model has none.
        whole_is_learned: Whether the prompt is meant to carry loss as well.
    """
    starts = [start_token, start_token]

    def nothing_learned(row: Rendered) -> bool:
        return not _learns(row)

    def end_not_learned(row: Rendered) -> bool:
        is_there = end_token in row.labels or _is_masked(row, end_token)
        return _learns(row) and not is_there

    def end_masked(row: Rendered) -> bool:
        return _is_masked(row, end_token)

    def doubled_start(row: Rendered) -> bool:
        return start_token is not None and list(row.ids[:2]) == starts

    def prompt_learned(row: Rendered) -> bool:
        everything = bool(row.labels) and IGNORED not in row.labels
        return everything and not whole_is_learned

    checks = (
        _Check(
            "nothing_learned",
            nothing_learned,
            "rows have no token that is learned",
            "check that the answer was not cut and that the mask begins before it",
        ),
        _Check(
            "end_not_learned",
            end_not_learned,
            "rows do not learn to stop: the end token is not in the labels",
            "put the end token behind each answer",
        ),
        _Check(
            "end_masked",
            end_masked,
            "rows have the end token behind the answer, and no loss on it",
            "mask padding by length, not by id: the pad token is often the end token",
        ),
        _Check(
            "doubled_start",
            doubled_start,
            "rows begin with the start token twice",
            "let either the template or the tokenizer add it, not both",
        ),
        _Check(
            "labels_differ",
            _differ,
            "rows have labels that are not their tokens",
            "copy the ids; shifting by one is the model's business",
        ),
        _Check(
            "prompt_learned",
            prompt_learned,
            "rows learn the prompt as well as the answer",
            "give positions of the prompt the label -100",
        ),
    )
    for check in checks:
        wrong = [row for row in rendered if check.is_wrong(row)]
        if wrong:
            yield Diagnosis(
                kind=check.kind,
                severity="error",
                message=f"{len(wrong)} {check.message}",
                fix=check.fix,
                spots=tuple(Spot(row.where) for row in wrong),
            )


def _learns(row: Rendered) -> bool:
    return any(label != IGNORED for label in row.labels)


def _differ(row: Rendered) -> bool:
    return len(row.ids) != len(row.labels) or any(
        label not in {IGNORED, token}
        for token, label in zip(row.ids, row.labels, strict=True)
    )


def _is_masked(row: Rendered, end_token: int) -> bool:
    """Whether an end token follows a learned token and is not learned itself."""
    return any(
        token == end_token and label == IGNORED and before != IGNORED
        for token, label, before in zip(
            row.ids[1:], row.labels[1:], row.labels, strict=False
        )
    )
