"""The verdict in plain words, for a reader who has never seen a report of this kind.

What the first screen says: what to do, how sure that is, what it costs, when to think
again. Figures come from the summary; sentences are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from groundtune.core.values import ARMS
from groundtune.measure.costs import RETRAINED, TRAINED, costs_of, seconds_of
from groundtune.measure.flips import told_amount, told_answers
from groundtune.measure.verdict import too_slow
from groundtune.recipes.report_page.numbers import milliseconds, p_value, plain_number
from groundtune.recipes.report_page.vocabulary import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.measure.comparison import Contrast, Summary
    from groundtune.measure.costs import Costs
    from groundtune.measure.rows import Figure

_MEASURES = {
    "token_f1": "from 0, no word of the answer right, to 1, all right",
    "accuracy": "the share that was right",
    "macro_f1": "from 0 to 1, every label counting alike",
    "entity_f1": "from 0, no name found, to 1, every one and no other",
    "bleu": "likeness to the reference, 1 where all words are the same",
    "chrf": "likeness to the reference, 1 where all letters are the same",
    "rouge_l": "words in the order of the reference, from 0 to 1",
}

_WEIGHT_NAMES = {
    "questions_per_month": "questions a month",
    "updates_per_month": "updates of the facts a month",
    "horizon_months": "months of use",
    "latency_limit_ms": "longest an answer may take, ms",
    "prices.currency": "currency",
}

_MOST_FLIPS = 2
_MOST_COSTS = 4
_FLIPS_FIRST = {
    "quality": ("retrieval", "latency", "training_data"),
    "cost": ("margin", "volume", "updates", "latency", "retrieval", "price"),
    "gates": ("gates",),
    "undecided": ("cases",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstScreen:
    """What a stranger has to read, and nothing else."""

    headline: str
    meaning: str
    """The arm in words; of an undecided run, what to do meanwhile."""
    sure: tuple[str, ...]
    cost: tuple[str, ...]
    again: tuple[str, ...]
    """When to think again."""


def first_screen(summary: Summary, *, measure: str) -> FirstScreen:
    """Say the verdict of a summary; `measure` is what the measure is called."""
    verdict = summary.verdict
    if verdict.arm is None:
        headline, meaning = "No clear winner yet", _meanwhile(summary)
    else:
        headline = f"Take {verdict.arm}"
        meaning = words_of(summary.task).deeds[verdict.arm]
    return FirstScreen(
        headline=headline,
        meaning=meaning,
        sure=tuple(_sure(summary, measure)),
        cost=tuple(cost_lines(summary)[:_MOST_COSTS]),
        again=tuple(_again(summary)),
    )


def measure_words(measure: str) -> str:
    """What a measure says, in a few words; empty where its name must do."""
    return _MEASURES.get(measure, "")


def pair_of(summary: Summary, a: str, b: str) -> tuple[Figure, float] | None:
    """The difference of `a` minus `b` with its p-value, whichever way it was taken."""
    for contrast in (*summary.contrasts, *summary.exploratory):
        if (contrast.a, contrast.b) == (a, b):
            return contrast.difference, contrast.p
        if (contrast.a, contrast.b) == (b, a):
            return _turned(contrast), contrast.p
    return None


def _turned(contrast: Contrast) -> Figure:
    found = contrast.difference
    kind = type(found)
    # Subtracted from 0, since the negative of 0 is written with a sign.
    return kind(
        value=0.0 - found.value, low=0.0 - found.high, high=0.0 - found.low, n=found.n
    )


def _basis(summary: Summary) -> str:
    counts = summary.counts
    words = words_of(summary.task)
    text = f"On {counts.cases:,} test {words.cases}"
    if counts.groups == counts.cases:
        return text
    return f"{text} from {counts.groups:,} {words.groups}"


def _ranked(summary: Summary) -> list[str]:
    left = [name for name in summary.arms if name not in summary.verdict.gated]
    return sorted(left, key=lambda name: -summary.arms[name].score.value)


def _sure(summary: Summary, measure: str) -> list[str]:
    verdict, arms = summary.verdict, summary.arms
    ranked = _ranked(summary)
    if not ranked:
        return [f"{_basis(summary)}, no arm met the conditions that were set."]
    counts = summary.counts
    nothing_right = not any(arms[name].score.value for name in ranked)
    if nothing_right or counts.unanswerable == counts.cases:
        return [f"{_basis(summary)}: such a result cannot tell the arms apart."]
    if len(ranked) < 2:
        return [verdict.why if verdict.arm else _alone(summary, ranked[0], measure)]
    first = verdict.arm or ranked[0]
    second = next(name for name in ranked if name != first)
    explained = measure_words(summary.measure)
    best, other = arms[first].score.value, arms[second].score.value
    scores = (
        f"{_basis(summary)}, {first} scored {best:.3f} and {second}, the best of the "
        f"others, {other:.3f} ({measure}{', ' + explained if explained else ''})."
    )
    return [scores, *_gap_lines(summary, first, second), *_error_rate(summary)]


def _alone(summary: Summary, name: str, measure: str) -> str:
    score = summary.arms[name].score
    return (
        f"{_basis(summary)}, {name} scored {score.value:.3f} ({measure}, with 95 % "
        f"confidence between {score.low:.3f} and {score.high:.3f}). Nothing was "
        "measured beside it."
    )


def _gap_lines(summary: Summary, first: str, second: str) -> list[str]:
    pair = pair_of(summary, first, second)
    if pair is None:
        return []
    gap, p = pair
    sign = "" if gap.low >= 0 else "+"
    low, high, seen = (f"{x:{sign}.3f}" for x in (gap.low, gap.high, gap.value))
    between = f"between {low} and {high}"
    if summary.verdict.reason == "quality":
        return [
            f"Its lead of {seen} is hardly luck (p {_sign(p)}); with 95 % "
            f"confidence the true lead is {between}."
        ]
    if summary.verdict.reason == "cost":
        known = costs_of(summary.arms, summary.settings).is_known
        decides = "cost decides" if known else "tokens and ease of update decide"
        worst = max(0.0, -summary.verdict.against_best[first])
        return [
            f"With 95 % confidence {first} is at most {worst:.3f} below any other. "
            f"Less than {summary.settings.margin:g} counts as no difference here (the "
            f"margin, which you may set), so {decides}.",
            *_left_behind(summary),
        ]
    if gap.low > 0:
        return [
            f"The difference of {seen}, with 95 % confidence {between}, speaks for "
            f"{first}, but not yet against every other arm at once (p {_sign(p)} for "
            "this pair alone)."
        ]
    return [
        f"The difference of {seen} may be luck (p {_sign(p)}): with 95 % confidence "
        f"the true one is {between}."
    ]


def _left_behind(summary: Summary) -> list[str]:
    """Which arms are not as good, and by how much they may be worse."""
    verdict = summary.verdict
    bounds = {n: -verdict.against_best[n] for n in _ranked(summary)}
    out = [
        # With few documents there may be no bound at all.
        f"{name} {bound:.3f}" if isfinite(bound) else name
        for name, bound in bounds.items()
        if name not in verdict.kept
    ]
    return [f"Too far below the best, at worst: {', '.join(out)}."] if out else []


def _sign(p: float) -> str:
    shown = p_value(p)
    return shown if shown.startswith("<") else f"= {shown}"


def _error_rate(summary: Summary) -> list[str]:
    share = 100 * summary.settings.alpha
    found: list[str] = []
    if summary.verdict.reason == "quality":
        found.append(
            "Were all arms equally good, one would still be called better in at most "
            f"{share:g} of 100 such comparisons."
        )
    if summary.counts.cases < summary.settings.screening_cases:
        found.append("This one is small: a screening, good for large gaps only.")
    return found


def _meanwhile(summary: Summary) -> str:
    verdict = summary.verdict
    left = _ranked(summary)
    if not left:
        return "Every arm was left out: loosen a condition, or mend what failed."
    if len(left) == 1 or not any(summary.arms[n].score.value for n in left):
        return verdict.why
    open_ = [name for name in ARMS if name in summary.arms]
    open_ = [n for n in open_ if n not in verdict.beaten and n not in verdict.gated]
    parts: list[str] = []
    if verdict.beaten:
        is_ = "is" if len(verdict.beaten) == 1 else "are"
        parts.append(f"{_and(verdict.beaten)} {is_} shown to be worse: leave that out.")
    if len(open_) > 1:
        parts.append(f"Between {_and(open_)} these cases cannot choose.")
    if verdict.cases_needed:
        parts.append(f"Bring about {verdict.cases_needed:,} cases in all to decide it.")
    if verdict.groups_needed:
        parts.append(
            f"Bring cases from {verdict.groups_needed} {words_of(summary.task).groups} "
            f"at least: {summary.counts.groups} cannot decide it, however large a gap."
        )
    return " ".join(parts) or verdict.why


def _again(summary: Summary) -> list[str]:
    verdict = summary.verdict
    order = _FLIPS_FIRST[verdict.reason]
    # What no number turns, or was not measured, changes nothing: it stands below.
    flips = [
        flip
        for flip in verdict.flips
        if (flip.value is not None or flip.what == "gates")
        # What is cheaper counts only among those that are as good.
        and (not flip.rival or flip.rival in verdict.kept)
    ]
    chosen = [flip for what in order for flip in flips if flip.what == what]
    found = [flip.text for flip in chosen[:_MOST_FLIPS]]
    if verdict.arm is None:
        found += [f"{n} was left out: {w}." for n, w in verdict.gated.items()]
        more = f"When there are more {words_of(summary.task).cases}."
        return found or [more]
    limit = summary.settings.latency_limit_ms
    slow = list(too_slow(summary.arms, summary.settings))
    if limit is not None and slow:
        were = "was" if len(slow) == 1 else "were"
        found = [
            f"{_and(slow)} {were} left out as too slow: if {limit:,.0f} ms for 95 of "
            "100 answers need not be kept.",
            *found[:1],
        ]
    if not found:
        found = ["Nothing that was measured turns it within sight."]
    changing = words_of(summary.task).changing
    return [*found, f"When {changing} change, or the model: compare again."]


def cost_lines(summary: Summary) -> list[str]:
    """What it costs, in a few sentences; says what cannot be told."""
    settings, arms = summary.settings, summary.arms
    costs = costs_of(arms, settings)
    chosen = summary.verdict.arm
    first = [chosen] if chosen else []
    order = [*first, *(name for name in arms if name != chosen)]
    lines: list[str] = []
    if costs.is_known:
        lines.append(_thousand(costs, order))
    else:
        lines.append("What it costs cannot be told from this run.")
    if chosen and arms[chosen].latency_ms:
        at_most = milliseconds(arms[chosen].latency_ms["p95"])
        on = f" on {settings.hardware}" if settings.hardware else ""
        lines.append(f"95 of 100 answers of {chosen} come within {at_most}{on}.")
    if costs.is_known:
        lines += _training(summary, costs, [chosen] if chosen else order)
    if costs.unit == "seconds" and not settings.prices.is_given:
        lines.append(
            "No prices were given; with them this would be money instead of time."
        )
    return [*lines, *costs.notes]


def _thousand(costs: Costs, order: Sequence[str]) -> str:
    told = {
        name: told_answers(cost.answer, costs)
        for name in order
        if (cost := costs.arms[name]) is not None
    }
    first, *others = told
    verb = "cost" if costs.unit == "money" else "take"
    unit = "" if costs.unit == "money" else " of machine time"
    rest = ", ".join(f"{name} {told[name]}" for name in others)
    beside = f" ({rest})" if rest else ""
    return f"A thousand answers {verb} {told[first]}{unit} with {first}{beside}."


def _training(summary: Summary, costs: Costs, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        cost = costs.arms[name]
        if name not in TRAINED or cost is None:
            continue
        took = told_amount(cost.setup, costs)
        seconds = seconds_of(summary.arms[name], "train_seconds")
        time = f", {seconds / 60:,.1f} min of training" if costs.unit == "money" else ""
        again = f" and again at every update of the {words_of(summary.task).facts}"
        verb = "costs" if costs.unit == "money" else "takes"
        once = f"once{again}" if name in RETRAINED else "once"
        found.append(f"Making {name} {verb} {took}{time}, {once}.")
    return found


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def changed_weights(summary: Summary) -> list[str]:
    """Weights that were changed after the run, as sentences."""
    if summary.registered is None:
        return []
    changes = summary.settings.changed_from(summary.registered)

    def shown(value: object) -> str:
        return "none" if value in (None, "") else plain_number(value)

    def named(name: str) -> str:
        words = name.replace("prices.", "price of ").replace("_", " ")
        return _WEIGHT_NAMES.get(name, words)

    return [
        f"{named(name)}: {shown(now)} instead of {shown(then)}"
        for name, (then, now) in changes.items()
    ]
