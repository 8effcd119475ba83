"""The settings tried, as the page of a tuned model shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.values import LabelCase
from groundtune.recipes.present import present_labels
from groundtune.recipes.tuning_page.trials import trial_plot, trial_rows

if TYPE_CHECKING:
    from pathlib import Path


def trial(number: int, score: float, *, is_whole: bool = True) -> dict[str, Any]:
    return {
        "number": number,
        "strategy": "full",
        "settings": {"learning_rate": 1e-4 * number, "layer_decay": 0.9},
        "score": score,
        "is_whole": is_whole,
        "seconds": 90.0,
    }


TRIALS = [trial(1, 0.8), trial(2, 0.5, is_whole=False), trial(3, 0.85)]


def test_a_trial_that_was_given_up_has_no_score() -> None:
    rows = trial_rows(TRIALS, chosen=3)

    assert [row.score for row in rows] == ["0.800", "given up", "0.850"]
    assert [row.is_chosen for row in rows] == [False, False, True]
    assert rows[0].varied == "learning rate 0.0001, layer decay 0.9"
    assert rows[0].minutes == "1.5"
    assert trial_plot(TRIALS[:2], chosen=1, measure="accuracy") == ""
    drawn = trial_plot(TRIALS, chosen=3, measure="accuracy")
    assert "trial 3 0.850" in drawn
    assert "trial 2" not in drawn


def test_the_page_has_the_trials_and_what_they_were_chosen_on(tmp_path: Path) -> None:
    cases = [
        LabelCase(id=str(n), text=f"text {n}", label="ab"[n % 2], group="")
        for n in range(8)
    ]
    present_labels(
        tmp_path,
        task="classification",
        train=cases,
        test=cases,
        labels=["a", "b"],
        predicted=["a"] * 8,
        base="base",
        method="full",
        search={"trials": TRIALS, "chosen": 3, "chosen_on": "120 dev <cases>"},
    )
    page = (tmp_path / "report.html").read_text()
    assert "On 120 dev &lt;cases&gt;; the full dot was chosen" in page
    assert "3 (chosen)" in page
    assert "given up" in page
