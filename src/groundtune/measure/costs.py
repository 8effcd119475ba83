"""What each arm costs to make, to keep and to ask, and from how many questions on.

Of a cost only measured quantities count (milliseconds, tokens, seconds of training and
indexing), at prices that a person gave. Without prices costs are machine time. What was
not measured, or has no price, is None, never estimated. What costs change of a verdict
is in `flips`; the page computes the same in `rule.js`, and a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundtune.config.prices import Prices
    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.summary import ArmFigures

TRAINED = ("tuned", "both")
"""Arms that are made by training."""

RETRAINED = ("tuned",)
"""Arms whose facts are in the weights, so that each update means training again."""

RETRIEVING = ("rag", "both")
"""Arms that keep an index, which each update makes again."""

FRESHNESS = ("rag", "plain", "both", "tuned")
"""Easiest to keep up to date first: re-index, nothing, re-index beside an adapter."""

SIMPLICITY = ("plain", "rag", "tuned", "both")
"""Fewest parts first: what counts where nothing has to be kept up to date."""

PAIRS: tuple[tuple[str, str], ...] = (
    ("tuned", "rag"),
    ("both", "rag"),
    ("both", "tuned"),
)
"""Pairs whose break-even is worked out."""

Unit = Literal["money", "seconds", "tokens"]

_HOUR = 3600.0
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCost:
    """What one arm costs, all in one unit."""

    setup: float
    """Once, before the first answer."""
    month: float
    """Each month, however much it is used."""
    update: float
    """Each time the facts change."""
    answer: float
    """Each answer."""

    def before_answers(self, settings: ProtocolSettings) -> float:
        """Everything over the horizon but the answers."""
        months = settings.horizon_months
        updates = settings.updates_per_month * months
        return self.setup + self.month * months + updates * self.update

    def a_question(self, settings: ProtocolSettings) -> float:
        """One answer with its share of all the rest."""
        questions = settings.questions_per_month * settings.horizon_months
        return self.answer + self.before_answers(settings) / questions


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """From how many questions a month the arm that takes more making is cheaper."""

    challenger: str
    """Costs more before the first answer is given."""
    incumbent: str
    questions: float | None
    """None: however many are asked, it never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of several arms in the one unit in which all of them are known."""

    unit: Unit
    """`tokens` where nothing else is known of every arm: then no break-even is."""
    currency: str
    arms: Mapping[str, ArmCost | None]
    notes: tuple[str, ...] = ()
    """What is not in these sums, or keeps them from being known."""

    @property
    def is_known(self) -> bool:
        """Whether arms can be compared by cost."""
        return self.unit != "tokens"

    def a_question(self, settings: ProtocolSettings) -> dict[str, float | None]:
        """One question with its share of everything, by arm; None: not known."""
        return {
            name: cost and cost.a_question(settings) for name, cost in self.arms.items()
        }

    def per_thousand(self) -> dict[str, float | None]:
        """A thousand answers alone, by arm; None: not known."""
        return {name: cost and 1000 * cost.answer for name, cost in self.arms.items()}

    def break_even(
        self, first: str, second: str, settings: ProtocolSettings
    ) -> BreakEven | None:
        """Of two arms; None where it cannot be told, or both take as much making."""
        one, other = self.arms.get(first), self.arms.get(second)
        if one is None or other is None:
            return None
        ahead = {
            first: one.before_answers(settings),
            second: other.before_answers(settings),
        }
        if ahead[first] == ahead[second]:
            return None
        names = (first, second) if ahead[first] > ahead[second] else (second, first)
        challenger, incumbent = (self.arms[name] for name in names)
        assert challenger is not None, "both are known"
        assert incumbent is not None, "both are known"
        questions = break_even(
            setup_gap=challenger.setup - incumbent.setup,
            fixed_gap=challenger.month - incumbent.month,
            update_gap=challenger.update - incumbent.update,
            updates=settings.updates_per_month,
            horizon=settings.horizon_months,
            cost_gap=incumbent.answer - challenger.answer,
        )
        return BreakEven(challenger=names[0], incumbent=names[1], questions=questions)

    def to_json(self, settings: ProtocolSettings) -> dict[str, Any]:
        """As `--json` prints it."""
        pairs = [pair for pair in PAIRS if set(pair) <= set(self.arms)]
        found = {f"{a}-{b}": self.break_even(a, b, settings) for a, b in pairs}
        return {
            "unit": self.unit,
            "currency": self.currency if self.unit == "money" else None,
            "per_1000": self.per_thousand(),
            "a_question": self.a_question(settings),
            "break_even": {
                name: one
                and {
                    "challenger": one.challenger,
                    "incumbent": one.incumbent,
                    "questions_per_month": one.questions,
                }
                for name, one in found.items()
            },
            "notes": list(self.notes),
        }


def break_even(
    *,
    setup_gap: float,
    cost_gap: float,
    fixed_gap: float = 0.0,
    update_gap: float = 0.0,
    updates: float = 0.0,
    horizon: float = 1.0,
) -> float | None:
    """Questions per period from which the dearer system to make is the cheaper.

    `[setup + fixed * T + updates * T * update] / (T * cost)`, all gaps in one unit.

    Args:
        setup_gap: Making the challenger minus making the incumbent.
        cost_gap: One answer of the incumbent minus one of the challenger.
        fixed_gap: Running cost a period, challenger minus incumbent.
        update_gap: One update of the facts, challenger minus incumbent.
        updates: Updates a period.
        horizon: Periods.

    Returns:
        At least 0; None where the challenger's answer costs as much or more.
    """
    if cost_gap <= 0:
        return None
    once = setup_gap + fixed_gap * horizon + updates * horizon * update_gap
    return max(0.0, once / (horizon * cost_gap))


def costs_of(arms: Mapping[str, ArmFigures], settings: ProtocolSettings) -> Costs:
    """The costs of arms, in one unit.

    In money where every price that it takes is given, else in seconds of machine time
    where everything was timed, else not known.
    """
    prices = settings.prices
    missing = _untimed(arms)
    if prices.is_given:
        money = {name: _in_money(arm, prices) for name, arm in arms.items()}
        lacking = [name for name, cost in money.items() if cost is None]
        if not lacking:
            return Costs(
                unit="money",
                currency=prices.currency,
                arms=money,
                notes=_uncounted(arms),
            )
        missing = (
            f"Prices do not reach for {_and(lacking)}: no price of its tokens or "
            "machine hours, or of a training hour, or nothing measured to apply it to.",
            *missing,
        )
    seconds = {name: _in_seconds(arm) for name, arm in arms.items()}
    known = all(cost is not None for cost in seconds.values())
    return Costs(
        unit="seconds" if known else "tokens",
        currency=prices.currency,
        arms=seconds,
        notes=(*missing, *_uncounted(arms)),
    )


def amounts(
    arms: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> dict[str, float]:
    """By what arms are put in order of cost: a question with its share of all the rest.

    Where the cost of any arm is not known, the tokens of an answer stand in for all.
    """
    costs = costs_of(arms, settings)
    known = costs.a_question(settings) if costs.is_known else {}
    return {
        name: sum(arm.tokens.values()) if (cost := known.get(name)) is None else cost
        for name, arm in arms.items()
    }


def cheapest(costs: Mapping[str, float], *, tie: float, updates: float = 1.0) -> str:
    """The cheapest; of those within the tie the one that is easiest to keep fresh.

    Without `updates` a month nothing has to be kept fresh: then the one with the fewest
    parts.
    """
    limit = min(costs.values()) * (1 + tie)
    tied = [name for name, cost in costs.items() if cost <= limit]
    order = FRESHNESS if updates else SIMPLICITY
    return min(tied, key=lambda name: (_place(name, order), costs[name], name))


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)


def seconds_of(arm: ArmFigures, name: str) -> float:
    """A measured time of an arm's making in seconds; 0 where it has none."""
    return float(arm.resources.get(name) or 0.0)


def _is_untrained(arm: ArmFigures) -> bool:
    """Whether an arm that takes training has no time of it."""
    return arm.name in TRAINED and arm.resources.get("train_seconds") is None


def _in_seconds(arm: ArmFigures) -> ArmCost | None:
    if "mean" not in arm.latency_ms or _is_untrained(arm):
        return None
    train, index, again = _making(arm)
    return ArmCost(
        setup=train + index,
        month=0.0,
        update=(train if arm.name in RETRAINED else 0.0) + again,
        answer=arm.latency_ms["mean"] / 1000,
    )


def _in_money(arm: ArmFigures, prices: Prices) -> ArmCost | None:
    answer = _answer_in_money(arm, prices)
    if answer is None or _is_untrained(arm):
        return None
    train, index, again = _making(arm)
    if train and prices.training is None:
        return None
    trained = train * (prices.training or 0.0) / _HOUR
    hour = (prices.machine_hour or 0.0) / _HOUR
    return ArmCost(
        setup=trained + index * hour,
        month=(prices.tuned_month if arm.name in TRAINED else 0.0)
        + (prices.index_month if arm.name in RETRIEVING else 0.0),
        update=(trained if arm.name in RETRAINED else 0.0) + again * hour,
        answer=answer,
    )


def _answer_in_money(arm: ArmFigures, prices: Prices) -> float | None:
    """Its tokens where they are priced, else its seconds."""
    prompt, output = (
        (prices.tuned_prompt_tokens, prices.tuned_output_tokens)
        if arm.name in TRAINED
        else (prices.prompt_tokens, prices.output_tokens)
    )
    if prompt is not None and output is not None:
        paid = arm.tokens["prompt"] * prompt + arm.tokens["output"] * output
        return paid / _MILLION
    if prices.machine_hour is None or "mean" not in arm.latency_ms:
        return None
    return arm.latency_ms["mean"] / 1000 * prices.machine_hour / _HOUR


def _making(arm: ArmFigures) -> tuple[float, float, float]:
    """Seconds of training, of indexing, and of indexing again after an update."""
    is_indexed = arm.name in RETRIEVING
    return (
        seconds_of(arm, "train_seconds") if arm.name in TRAINED else 0.0,
        seconds_of(arm, "index_seconds") if is_indexed else 0.0,
        seconds_of(arm, "reindex_seconds") if is_indexed else 0.0,
    )


def _untimed(arms: Mapping[str, ArmFigures]) -> tuple[str, ...]:
    answers = [name for name, arm in arms.items() if "mean" not in arm.latency_ms]
    trainings = [name for name, arm in arms.items() if _is_untrained(arm)]
    found: list[str] = []
    if answers:
        found.append(f"No times of answers were recorded for {_and(answers)}.")
    if trainings:
        found.append(f"No time of training was recorded for {_and(trainings)}.")
    return tuple(found)


def _uncounted(arms: Mapping[str, ArmFigures]) -> tuple[str, ...]:
    """What the sums leave out because the run has no record of it."""
    names = [name for name in arms if name in RETRIEVING]
    parts = [
        what
        for key, what in (
            ("index_seconds", "making the index"),
            ("reindex_seconds", "indexing again after an update"),
        )
        if names and not any(seconds_of(arms[name], key) for name in names)
    ]
    return (f"Not counted, for want of a record: {_and(parts)}.",) if parts else ()


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
