"""What would turn the verdict: volume, updates, prices, latency, retrieval, data.

Only measured quantities and given prices go in. What was not measured is said to be so,
never estimated. What an arm costs is worked out in `costs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any

from groundtune.measure.costs import RETRAINED, costs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.costs import BreakEven, Costs
    from groundtune.measure.summary import ArmFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One condition under which the verdict would be another."""

    what: str
    """Kind, such as `retrieval`, `latency`, `volume`, `updates`, `price`, `margin` or
    `training_data`."""
    text: str
    """The condition as a sentence with its numbers."""
    value: float | None = None
    """The number at which it turns; None where there is none, or not measured."""
    rival: str = ""
    """The arm that the verdict's is weighed against, where it is one alone."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"what": self.what, "text": self.text, "value": self.value}


def find_flips(
    winner: str, arms: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> list[Flip]:
    """All that the rows say about when another arm than `winner` should be taken."""
    costs = costs_of(arms, settings)
    flips = [
        _retrieval_flip(winner, arms),
        _latency_flip(winner, arms),
        *_volume_flips(winner, arms, costs, settings),
        _update_flip(winner, costs, settings),
        _price_flip(winner, arms),
        _data_flip(arms),
    ]
    return [flip for flip in flips if flip is not None]


def _retrieval_flip(winner: str, arms: Mapping[str, ArmFigures]) -> Flip | None:
    """The hit rate at which the winner sinks to the best arm that reads nothing."""
    best = arms[winner]
    rivals = [arm for arm in arms.values() if not arm.retrieves]
    if not best.retrieves or not rivals or len(best.by_hit) < 2:
        return None
    rival = max(rivals, key=lambda arm: arm.score.value)
    if len(rival.by_hit) < 2:
        return None
    found = best.by_hit["found"].value - rival.by_hit["found"].value
    missed = best.by_hit["missed"].value - rival.by_hit["missed"].value
    rate = best.measures["hit"]
    basis = f"{best.by_hit['found'].n} cases found, {best.by_hit['missed'].n} missed"
    if missed >= 0 or found <= missed:
        text = (
            f"No hit rate turns it: even where retrieval missed, {winner} is not below "
            f"{rival.name} ({basis})."
        )
        return Flip(what="retrieval", text=text)
    turn = min(1.0, -missed / (found - missed))
    text = (
        f"If retrieval found the right passage in fewer than {turn:.0%} of cases (here "
        f"{rate.value:.0%}), {rival.name} would be level with {winner} ({basis})."
    )
    return Flip(what="retrieval", text=text, value=turn)


def _volume_flips(
    winner: str,
    arms: Mapping[str, ArmFigures],
    costs: Costs,
    settings: ProtocolSettings,
) -> list[Flip]:
    """Break-even between the winner and each arm that takes more making, or less."""
    found: list[Flip] = []
    for name in arms:
        one = costs.break_even(winner, name, settings)
        if name == "plain" or one is None:
            continue
        text = told_break_even(one, costs, settings)
        found.append(Flip(what="volume", text=text, value=one.questions, rival=name))
    return found


def told_break_even(found: BreakEven, costs: Costs, settings: ProtocolSettings) -> str:
    """A break-even as a sentence with all that it rests on."""
    challenger, incumbent = (
        costs.arms[name] for name in (found.challenger, found.incumbent)
    )
    assert challenger is not None, "a break-even has known costs"
    assert incumbent is not None, "a break-even has known costs"
    months = f"{settings.horizon_months:g} months"
    ahead = challenger.before_answers(settings) - incumbent.before_answers(settings)
    answers = (
        f"{told_answers(challenger.answer, costs)} a thousand answers against "
        f"{told_answers(incumbent.answer, costs)}"
    )
    more = f"{told_amount(ahead, costs)} more to make and keep over {months}"
    if found.questions is None:
        return (
            f"No volume makes {found.challenger} cheaper than {found.incumbent}: "
            f"{answers}, and {more}."
        )
    often = (
        f", trained again {_times(settings.updates_per_month)} a month"
        if found.challenger in RETRAINED
        else ""
    )
    return (
        f"From {found.questions:,.0f} questions a month {found.challenger} costs less "
        f"than {found.incumbent}: {answers}, for {more}{often}. "
        "Quality is not in this sum."
    )


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:g} times"


def told_answers(answer: float, costs: Costs) -> str:
    """What a thousand answers cost, in words."""
    return told_amount(1000 * answer, costs)


def told_amount(amount: float, costs: Costs) -> str:
    """An amount of money or of machine time, in words."""
    if costs.unit == "money":
        return f"{told_money(amount)} {costs.currency}"
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if amount >= 2 * size:
            return f"{amount / size:,.1f} {name}"
    return f"{amount:,.3g} s" if amount < 100 else f"{amount:,.0f} s"


def told_money(amount: float) -> str:
    """To the cent; below ten cents, to two figures."""
    if amount >= 0.1 or amount == 0:
        return f"{amount:,.2f}"
    return f"{amount:.{min(12, 1 - floor(log10(amount)))}f}"


def _update_flip(winner: str, costs: Costs, settings: ProtocolSettings) -> Flip | None:
    """How often facts may change until rag and tuned, with answers, cost the same."""
    rag, tuned = costs.arms.get("rag"), costs.arms.get("tuned")
    if winner not in ("rag", "tuned") or rag is None or tuned is None:
        return None
    more = tuned.update - rag.update
    months = settings.horizon_months
    saved = settings.questions_per_month * (rag.answer - tuned.answer)
    left = saved - (tuned.setup - rag.setup) / months - (tuned.month - rag.month)
    if more <= 0 or left <= 0:
        return None
    turn = left / more
    rival = "tuned" if winner == "rag" else "rag"
    text = (
        f"Up to {turn:,.3g} updates of the facts a month tuned, trained again each "
        f"time, costs less than rag at {settings.questions_per_month:,} questions a "
        f"month; above that, rag (here {settings.updates_per_month:g})."
    )
    return Flip(what="updates", text=text, value=turn, rival=rival)


def _latency_flip(winner: str, arms: Mapping[str, ArmFigures]) -> Flip | None:
    """The latency limit at which the winner would be dropped."""
    slowest = arms[winner].latency_ms.get("p95")
    quicker = [
        arm
        for arm in arms.values()
        if slowest is not None and arm.latency_ms.get("p95", slowest) < slowest
    ]
    if slowest is None or not quicker:
        return None
    best = max(quicker, key=lambda arm: arm.score.value)
    text = (
        f"If 95 of 100 answers had to come within less than {_told_ms(slowest)} on "
        f"this machine, {winner} would be out; the best that is quicker is {best.name} "
        f"({best.score.value:.3f})."
    )
    return Flip(what="latency", text=text, value=slowest)


def _told_ms(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:,.0f} ms"
    return f"{milliseconds / 1000:,.1f} s"


def _price_flip(winner: str, arms: Mapping[str, ArmFigures]) -> Flip | None:
    """How much dearer per token a tuned model may be before retrieval is cheaper."""
    if "rag" not in arms or "tuned" not in arms or winner not in ("rag", "tuned"):
        return None
    rag, tuned = (sum(arms[name].tokens.values()) for name in ("rag", "tuned"))
    if tuned == 0 or rag == 0:
        return None
    ratio = rag / tuned
    text = (
        f"Where tokens are paid for, tuned is cheaper per answer as long as its token "
        f"costs less than {ratio:.1f} times rag's ({tuned:,.0f} tokens an answer "
        f"against {rag:,.0f})."
    )
    return Flip(what="price", text=text, value=ratio)


def _data_flip(arms: Mapping[str, ArmFigures]) -> Flip | None:
    if not {"tuned", "both"} & set(arms):
        return None
    text = (
        "How much more training data would change this was not measured: it takes at "
        "least four nested training sizes."
    )
    return Flip(what="training_data", text=text)
