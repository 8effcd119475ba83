"""Costs by hand: units, what is unknown, break-even, gates on latency, flips."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.config.compare import CompareSettings
from groundtune.config.prices import Prices
from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError
from groundtune.measure.best import join
from groundtune.measure.costs import cheapest, costs_of
from groundtune.measure.flips import find_flips, told_amount, told_money
from groundtune.measure.rows import Figure
from groundtune.measure.summary import ArmFigures
from groundtune.measure.verdict import decide, too_slow

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = ProtocolSettings(
    questions_per_month=1000, updates_per_month=2, horizon_months=10
)


def arm(name: str, *, ms: float | None = 100.0, **resources: Any) -> ArmFigures:
    score = Figure(value=0.5, low=0.4, high=0.6, n=10)
    timed = {} if ms is None else {"mean": ms, "p95": 2 * ms, "p50": ms}
    tokens = {"prompt": 400.0, "output": 10.0}
    return ArmFigures(
        name=name, score=score, latency_ms=timed, tokens=tokens, resources=resources
    )


def arms(*some: ArmFigures) -> Mapping[str, ArmFigures]:
    return {one.name: one for one in some}


RAG = arm("rag", ms=800, index_seconds=50, reindex_seconds=5)
TUNED = arm("tuned", ms=200, train_seconds=3600)
BOTH = arm("both", ms=900, train_seconds=7200, index_seconds=50, reindex_seconds=5)


def test_without_prices_costs_are_seconds_of_machine_time() -> None:
    costs = costs_of(arms(RAG, TUNED, BOTH), SETTINGS)
    assert costs.unit == "seconds"
    assert costs.notes == ()
    # 20 updates; 10,000 questions.
    assert costs.a_question(SETTINGS) == pytest.approx(
        {
            "rag": 0.8 + (50 + 20 * 5) / 10_000,
            "tuned": 0.2 + 21 * 3600 / 10_000,
            "both": 0.9 + (7200 + 50 + 20 * 5) / 10_000,
        }
    )
    found = costs.break_even("tuned", "rag", SETTINGS)
    assert found is not None
    assert (found.challenger, found.incumbent) == ("tuned", "rag")
    once = 3600 - 50 + 2 * 10 * (3600 - 5)
    assert found.questions == pytest.approx(once / (10 * 0.6))
    never = costs.break_even("rag", "both", SETTINGS)
    assert never is not None
    assert (never.challenger, never.questions) == ("both", None)


def test_the_break_even_is_where_both_spend_the_same() -> None:
    costs = costs_of(arms(RAG, TUNED), SETTINGS)
    found = costs.break_even("rag", "tuned", SETTINGS)
    assert found is not None
    assert found.questions is not None
    rag, tuned = (costs.arms[name] for name in ("rag", "tuned"))
    assert rag is not None
    assert tuned is not None
    asked = found.questions * SETTINGS.horizon_months
    assert rag.before_answers(SETTINGS) + asked * rag.answer == pytest.approx(
        tuned.before_answers(SETTINGS) + asked * tuned.answer
    )


def test_one_arm_without_a_time_of_training_is_named() -> None:
    costs = costs_of(arms(RAG, arm("tuned")), SETTINGS)
    assert costs.unit == "tokens"
    assert costs.notes == ("No time of training was recorded for tuned.",)
    assert costs.break_even("tuned", "rag", SETTINGS) is None
    flips = find_flips("rag", arms(RAG, arm("tuned")), SETTINGS)
    assert "volume" not in {flip.what for flip in flips}


def test_prices_that_do_not_reach_are_said_so_and_time_is_taken() -> None:
    prices = Prices(prompt_tokens=1, output_tokens=2)
    settings = ProtocolSettings(prices=prices)
    costs = costs_of(arms(RAG, TUNED), settings)
    assert costs.unit == "seconds"
    assert "Prices do not reach for tuned" in costs.notes[0]


def test_index_times_that_are_missing_are_noted() -> None:
    costs = costs_of(arms(arm("rag"), TUNED), SETTINGS)
    assert costs.notes == (
        "Not counted, for want of a record: making the index and indexing again after "
        "an update.",
    )


def test_ties_go_to_what_is_easier_to_keep_fresh() -> None:
    assert cheapest({"tuned": 1.0, "rag": 1.09}, tie=0.1) == "rag"
    assert cheapest({"tuned": 1.0, "rag": 1.11}, tie=0.1) == "tuned"
    assert cheapest({"both": 0.0, "plain": 0.0}, tie=0.1) == "plain"


def test_without_updates_a_tie_goes_to_the_fewest_parts() -> None:
    tied = {"both": 1.0, "tuned": 1.05}
    assert cheapest(tied, tie=0.1) == "both"
    assert cheapest(tied, tie=0.1, updates=0.0) == "tuned"
    assert cheapest({"both": 1.0, "tuned": 1.2}, tie=0.1, updates=0.0) == "both"


def test_a_limit_on_latency_drops_what_is_slower_and_only_what_was_timed() -> None:
    settings = ProtocolSettings(latency_limit_ms=500)
    found = too_slow(arms(RAG, TUNED, arm("plain", ms=None)), settings)
    assert list(found) == ["rag"]
    assert "up to 1,600 ms, and the limit is 500 ms" in found["rag"]
    assert too_slow(arms(RAG), SETTINGS) == {}


def test_flips_name_volume_updates_and_latency_with_their_numbers() -> None:
    few = ProtocolSettings(
        questions_per_month=100_000, updates_per_month=1, horizon_months=10
    )
    flips = {flip.what: flip for flip in find_flips("rag", arms(RAG, TUNED), few)}
    # 100,000 questions save 60,000 s a month; an update costs 3,595 s more.
    left = 60_000 - (3600 - 50) / 10
    assert flips["updates"].value == pytest.approx(left / 3595)
    assert flips["latency"].value == 1600
    assert "the best that is quicker is tuned" in flips["latency"].text
    assert "trained again once a month" in flips["volume"].text
    assert "Quality is not in this sum" in flips["volume"].text


def test_amounts_are_told_to_the_cent_or_to_two_figures() -> None:
    assert [told_money(x) for x in (0, 0.0000012, 0.00123, 0.1, 12.345, 1234.5)] == [
        "0.00",
        "0.0000012",
        "0.0012",
        "0.10",
        "12.35",
        "1,234.50",
    ]
    seconds = costs_of(arms(RAG), SETTINGS)
    assert [told_amount(x, seconds) for x in (0.25, 90, 119, 121, 7201)] == [
        "0.25 s",
        "90 s",
        "119 s",
        "2.0 min",
        "2.0 h",
    ]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"prices": {"machine_hour": -1}}, "machine_hour is -1"),
        ({"prices": {"prompt_tokens": 1.0}}, "output_tokens is not"),
        ({"prices": {"hourly": 1.0}}, "unknown setting 'hourly'"),
        ({"prices": {"currency": ""}}, "currency is ''"),
        ({"prices": 3}, "prices is 3"),
        ({"margin": "big"}, "margin is 'big'"),
        ({"draws": True}, "draws is True"),
        ({"latency_limit_ms": 0}, "latency_limit_ms is 0"),
        ({"questions_per_month": 0}, "questions_per_month is 0"),
        ({"horizon_months": float("inf")}, "horizon_months is inf"),
        ({"volume": 3}, "unknown setting 'volume'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    raw: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        ProtocolSettings.from_mapping(raw)


def test_a_protocol_comes_back_from_the_run_as_it_was_registered() -> None:
    protocol = ProtocolSettings(
        margin=0.02, latency_limit_ms=900.0, prices=Prices(machine_hour=0.5)
    )
    registered = CompareSettings(protocol=protocol).registered
    raw = json.loads(json.dumps(registered, allow_nan=False))
    assert ProtocolSettings.from_mapping(raw["protocol"]) == protocol
    assert CompareSettings().registered == {}


def test_weights_leave_the_rest_of_the_protocol_and_of_the_prices() -> None:
    registered = ProtocolSettings(margin=0.02, prices=Prices(machine_hour=1.0))
    other = registered.with_weights(
        {"margin": 0.02, "prices": {"training_hour": 4}, "hardware": "laptop"}
    )
    assert other.margin == 0.02
    assert other.prices == Prices(machine_hour=1.0, training_hour=4.0)
    assert other.changed_from(registered) == {
        "hardware": ("", "laptop"),
        "prices.training_hour": (None, 4.0),
    }
    with pytest.raises(ConfigError, match="alpha is fixed before a run"):
        registered.with_weights({"alpha": 0.2})


def test_a_verdict_names_no_arm_where_nothing_is_right_or_nothing_answers() -> None:
    rng = np.random.default_rng(0)
    zero = join({"rag": [0.0] * 40, "both": [0.0] * 40}, range(40), rng=rng, draws=50)
    nothing = Figure(value=0.0, low=0.0, high=0.1, n=40)
    some = arms(replace(RAG, score=nothing), replace(BOTH, score=nothing))
    found = decide(zero, some, settings=SETTINGS, measure="accuracy")
    assert (found.arm, found.decided) == (None, False)
    assert "No arm got anything right on 40 cases" in found.why
    failed = arms(replace(RAG, score=nothing, errors=40), some["both"])
    found = decide(zero, failed, settings=SETTINGS, measure="accuracy")
    assert found.gated == {"rag": "every answer failed"}
