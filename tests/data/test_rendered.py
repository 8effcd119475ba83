"""What a rendered conversation teaches, by its token ids and labels."""

from __future__ import annotations

import pytest

from groundtune.data.examination.tokens import IGNORED, Rendered, check_rendered

START, END = 1, 2
GOOD = Rendered("f:1", [START, 7, 8, 9, END], [IGNORED, IGNORED, 8, 9, END])


def kinds(*rows: Rendered) -> dict[str, list[str]]:
    found = check_rendered(rows, end_token=END, start_token=START)
    return {one.kind: [spot.where for spot in one.spots] for one in found}


def test_a_good_rendering_has_no_fault() -> None:
    # The template may end a turn with more than its end token.
    longer = Rendered("f:2", [START, 7, 8, END, 5], [IGNORED, IGNORED, 8, END, IGNORED])

    assert kinds(GOOD, longer) == {}


@pytest.mark.parametrize(
    ("kind", "ids", "labels"),
    [
        ("nothing_learned", [START, 7, END], [IGNORED] * 3),
        ("end_not_learned", [START, 7, 8], [IGNORED, 7, 8]),
        ("end_masked", [START, 7, 8, END, END], [IGNORED, 7, 8, IGNORED, IGNORED]),
        ("doubled_start", [START, START, 7, END], [IGNORED, IGNORED, 7, END]),
        ("labels_differ", [START, 7, 8, END], [IGNORED, 8, END, END]),
        ("prompt_learned", [START, 7, 8, END], [START, 7, 8, END]),
    ],
)
def test_each_fault_is_found_at_its_row(
    kind: str, ids: list[int], labels: list[int]
) -> None:
    assert kinds(GOOD, Rendered("f:7", ids, labels)) == {kind: ["f:7"]}


def test_language_modelling_may_learn_the_prompt() -> None:
    row = Rendered("f:1", [START, 7, END], [START, 7, END])

    assert not list(
        check_rendered([row], end_token=END, start_token=START, whole_is_learned=True)
    )
