"""The claims about error rates, power and coverage, each by many made-up runs.

The default run holds a few hundred; the slow one holds 2,000 for every kind of data and
prints the table that stands in `docs/protocol.md`:

    pytest tests/measure/test_simulation.py -m slow -s -n0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from groundtune.config.protocol import ProtocolSettings
from groundtune.measure import power
from groundtune.measure.best import difference, join, shown_better
from groundtune.measure.rows import Figure
from groundtune.measure.statistics import mean_interval
from groundtune.measure.summary import ArmFigures
from groundtune.measure.verdict import decide

Floats = npt.NDArray[np.float64]

DRAWS = 1_000
SETTINGS = ProtocolSettings(draws=DRAWS)
EQUAL_COSTS = {
    name: ArmFigures(
        name=name,
        score=Figure(value=0.5, low=0.4, high=0.6, n=1),
        latency_ms={"p50": 100.0, "p95": 100.0, "mean": 100.0},
    )
    for name in ("rag", "both")
}


@dataclass(frozen=True)
class World:
    """Two systems whose true gap is known, on cases of documents."""

    kind: str
    """`binary`, or `graded`: part right, part wrong, part in between."""
    cases: int
    clustered: bool

    @cache  # noqa: B019 (as many worlds as the table has lines)
    def labels(self) -> list[int]:
        """The document of each case; documents differ in size."""
        if not self.clustered:
            return list(range(self.cases))
        documents = max(2, self.cases // (5 if self.cases >= 50 else 2))
        source = np.random.default_rng(self.cases)
        weights = source.uniform(0.5, 1.5, documents)
        more = source.choice(
            documents, self.cases - documents, p=weights / weights.sum()
        )
        return [*range(documents), *more.tolist()]

    def draw(self, gap: float, source: np.random.Generator) -> tuple[Floats, Floats]:
        """Scores of both systems, the first better by `gap` in the long run.

        Two scores are drawn for each case, and which system has the higher one is
        drawn again: all documents alike, or each with a lean of its own. Documents
        differ in difficulty as well.
        """
        labels = np.array(self.labels())
        high, low = self._pair(labels, source)
        share = (1 + gap / self.spread().mean) / 2
        shares = np.full(self.cases, share)
        if self.clustered and 0 < share < 1:
            leans = source.beta(4 * share, 4 * (1 - share), labels.max() + 1)
            shares = leans[labels]
        first = source.random(self.cases) < shares
        return np.where(first, high, low), np.where(first, low, high)

    def _pair(
        self, labels: npt.NDArray[np.int64], source: np.random.Generator
    ) -> tuple[Floats, Floats]:
        ease = np.full(len(labels), 0.5)
        if self.clustered:
            ease = source.beta(3, 3, labels.max() + 1)[labels]
        if self.kind == "binary":
            right = (source.random(len(labels)) < ease).astype(float)
            differs = source.random(len(labels)) < 0.3
            return np.where(differs, 1.0, right), np.where(differs, 0.0, right)
        one, other = (self._graded(ease, source) for _ in range(2))
        other = np.where(source.random(len(labels)) < 0.3, one, other)
        return np.maximum(one, other), np.minimum(one, other)

    def _graded(self, ease: Floats, source: np.random.Generator) -> Floats:
        kind = source.random(len(ease))
        between = source.beta(2, 2, len(ease))
        wrong, right = 0.4 * (1 - ease), 1 - 0.6 * ease
        return np.where(kind < wrong, 0.0, np.where(kind > right, 1.0, between))

    def spread(self) -> Spread:
        """What separates the systems, worked out once from many cases."""
        key = (self.kind, self.clustered)
        if key not in _SPREADS:
            source = np.random.default_rng(1)
            groups = np.arange(100_000)
            high, low = self._pair(groups, source)
            gaps = high - low
            _SPREADS[key] = Spread(
                float((gaps**2).mean()), float(gaps.mean()), float(high.mean())
            )
        return _SPREADS[key]

    def design_effect(self) -> float:
        """How much less the cases say than as many single ones, by simulation."""
        if not self.clustered:
            return 1.0
        source = np.random.default_rng(2)
        means = [float(np.subtract(*self.draw(0, source)).mean()) for _ in range(1000)]
        return float(np.var(means)) * self.cases / self.spread().square

    def detectable(self) -> float | None:
        """The gap that would be printed for this data."""
        gap = power.min_detectable(
            self.cases,
            discordance=self.spread().square,
            alpha=SETTINGS.alpha,
            power=SETTINGS.power,
            groups=len(set(self.labels())),
            design_effect=self.design_effect(),
            graded=self.kind == "graded",
        )
        # A gap that these scores cannot have is as good as none.
        return gap if gap is not None and gap < self.spread().mean else None


class Spread(NamedTuple):
    """Of the two scores of a case."""

    square: float
    """Mean squared difference: what `power` calls discordance."""
    mean: float
    """Mean absolute difference: the largest gap there can be."""
    high: float
    """Mean of the higher score."""


_SPREADS: dict[tuple[str, bool], Spread] = {}


class Shares(NamedTuple):
    """What came of many runs."""

    first: float
    """The verdict names the first system, for its quality."""
    second: float
    gap_held: float
    """The interval of the difference holds the truth."""
    mean_held: float
    """The interval of the first system's mean holds the truth."""


def simulate(world: World, *, gap: float, runs: int, seed: int = 0) -> Shares:
    source = np.random.default_rng([seed, world.cases, world.clustered])
    labels = world.labels()
    spread = world.spread()
    truth = spread.high - spread.mean / 2 + gap / 2
    counts = np.zeros(4)
    for _ in range(runs):
        rag, both = world.draw(gap, source)
        joint = join({"rag": rag, "both": both}, labels, rng=source, draws=DRAWS)
        found = decide(joint, EQUAL_COSTS, settings=SETTINGS, measure="token_f1")
        named = found.arm if found.reason == "quality" else None
        told = difference(joint, "rag", "both")
        mean = mean_interval(rag, labels, rng=source, draws=DRAWS)
        counts += (
            named == "rag",
            named == "both",
            told.low <= gap <= told.high,
            mean.low <= truth <= mean.high,
        )
    return Shares(*(counts / runs).tolist())


@pytest.mark.parametrize("kind", ["binary", "graded"])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_claims_hold_in_a_few_hundred_runs(*, kind: str, clustered: bool) -> None:
    world = World(kind, 100, clustered)
    runs = 60
    equal = simulate(world, gap=0.0, runs=runs)
    # Three standard errors of so many runs around each claim.
    assert equal.first + equal.second <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    gap = world.detectable()
    assert gap is not None
    real = simulate(world, gap=gap, runs=runs, seed=1)
    assert abs(real.first - 0.8) <= 3 * (0.8 * 0.2 / runs) ** 0.5
    for held in (equal.gap_held, real.gap_held, equal.mean_held, real.mean_held):
        assert abs(held - 0.95) <= 3 * (0.05 * 0.95 / runs) ** 0.5


def test_with_four_arms_the_printed_gap_is_found_as_well() -> None:
    """Two arms lead, two are far behind: the leaders are told apart as promised."""
    world = World("binary", 200, clustered=False)
    gap = power.min_detectable(200, discordance=world.spread().square, arms=4)
    assert gap is not None
    source, runs, found = np.random.default_rng(3), 60, 0
    for _ in range(runs):
        rag, both = world.draw(gap, source)
        weak = {
            n: (source.random(200) < 0.05).astype(float) for n in ("plain", "tuned")
        }
        joint = join(
            {"rag": rag, "both": both, **weak}, range(200), rng=source, draws=DRAWS
        )
        found += ("rag", "both") in shown_better(joint)
    assert abs(found / runs - 0.8) <= 3 * (0.8 * 0.2 / runs) ** 0.5


WORLDS = [
    pytest.param(
        World(kind, cases, clustered),
        id=f"{kind}-{cases}-{'documents' if clustered else 'single'}",
    )
    for kind in ("binary", "graded")
    for clustered in (False, True)
    for cases in (3, 20, 50, 100, 500)
]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("world", WORLDS)
def test_the_claims_hold_in_two_thousand_runs(world: World) -> None:
    """What is printed is a line of the table in `docs/protocol.md`."""
    line, wrong = _judged(world, runs=2_000)
    print("\n" + line)  # noqa: T201 (the table is what is asked for)
    assert not wrong


def _judged(world: World, *, runs: int) -> tuple[str, list[str]]:
    """A line of the table, and which claims did not hold."""
    name = f"{world.kind} {world.cases} {world.clustered}"
    equal = simulate(world, gap=0.0, runs=runs)
    winner = equal.first + equal.second
    gap = world.detectable()
    real = simulate(world, gap=gap, runs=runs, seed=1) if gap is not None else None
    wrong: list[str] = []
    if winner > 0.05:
        wrong.append(f"{name}: equal systems get a winner in {winner:.3f}")
    # Of 50 cases only coverage is claimed: few documents and gaps near the largest.
    if real and world.cases != 50 and not 0.75 <= real.first <= 0.85:
        wrong.append(f"{name}: a gap of {gap:.3f} is found in {real.first:.3f}")
    held = [(s.gap_held, s.mean_held) for s in (equal, real) if s]
    if world.cases >= 50:
        wrong += [
            f"{name}: intervals hold in {pair}"
            for pair in held
            if not all(0.93 <= one <= 0.97 for one in pair)
        ]
    gaps, means = zip(*held, strict=True)
    cells = [
        world.kind,
        str(world.cases),
        str(len(set(world.labels()))) if world.clustered else "one each",
        f"{winner:.3f}",
        f"{gap:.3f}" if gap is not None else "none",
        f"{real.first:.3f}" if real else "",
        " / ".join(f"{one:.3f}" for one in gaps),
        " / ".join(f"{one:.3f}" for one in means),
    ]
    return f"| {' | '.join(cells)} |", wrong


TOO_BOLD = pytest.mark.xfail(
    reason="the test knows nothing of shapes, and 20 cases show little of one: 7.9 %",
    strict=True,
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("cases", [pytest.param(20, marks=TOO_BOLD), 100, 500])
def test_a_lopsided_difference_names_no_winner(cases: int) -> None:
    """Seldom and much against often and little, equal in the mean."""
    source, runs, named = np.random.default_rng(cases), 2_000, 0
    for _ in range(runs):
        wins = np.where(source.random(cases) < 0.2, 0.8, 0.0)
        scores = {"rag": wins, "both": np.full(cases, 0.16)}
        joint = join(scores, range(cases), rng=source, draws=DRAWS)
        found = decide(joint, EQUAL_COSTS, settings=SETTINGS, measure="token_f1")
        named += found.reason == "quality"
    print(f"lopsided, {cases} cases: {named / runs:.3f}")  # noqa: T201 (to be seen)
    assert named / runs <= 0.05
