"""The verdict on worlds where the right one is known, and what goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.comparison import Summary, summarise
from groundtune.measure.costs import break_even
from groundtune.measure.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.measure.rows import Figure

ARMS = ("plain", "rag", "tuned", "both")
FAST = {"plain": 200.0, "rag": 800.0, "tuned": 210.0, "both": 820.0}


def make_rows(
    shares: dict[str, float],
    *,
    cases: int = 240,
    groups: int = 30,
    seed: int = 0,
    same_luck: bool = True,
    unanswerable: int = 0,
    declines: dict[str, float] | None = None,
) -> list[Row]:
    """Rows of systems that answer a given share of cases rightly."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(cases):
        luck = rng.random()
        answerable = number >= unanswerable
        for system, share in shares.items():
            drawn = luck if same_luck else rng.random()
            abstained = not answerable and drawn < (declines or {}).get(system, 0.0)
            right = abstained if not answerable else drawn < share
            rows.append(
                Row(
                    case=f"c{number:04}",
                    system=system,
                    seed=0,
                    group=f"d{number % groups}",
                    question="?",
                    answers=("x",) if answerable else (),
                    answerable=answerable,
                    prediction="x" if right else "y",
                    scores={"token_f1": float(right)},
                    abstained=abstained,
                    hit=number % 10 != 0 if system in ("rag", "both") else None,
                    prompt_tokens=400 if system in ("rag", "both") else 40,
                    output_tokens=10,
                )
            )
    return rows


def judge(rows: list[Row], **extra: Any) -> Summary:
    settings = extra.pop("settings", ProtocolSettings(draws=1000))
    timings = [
        {
            "case": row.case,
            "system": row.system,
            "total_ms": FAST.get(row.system, 500.0),
        }
        for row in rows
    ]
    resources = {"tuned": {"train_seconds": 600}, "both": {"train_seconds": 900}}
    return summarise(
        rows, timings=timings, resources=resources, settings=settings, **extra
    )


def test_a_clear_winner_is_named_with_its_numbers() -> None:
    found = judge(make_rows({"plain": 0.02, "rag": 0.2, "tuned": 0.1, "both": 0.6}))
    verdict = found.verdict
    assert (verdict.arm, verdict.decided, verdict.reason) == ("both", True, "quality")
    assert set(verdict.beaten) == {"plain", "rag", "tuned"}
    gap = found.arms["both"].score.value - found.arms["rag"].score.value
    assert f"{gap:+.3f}" in verdict.why
    contrast = next(c for c in found.contrasts if c.name == "both-rag")
    low, high = contrast.difference.low, contrast.difference.high
    assert f"[{low:+.3f}, {high:+.3f}], p < 0.001" in verdict.why
    assert contrast.p < 0.001
    assert "240 cases from 30 groups" in verdict.why
    assert "rag, the next best" in verdict.why


def test_equals_within_the_margin_go_to_the_fresher_and_cheaper() -> None:
    found = judge(
        make_rows({"plain": 0.1, "rag": 0.7, "tuned": 0.3, "both": 0.7}, cases=900)
    )
    assert found.verdict.arm == "rag"
    assert found.verdict.reason == "cost"
    assert set(found.verdict.kept) == {"rag", "both"}
    assert "count as equal" in found.verdict.why
    assert any(flip.what == "volume" for flip in found.verdict.flips)


def test_training_cost_counts_against_the_tuned_arm() -> None:
    rows = make_rows({"rag": 0.6, "tuned": 0.6}, cases=900)
    many = ProtocolSettings(draws=500, questions_per_month=1_000_000)
    few = ProtocolSettings(draws=500, questions_per_month=100, updates_per_month=30)
    assert judge(rows, settings=many).verdict.arm == "tuned"
    assert judge(rows, settings=few).verdict.arm == "rag"


def test_too_few_cases_are_undecided_with_how_many_would_do() -> None:
    rows = make_rows(
        {"plain": 0.05, "rag": 0.5, "tuned": 0.05, "both": 0.56},
        cases=60,
        groups=60,
        same_luck=False,
        seed=3,
    )
    verdict = judge(rows).verdict
    assert verdict.arm is None
    assert not verdict.decided
    assert "No clear winner on 60 cases" in verdict.why
    assert verdict.cases_needed is not None
    assert verdict.cases_needed >= 90
    assert f"{verdict.cases_needed:,} cases would decide it" in verdict.why
    assert set(verdict.beaten) == {"plain", "tuned"}


@pytest.mark.parametrize("cases", [1, 2, 3, 5])
def test_a_handful_of_cases_decides_nothing(cases: int) -> None:
    rows = make_rows({"plain": 0.0, "rag": 1.0, "tuned": 0, "both": 0}, cases=cases)
    found = judge(rows)
    assert found.verdict.arm is None
    assert any("screening" in text for text in found.warnings)


def test_a_test_set_without_answers_names_no_arm() -> None:
    """Whoever always declines is right: that is no reason to take an arm."""
    declines = {"plain": 0.0, "rag": 1.0, "tuned": 0.1, "both": 0.9}
    rows = make_rows(dict.fromkeys(ARMS, 0.5), unanswerable=240, declines=declines)
    summary = judge(rows)
    assert summary.arms["rag"].score.value == 1.0
    assert summary.verdict.arm is None
    assert "No test case has an answer" in summary.verdict.why
    assert any("No test case has an answer" in text for text in summary.warnings)


def test_drafted_cases_are_counted_until_somebody_reviews_them() -> None:
    rows = make_rows({"rag": 0.7, "tuned": 0.3})
    drafted = [replace(row, reviewed=row.case >= "c0100") for row in rows]
    summary = judge(drafted)
    assert summary.counts.unreviewed == 100
    assert any("100 of 240 test cases were drafted" in w for w in summary.warnings)
    assert judge(rows).counts.unreviewed == 0


def test_arms_that_say_the_same_are_pointed_out() -> None:
    same = judge(make_rows(dict.fromkeys(ARMS, 0.5)))
    assert any("word for word" in text for text in same.warnings)
    assert same.verdict.reason != "quality"
    few = judge(make_rows(dict.fromkeys(ARMS, 0.5), cases=3, groups=3))
    assert few.verdict.arm is None
    other = judge(make_rows({**dict.fromkeys(ARMS, 0.5), "rag": 0.6}))
    assert not any("word for word" in text for text in other.warnings)


def test_few_documents_are_undecided_and_say_why() -> None:
    shares = {"plain": 0.0, "rag": 0.9, "tuned": 0.1, "both": 0.2}
    found = judge(make_rows(shares, groups=4))
    assert found.verdict.arm is None
    assert "too few" in found.verdict.why
    assert found.verdict.cases_needed is None
    assert any("only 4 groups" in text for text in found.warnings)
    by_case = judge(
        make_rows(shares, groups=4),
        settings=ProtocolSettings(draws=500, unit="case"),
    )
    assert by_case.verdict.arm == "rag"
    assert any("these documents" in text for text in by_case.warnings)


@pytest.mark.parametrize(("groups", "arm"), [(8, None), (9, "rag")])
def test_from_nine_documents_on_four_arms_can_be_told_apart(
    groups: int, arm: str | None
) -> None:
    """8 give p = 2 / 2 ** 8 at best, and 6 times that is above 0.8 of 0.05."""
    shares = {"plain": 0.0, "rag": 1.0, "tuned": 0.0, "both": 0.0}
    verdict = judge(make_rows(shares, groups=groups)).verdict
    assert verdict.arm == arm
    assert verdict.groups_needed == (None if arm else 9)
    assert ("add documents, to 9 at least" in verdict.why) == (arm is None)


def test_one_document_is_judged_by_its_questions() -> None:
    found = judge(make_rows({"plain": 0.0, "rag": 0.9}, groups=1))
    assert found.verdict.arm == "rag"
    assert any("these documents" in text for text in found.warnings)


@pytest.mark.parametrize(("cases", "groups"), [(3, 3), (60, 60), (150, 150), (120, 12)])
def test_equal_arms_seldom_get_a_verdict(cases: int, groups: int) -> None:
    named = 0
    for seed in range(60):
        rows = make_rows(
            dict.fromkeys(ARMS, 0.4),
            cases=cases,
            groups=groups,
            seed=seed,
            same_luck=False,
        )
        found = judge(rows, settings=ProtocolSettings(draws=200))
        named += found.verdict.arm is not None
    assert named / 60 <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


def test_a_gated_arm_cannot_win() -> None:
    rows = make_rows({"plain": 0.0, "rag": 0.3, "tuned": 0.1, "both": 0.7})
    found = judge(rows, gates={"both": "test answers were in its training data"})
    assert found.verdict.arm == "rag"
    assert "both was left out: test answers were in" in found.verdict.why
    assert found.arms["both"].score.value > 0.5


def test_unlearning_to_decline_is_a_gate() -> None:
    rows = make_rows(
        {"plain": 0.0, "rag": 0.3, "tuned": 0.1, "both": 0.9},
        unanswerable=60,
        declines={"rag": 0.8, "both": 0.1},
    )
    found = judge(rows)
    assert "both" in found.verdict.gated
    assert "declines" in found.verdict.gated["both"]
    assert found.verdict.arm != "both"
    assert found.arms["rag"].measures["refusal_recall"].n == 60


def test_failed_and_missing_cases_are_told_apart() -> None:
    rows = make_rows({"plain": 0.2, "rag": 0.9}, cases=40, groups=40)
    failed = [
        replace(row, scores={}, error="engine stopped")
        if row.system == "rag" and row.case < "c0010"
        else row
        for row in rows
    ]
    found = judge(failed[:-1])
    assert found.counts.incomplete == 1
    assert found.arms["rag"].score.n == 39
    assert found.arms["rag"].errors == 10
    assert found.arms["rag"].score.value <= 29 / 39
    assert any("failed on 10 rows" in text for text in found.warnings)
    assert any("1 cases lack a row" in text for text in found.warnings)


def test_seeds_are_points_and_their_mean_is_the_case() -> None:
    rows = make_rows({"plain": 0.2, "tuned": 0.5}, cases=50, groups=50)
    rows += [
        replace(row, seed=1, scores={"token_f1": 0.0})
        for row in rows
        if row.system == "tuned"
    ]
    found = judge(rows).arms["tuned"]
    assert list(found.by_seed) == [0, 1]
    assert found.by_seed[1] == 0
    assert found.score.value == pytest.approx(found.by_seed[0] / 2)
    assert found.score.n == 50


def test_quality_is_split_by_hit_also_for_arms_that_do_not_retrieve() -> None:
    found = judge(make_rows({"plain": 0.3, "rag": 0.6, "both": 0.9}))
    assert found.arms["plain"].by_hit["missed"].n == 24
    assert found.arms["rag"].by_hit["found"].n == 216
    assert found.arms["rag"].measures["hit"].value == pytest.approx(0.9)


def test_the_hit_rate_that_turns_it_is_where_the_lines_cross() -> None:
    rows = make_rows({"plain": 0.5, "rag": 0.9}, cases=400, groups=40)
    rows = [
        replace(row, scores={"token_f1": 0.0})
        if row.system == "rag" and row.hit is False
        else row
        for row in rows
    ]
    found = judge(rows)
    flip = next(f for f in found.verdict.flips if f.what == "retrieval")
    rag, plain = found.arms["rag"].by_hit, found.arms["plain"].by_hit
    assert flip.value is not None

    turn = flip.value

    def at(arm: Mapping[str, Figure]) -> float:
        return turn * arm["found"].value + (1 - turn) * arm["missed"].value

    assert at(rag) == pytest.approx(at(plain))


def test_warnings_name_the_bottleneck() -> None:
    shares = {"plain": 0.1, "rag": 0.15, "both": 0.5}
    extra = {
        "right_passage_base": 0.2,
        "right_passage_tuned": 0.8,
        "random_passages": 0.3,
    }
    found = judge(make_rows({**shares, **extra}))
    text = " ".join(found.warnings)
    assert "reading, not retrieval, is the bottleneck" in text
    assert "The context adapter reaches" in text
    assert "no better than random passages" in text
    assert "One training seed" in text
    low = [
        replace(r, hit=None if r.hit is None else r.case > "c0120")
        for r in make_rows(shares)
    ]
    assert any("mend that first" in text for text in judge(low).warnings)
    high = judge(make_rows({"plain": 0.97, "rag": 0.98}))
    assert any("little left" in text for text in high.warnings)


def test_break_even_by_hand() -> None:
    # 12 months; 600 to set up, 50 per update, 2 updates a month; 0.25 saved a question.
    assert break_even(
        setup_gap=600, update_gap=50, updates=2, horizon=12, cost_gap=0.25
    ) == pytest.approx((600 + 2 * 12 * 50) / (12 * 0.25))
    assert break_even(setup_gap=600, cost_gap=0.0) is None
    assert break_even(setup_gap=-5, cost_gap=1.0) == 0.0


def test_the_same_rows_give_the_same_summary_in_any_order() -> None:
    rows = make_rows(dict(zip(ARMS, (0.1, 0.3, 0.2, 0.5), strict=True)), cases=60)
    assert judge(rows).to_json() == judge(list(reversed(rows))).to_json()


def test_no_rows_of_any_arm_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DataError, match="no row of any arm"):
        summarise([])
    alone = make_rows({"plain": 0.5}, cases=1) + [
        replace(row, case="other") for row in make_rows({"rag": 1}, cases=1)
    ]
    with pytest.raises(DataError, match="it resumes"):
        summarise(alone)


def test_one_arm_alone_gets_figures_but_no_verdict() -> None:
    found = judge(make_rows({"rag": 0.5}))
    assert found.verdict.arm is None
    assert found.contrasts == ()
    assert "nothing to compare it with" in found.verdict.why


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"protocol\.margin: margin is 0"):
        ProtocolSettings(margin=0)
    with pytest.raises(ConfigError, match=r"protocol\.unit"):
        ProtocolSettings(unit="page")  # pyright: ignore[reportArgumentType]
