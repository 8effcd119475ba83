"""What an answer costs, and what would turn the verdict.

Only measured quantities go in: milliseconds, tokens, training seconds, the split by
retrieval hit. What was not measured is said to be so, never estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.config.protocol import ProtocolSettings
    from groundtune.measure.summary import ArmFigures

_RETRAINED = ("tuned",)
"""Arms whose facts are in the weights, so that each update means training again."""

_FRESHNESS = ("rag", "plain", "both", "tuned")
"""Easiest to keep up to date first: re-index, nothing, re-index beside an adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One condition under which the verdict would be another."""

    what: str
    """Kind, such as `retrieval`, `volume`, `price`, `margin` or `training_data`."""
    text: str
    """The condition as a sentence with its numbers."""
    value: float | None = None
    """The number at which it turns; None where there is none, or not measured."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"what": self.what, "text": self.text, "value": self.value}


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


def train_ms(arm: ArmFigures) -> float:
    """Measured training time of an arm; 0 where it has none."""
    return 1000 * float(arm.resources.get("train_seconds") or 0.0)


def cost_ms(arm: ArmFigures, settings: ProtocolSettings) -> float | None:
    """Milliseconds of machine time that one answer costs, training included.

    Training is spread over the questions of the horizon, and repeated at every update
    of the facts for an arm that holds them in its weights. None without timings.
    """
    if "mean" not in arm.latency_ms:
        return None
    months = settings.horizon_months
    trainings = 1.0
    if arm.name in _RETRAINED:
        trainings += settings.updates_per_month * months
    questions = settings.questions_per_month * months
    return arm.latency_ms["mean"] + trainings * train_ms(arm) / questions


def cheapest(arms: Mapping[str, ArmFigures], settings: ProtocolSettings) -> str:
    """The arm to take of several that are equally good.

    By cost; costs within the tie go to the one that is easier to keep fresh. Where an
    arm has no timings, tokens stand in for cost.
    """
    costs = {name: cost_ms(arm, settings) for name, arm in arms.items()}
    if None in costs.values():
        costs = {name: sum(arm.tokens.values()) for name, arm in arms.items()}
    known = {name: cost for name, cost in costs.items() if cost is not None}
    limit = min(known.values()) * (1 + settings.cost_tie)
    tied = [name for name, cost in known.items() if cost <= limit]
    return min(tied, key=lambda name: (_freshness(name), known[name], name))


def _freshness(name: str) -> int:
    return _FRESHNESS.index(name) if name in _FRESHNESS else len(_FRESHNESS)


def find_flips(
    winner: str, arms: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> list[Flip]:
    """All that the rows say about when another arm than `winner` should be taken."""
    flips = [_retrieval_flip(winner, arms), *_volume_flips(winner, arms, settings)]
    flips += [_price_flip(winner, arms), _data_flip(arms)]
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
    winner: str, arms: Mapping[str, ArmFigures], settings: ProtocolSettings
) -> list[Flip]:
    """Break-even between the winner and each arm that training makes cheaper or not."""
    found: list[Flip] = []
    for name, arm in arms.items():
        pair = (arms[winner], arm)
        trained = sorted(pair, key=train_ms)
        if name in (winner, "plain") or train_ms(trained[0]) == train_ms(trained[1]):
            continue
        incumbent, challenger = trained
        if not incumbent.latency_ms or not challenger.latency_ms:
            continue
        dearer = challenger.latency_ms["mean"]
        usual = incumbent.latency_ms["mean"]
        retrained = challenger.name in _RETRAINED
        questions = break_even(
            setup_gap=train_ms(challenger) - train_ms(incumbent),
            update_gap=train_ms(challenger) if retrained else 0.0,
            updates=settings.updates_per_month,
            horizon=settings.horizon_months,
            cost_gap=usual - dearer,
        )
        costs = f"{dearer:,.0f} ms an answer on average against {usual:,.0f} ms"
        seconds = f"{train_ms(challenger) / 1000:,.0f} s of training"
        if questions is None:
            text = (
                f"No volume makes {challenger.name} cheaper than {incumbent.name}: "
                f"{costs}, after {seconds}."
            )
        else:
            often = (
                f"with {settings.updates_per_month:g} retraining a month"
                if retrained
                else "without retraining"
            )
            text = (
                f"From {questions:,.0f} questions a month {challenger.name} costs less "
                f"machine time than {incumbent.name}: {costs}, after {seconds}, "
                f"{often} over {settings.horizon_months:g} months. "
                "Quality is not in this sum."
            )
        found.append(Flip(what="volume", text=text, value=questions))
    return found


def _price_flip(winner: str, arms: Mapping[str, ArmFigures]) -> Flip | None:
    """How much dearer per token a tuned model may be before retrieval is cheaper."""
    if "rag" not in arms or "tuned" not in arms or winner not in ("rag", "tuned"):
        return None
    rag, tuned = (sum(arms[name].tokens.values()) for name in ("rag", "tuned"))
    if tuned == 0:
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
