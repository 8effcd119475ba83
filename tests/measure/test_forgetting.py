"""What tuning has cost, from answers before and after."""

from __future__ import annotations

import pytest

from groundtune.data.probe import general_probe
from groundtune.measure.forgetting import forgetting


def _answers(right: int, total: int) -> dict[str, bool]:
    return {f"q{i:02d}": i < right for i in range(total)}


def test_what_was_lost_is_counted_among_what_was_known() -> None:
    found = forgetting(_answers(40, 60), _answers(10, 60))
    assert found.before.value == pytest.approx(40 / 60)
    assert found.after.value == pytest.approx(10 / 60)
    assert found.difference.value == pytest.approx(-0.5)
    assert found.difference.high < -0.3
    assert found.kept.value == pytest.approx(10 / 40)
    assert found.kept.n == 40
    assert found.is_shown


def test_the_same_answers_show_nothing_lost() -> None:
    found = forgetting(_answers(30, 60), _answers(30, 60))
    assert found.difference.value == 0
    assert found.difference.low < 0 < found.difference.high
    assert not found.is_shown


def test_who_knew_nothing_cannot_forget() -> None:
    found = forgetting(_answers(0, 20), _answers(3, 20))
    assert found.kept.n == 0
    assert (found.kept.low, found.kept.high) == (0.0, 1.0)


def test_only_shared_questions_count() -> None:
    found = forgetting(_answers(5, 10), _answers(5, 8))
    assert found.difference.n == 8
    with pytest.raises(ValueError, match="no question"):
        forgetting({"a": True}, {"b": True})


def test_the_probe_is_of_different_questions_with_answers() -> None:
    probe = general_probe()
    assert len({case.question for case in probe}) == len(probe) == 60
    assert all(case.answers and all(case.answers) for case in probe)
    # Few questions come from all over the list.
    few = [case.id for case in general_probe(6)]
    assert few == [f"probe-{n:02d}" for n in (0, 10, 20, 30, 40, 50)]
