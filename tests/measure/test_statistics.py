"""Intervals and tests: against scipy, by property, and by simulation of the 5 %."""

from __future__ import annotations

import itertools
import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from groundtune.measure import power, resample
from groundtune.measure.best import (
    chance_of_best,
    difference,
    interaction,
    join,
    shown_better,
    simultaneous_lower,
)
from groundtune.measure.resample import Groups
from groundtune.measure.statistics import (
    compare_paired,
    holm,
    mcnemar,
    mean_interval,
    tost,
    wilson,
)

Scores = npt.NDArray[np.float64]

unit = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 3))
pairs = st.lists(st.tuples(unit, unit, st.integers(0, 15)), min_size=1, max_size=40)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(n=st.integers(1, 400), share=unit)
def test_wilson_equals_scipy(n: int, share: float) -> None:
    successes = round(n * share)
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    found = wilson(successes, n)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    assert found.low <= found.value <= found.high


def test_wilson_by_hand() -> None:
    # 240 of 300, by the formula in Wilson (1927).
    found = wilson(240, 300)
    assert (found.low, found.high) == pytest.approx((0.75107, 0.84134), abs=1e-5)
    with pytest.raises(ValueError, match="0 successes of 0"):
        wilson(0, 0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_test(only_a: int, only_b: int) -> None:
    if only_a + only_b == 0:
        assert mcnemar(0, 0) == 1
        return
    expected = stats.binomtest(only_a, only_a + only_b).pvalue
    assert mcnemar(only_a, only_b) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_the_interval_holds_the_estimate_and_p_is_never_zero(
    cases: list[tuple[float, float, int]],
) -> None:
    a, b, groups = zip(*cases, strict=True)
    found = compare_paired(a, b, groups, rng=rng(), draws=200)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert 0 < found.p <= 1
    assert found.low < found.high
    one = mean_interval(a, groups, rng=rng(), draws=200)
    assert 0 <= one.low <= one.value <= one.high <= 1


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_swapping_the_systems_mirrors_the_difference(
    cases: list[tuple[float, float, int]],
) -> None:
    a, b, groups = zip(*cases, strict=True)
    there = compare_paired(a, b, groups, rng=rng(), draws=200)
    back = compare_paired(b, a, groups, rng=rng(), draws=200)
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, abs=1e-9)
    assert there.high == pytest.approx(-back.low, abs=1e-9)
    assert there.p == pytest.approx(back.p)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(unit, unit), min_size=6, max_size=12))
def test_with_few_groups_interval_and_test_agree(
    cases: list[tuple[float, float]],
) -> None:
    """The exact interval leaves 0 out exactly where the exact test rejects 0."""
    gaps = np.array([a - b for a, b in cases])
    groups = Groups.of(range(len(gaps)))
    p = resample.sign_flip_p(gaps[np.newaxis], groups, rng=rng(), draws=1)[0]
    low, high = resample.sign_flip_interval(gaps, groups, level=0.95)
    assert (p > 0.05) == (low <= 1e-9 and high >= -1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-3, 4), min_size=6, max_size=12))
def test_a_limit_that_ties_is_held_where_the_test_with_half_ties_keeps_it(
    wins: list[int],
) -> None:
    gaps = np.array(wins) / 5
    low, high = resample.sign_flip_interval(
        gaps, Groups.of(range(len(gaps))), level=0.95
    )
    signs = np.array(list(itertools.product([1, -1], repeat=len(wins))))
    sums = np.abs(signs @ np.array(wins))
    seen = abs(sum(wins))
    # The pattern that was seen, and its mirror, count whole.
    half = ((sums > seen).sum() + (sums == seen).sum() / 2 + 1) / len(sums)
    assert (low <= 0 <= high) == (seen == 0 or half > 0.05)


def _mean_gap(a: Scores, b: Scores, axis: int) -> Scores:
    return np.mean(a - b, axis=axis)


def test_exact_sign_flips_equal_scipy() -> None:
    gaps = np.array([0.4, -0.1, 0.3, 0.25, 0.6, -0.05, 0.2])
    expected = stats.permutation_test(
        (gaps, np.zeros(7)), _mean_gap, permutation_type="samples", n_resamples=10_000
    ).pvalue
    found = compare_paired(gaps.clip(0), (-gaps).clip(0), range(7), rng=rng())
    assert found.test == "sign-flip exact"
    assert found.p == pytest.approx(expected)


def test_three_equal_gaps_show_nothing() -> None:
    found = compare_paired([1, 1, 1], [0, 0, 0], "abc", rng=rng())
    assert (found.low, found.high) == (-1, 1)
    assert found.p == 0.25


def test_the_smallest_p_of_few_groups_is_a_power_of_two() -> None:
    for count in (2, 5, 6, 12):
        labels = [i % count for i in range(count * 4)]
        scores = np.linspace(0.5, 1, count * 4)
        found = compare_paired(scores, scores * 0, labels, rng=rng())
        assert found.p == pytest.approx(2.0 ** (1 - count))


def test_cases_of_one_document_count_as_one_voice() -> None:
    a = np.repeat([1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0] * 2, 10)
    b = np.repeat([0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0] * 2, 10)
    alone = compare_paired(a, b, range(160), rng=rng())
    grouped = compare_paired(a, b, np.repeat(range(16), 10).tolist(), rng=rng())
    assert alone.p < 0.001
    assert grouped.p > 0.05
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_a_rate_over_documents_has_a_wider_interval_than_wilson() -> None:
    scores = np.repeat([1.0, 0.0], 10 * 10)
    groups = np.repeat(range(20), 10).tolist()
    plain = wilson(100, 200)
    found = mean_interval(scores, groups, rng=rng())
    assert found.high - found.low > 2 * (plain.high - plain.low)
    ungrouped = mean_interval(scores, range(200), rng=rng())
    assert (ungrouped.low, ungrouped.high) == pytest.approx((plain.low, plain.high))


def test_scores_that_are_all_alike_still_have_doubt() -> None:
    zero = mean_interval([0.0] * 200, range(200), rng=rng())
    assert zero.low == 0
    assert zero.high == pytest.approx(wilson(0, 200).high)
    same = compare_paired([0.5] * 20, [0.5] * 20, range(20), rng=rng())
    assert same.p == 1
    assert same.low < 0 < same.high


@given(st.dictionaries(st.text(min_size=1), st.floats(1e-9, 1), min_size=1, max_size=8))
def test_holm_is_monotone_and_never_below_the_raw_value(
    values: dict[str, float],
) -> None:
    found = holm(values)
    assert list(found) == list(values)
    order = sorted(values, key=lambda name: values[name])
    adjusted = [found[name] for name in order]
    assert adjusted == sorted(adjusted)
    for name, p in values.items():
        assert p <= found[name] <= min(1, p * len(values)) + 1e-12


def test_holm_by_hand() -> None:
    found = holm({"a": 0.04, "b": 0.01, "c": 0.03})
    assert found == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})


def test_equivalence_needs_evidence_not_silence() -> None:
    labels = range(30)
    assert not tost([0.5] * 30, [0.5] * 30, labels, margin=0.03).equivalent
    source = rng(3)
    a = source.random(2000)
    b = (a + source.normal(0, 0.05, 2000)).clip(0, 1)
    assert tost(a, b, range(2000), margin=0.03).equivalent
    assert not tost(a, (b * 0.9), range(2000), margin=0.03).equivalent


def test_interaction_is_the_difference_of_differences() -> None:
    scores = {"plain": [0.1] * 30, "rag": [0.4] * 30, "tuned": [0.3] * 30}
    joint = join({**scores, "both": [0.9] * 30}, range(30), rng=rng(), draws=200)
    found = interaction(joint)
    assert found is not None
    assert found.value == pytest.approx((0.9 - 0.4) - (0.3 - 0.1))
    assert found.low < found.value < found.high
    assert interaction(joint.without(("plain",))) is None


def _after_flip_seed() -> np.random.Generator:
    source = rng()
    source.integers(2**32)
    return source


def test_every_difference_of_a_report_rests_on_the_same_draws() -> None:
    source = rng(1)
    scores = {name: source.random(60) for name in ("plain", "rag", "both")}
    joint = join(scores, [i // 3 for i in range(60)], rng=rng(), draws=500)
    counts = joint.means[:, 0] - joint.means[:, 1]
    again = resample.bootstrap_means(
        (scores["plain"] - scores["rag"])[np.newaxis],
        joint.grouping,
        rng=_after_flip_seed(),
        draws=500,
    )[:, 0]
    assert counts == pytest.approx(again)
    assert sum(chance_of_best(joint).values()) == pytest.approx(1)


def test_power_reproduces_the_published_tables() -> None:
    # Cases for a gap, and the smallest gap for so many cases (Connor, 1987).
    for gap, discordance, expected in (
        (0.02, 0.2, 3923),
        (0.05, 0.3, 940),
        (0.10, 0.5, 391),
        (0.15, 0.2, 68),
    ):
        found = power.cases_to_show(gap, discordance=discordance)
        assert found == pytest.approx(expected, abs=1)
    # The published smallest gaps of 200 cases, by the exact test that is printed for.
    for gap, discordance in ((0.088, 0.2), (0.108, 0.3), (0.139, 0.5)):
        found = power.chance_mcnemar(gap, 200, discordance=discordance)
        assert 0.74 < found < 0.8
    assert power.min_detectable(5, discordance=0.2) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.sampled_from([0.2, 0.5, 1.0]), unit)
def test_the_chance_of_showing_a_gap_is_the_sum_over_all_outcomes(
    cases: int, discordance: float, share: float
) -> None:
    """By scipy's multinomial law, for as few cases as can be summed over."""
    gap = share * discordance
    chances = [(discordance + gap) / 2, (discordance - gap) / 2, 1 - discordance]
    expected = sum(
        stats.multinomial.pmf([a, b, cases - a - b], cases, chances)
        for a in range(cases + 1)
        for b in range(min(a, cases - a) + 1)
        if mcnemar(a, b) <= 0.05
    )
    found = power.chance_mcnemar(gap, cases, discordance=discordance)
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_range_of_equal_arms_is_that_of_the_published_tables() -> None:
    # Upper 5 % points of the studentised range for 3 and 4 means (Harter, 1960).
    for arms, published in ((3, 3.314), (4, 3.633)):
        expected = 2 * stats.norm.sf(published / 2**0.5)
        assert power.pair_alpha(0.05, arms=arms) == pytest.approx(expected, rel=2e-3)
    assert power.pair_alpha(0.05, arms=2) == pytest.approx(0.04)


def test_documents_that_answer_alike_count_once() -> None:
    alike = np.repeat([1.0, 0.0, -1.0, 1.0, 0.0, 1.0] * 5, 4)
    labels = Groups.of(np.repeat(range(30), 4).tolist())
    # Four cases of one voice: a little less than four, for the case that is doubted.
    assert 3.5 < power.design_effect(alike, labels) < 4.2
    assert power.design_effect(alike, Groups.of(range(120))) == 1


@settings(max_examples=8, deadline=None)
@given(st.integers(60, 2000), st.sampled_from([0.2, 0.3, 0.5]))
def test_the_smallest_gap_shrinks_with_cases_and_grows_with_doubt(
    cases: int, discordance: float
) -> None:
    gap = power.min_detectable(cases, discordance=discordance)
    more = power.min_detectable(2 * cases, discordance=discordance)
    among_four = power.min_detectable(cases, discordance=discordance, arms=4)
    leaning = power.min_detectable(
        cases, discordance=discordance, groups=cases // 3, design_effect=1.5
    )
    assert gap is not None
    assert more is not None
    assert more < gap
    for other in (among_four, leaning):
        assert other is None or other > gap


def _equal_systems(
    kind: str, source: np.random.Generator
) -> tuple[dict[str, Scores], list[int]]:
    cases, groups = {
        "three cases": (3, 3),
        "six groups": (60, 6),
        "eight groups": (64, 8),
        "twenty groups": (100, 20),
        "ties": (80, 80),
        "rare": (150, 150),
        "graded": (40, 40),
    }[kind]
    labels = [case % groups for case in range(cases)]
    hard = source.random(cases)
    scores: dict[str, Scores] = {}
    for arm in ("plain", "rag", "tuned", "both"):
        if kind == "ties":
            flip = source.random(cases) < 0.1
            scores[arm] = ((hard < 0.5) ^ flip).astype(float)
        elif kind == "graded":
            scores[arm] = np.where(hard < 0.4, 0, source.random(cases) ** 2)
        elif kind == "rare":
            scores[arm] = (source.random(cases) < 0.04).astype(float)
        else:
            # Documents lean to one system or another, equally in the long run.
            lean = source.normal(0, 0.25, groups)[labels]
            scores[arm] = (source.random(cases) < (0.4 + lean)).astype(float)
    return scores, labels


@pytest.mark.parametrize(
    "kind",
    [
        "three cases",
        "six groups",
        "eight groups",
        "twenty groups",
        "ties",
        "rare",
        "graded",
    ],
)
def test_equal_systems_seldom_get_a_winner(kind: str) -> None:
    """The claim of 5 %, for one contrast and for any of four arms."""
    source = rng(11)
    runs, single, any_arm = 300, 0, 0
    for _ in range(runs):
        scores, labels = _equal_systems(kind, source)
        joint = join(scores, labels, rng=source, draws=300)
        found = difference(joint, "both", "rag")
        single += found.p <= 0.05
        any_arm += bool(shown_better(joint))
    # Three standard errors of 300 runs above 5 %.
    limit = 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert single / runs <= limit
    assert any_arm / runs <= limit


def test_a_real_gap_is_found() -> None:
    source, found = rng(2), 0
    for _ in range(50):
        scores = {
            name: (source.random(200) < share).astype(float)
            for name, share in (("plain", 0.05), ("rag", 0.3), ("both", 0.6))
        }
        joint = join(scores, [i % 40 for i in range(200)], rng=source, draws=300)
        found += ("both", "rag") in shown_better(joint)
    assert found >= 48


def test_intervals_cover_the_truth() -> None:
    """Paired intervals over 15 documents hold the true gap in about 95 % of runs."""
    source, held = rng(9), 0
    for _ in range(300):
        labels = [i % 15 for i in range(90)]
        lean = source.normal(0, 0.1, 15)[labels]
        a = (source.random(90) < 0.55 + lean).astype(float)
        b = (source.random(90) < 0.4).astype(float)
        found = compare_paired(a, b, labels, rng=source, draws=400)
        held += found.low <= 0.15 <= found.high
    assert 0.92 <= held / 300 <= 0.99


def test_simultaneous_bounds_lie_below_the_gaps_and_need_groups() -> None:
    source = rng(4)
    scores = {name: source.random(56) for name in ("plain", "rag", "tuned", "both")}
    for groups in (8, 28):
        joint = join(scores, [i % groups for i in range(56)], rng=rng(), draws=500)
        lower = simultaneous_lower(joint)
        means = joint.scores.mean(axis=1)
        assert (lower <= means[:, None] - means[None, :] + 1e-12).all()
        assert np.isfinite(lower).all()
    few = join(scores, [i % 6 for i in range(56)], rng=rng(), draws=500)
    assert np.isinf(simultaneous_lower(few)).any()


def test_ten_thousand_draws_are_quick() -> None:
    scores = {name: rng(7).random(500) for name in ("plain", "rag", "tuned", "both")}
    times: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        join(scores, range(500), rng=rng(), draws=10_000)
        times.append(time.perf_counter() - start)
    # Half a second on an idle machine; a busy one gets some room.
    assert min(times) < 1.0


def test_no_cases_is_a_callers_bug() -> None:
    with pytest.raises(ValueError, match="no cases"):
        compare_paired([], [], [], rng=rng())
