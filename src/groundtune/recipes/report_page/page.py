"""The page of a run as one HTML text: figures and drawings put into the template.

The script in it is ours (`rule.js`, `page.js`) and stands in the page itself; the
Content-Security-Policy names its hash, so that no other script could run, whatever a
document or an answer says.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.core.values import ARMS
from groundtune.measure.comparison import label
from groundtune.measure.costs import PAIRS, costs_of
from groundtune.measure.flips import told_amount, told_answers
from groundtune.measure.kinds import break_down, kinds_of
from groundtune.measure.statistics import CAUTION
from groundtune.measure.summary import Resampler, by_system, resampling_groups
from groundtune.measure.what_if import rule_data
from groundtune.recipes.report_page import (
    diagnostics,
    examples,
    numbers,
    plots,
    plots_change,
    plots_costs,
    plots_kinds,
    words,
)
from groundtune.recipes.report_page.drawing import NARROW, WIDE
from groundtune.recipes.report_page.vocabulary import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from groundtune.measure.comparison import Summary
    from groundtune.measure.kinds import Breakdown
    from groundtune.measure.rows import Row
    from groundtune.recipes.report_page.drawing import Size

_ARM_NAMES = re.compile(rf"\b({'|'.join(ARMS)})\b(?!['\u2019-])")
_FOLDER = Path(__file__).parent

FEW_DRAWS = 2_000
"""Resamples of figures that no claim rests on, of which there are many."""


def page_html(
    summary: Summary,
    *,
    title: str,
    rows: Sequence[Row],
    passages: Mapping[tuple[str, int, int], str],
    about: Mapping[str, Any],
) -> str:
    """Make the page.

    Args:
        summary: Every figure of the run.
        title: What the run is called.
        rows: Its rows, for what is shown case by case.
        passages: Text of passages by document, start and end.
        about: `run.json`, shown to the letter.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    measure = label(summary.measure)
    page = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "interval": numbers.interval,
        "signed": numbers.signed_interval,
        "p": numbers.p_value,
        "system": plots.label,
        "measure": label,
        "plain_number": numbers.plain_number,
        "milliseconds": numbers.milliseconds,
        "unbroken": numbers.unbroken,
        "arms": lambda text: Markup(_named_arms(text)),  # noqa: S704 (escaped there)
    }
    script = "".join(
        (_FOLDER / name).read_text(encoding="utf-8") for name in ("rule.js", "page.js")
    )
    digest = b64encode(sha256(script.encode()).digest()).decode()
    # The drawings and the script are ours, with every label escaped where it was put
    # in; in the figures nothing can end the element that they stand in.
    drawn = _drawings(summary, rows, measure)
    return page.get_template("page.html.j2").render(
        summary=summary,
        caution=CAUTION,
        measure=measure,
        title=title,
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=f"sha256-{digest}",
        figures=Markup(_json(rule_data(summary, label=measure))),  # noqa: S704
        plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704
        first=words.first_screen(summary, measure=measure),
        task=words_of(summary.task),
        costs=_cost_rows(summary),
        break_evens=_break_even_rows(summary),
        cost_unit=_unit(summary),
        cost_notes=costs_of(summary.arms, summary.settings).notes,
        changed=words.changed_weights(summary),
        meanings=diagnostics.meanings(summary),
        examples=examples.disagreements(
            by_system(rows), passages, measure=summary.measure, task=summary.task
        ),
        systems={**summary.arms, **summary.diagnostics},
        right_from=examples.RIGHT,
        other_measures=_other_measures(summary),
        resource_names=_resource_names(summary),
        seeds=_seeds(summary),
        about=list(numbers.leaves(about)),
    )


def _named_arms(text: object) -> str:
    """A sentence of ours as HTML, with the names of arms set apart from words."""
    return _ARM_NAMES.sub(r'<b class="name \1">\1</b>', escape(str(text)))


def _json(value: object) -> str:
    """JSON that can stand in a script element: no character of it could end one."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _drawings(summary: Summary, rows: Sequence[Row], measure: str) -> dict[str, str]:
    """Every plot by name, for wide pages and for narrow; empty without anything."""

    def both(draw: Callable[[Size], str]) -> str:
        wide = draw(WIDE)
        if not wide:
            return ""
        narrow = draw(NARROW)
        return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'

    found = {
        "quality": both(lambda size: plots.quality(summary, measure, size)),
        "differences": both(lambda size: plots.differences(summary, measure, size)),
        "latency": both(lambda size: plots_costs.latency(summary, measure, size)),
        "cost": both(lambda size: plots_costs.cost(summary, measure, size)),
        "by_hit": both(lambda size: plots_kinds.by_hit(summary, measure, size)),
        "learning": "",
        "freshness": "",
        "by_kind": "",
        "by_group": "",
        "by_review": "",
    }
    if curve := summary.learning_curve:
        of_curve = label(str(curve.get("measure") or summary.measure))
        found["learning"] = both(
            lambda size: plots_change.learning_curve(curve, of_curve, size)
        )
    if fresh := summary.freshness:
        found["freshness"] = both(lambda size: plots_change.freshness(fresh, size))
    for name, kinds in _breakdowns(summary, rows).items():
        found[name] = both(
            lambda size, kinds=kinds: (
                plots_kinds.by_kind(kinds, measure, size) if kinds else ""
            )
        )
    return found


def _breakdowns(summary: Summary, rows: Sequence[Row]) -> dict[str, Breakdown | None]:
    """Quality by kind of case, and by document where several cases share one."""
    found = {name: part for name, part in by_system(rows).items() if name in ARMS}
    shared = set.intersection(*({row.case for row in part} for part in found.values()))
    systems = {
        name: [row for row in found[name] if row.case in shared]
        for name in summary.arms
    }
    settings = summary.settings
    resampler = Resampler(seed=settings.seed, draws=min(settings.draws, FEW_DRAWS))
    groups = resampling_groups(rows, unit=settings.unit)
    by, kinds = kinds_of(
        [row for part in systems.values() for row in part], task=summary.task
    )
    own = {row.case: row.group for row in rows}
    sets = {"by_kind": (by, kinds)}
    # Where nearly every case is a group of its own, groups tell nothing.
    if 2 * len({own[case] for case in shared}) <= len(shared):
        sets["by_group"] = ("document", own)
    if summary.counts.unreviewed:
        sets["by_review"] = (
            "review",
            {row.case: "reviewed" if row.reviewed else "not reviewed" for row in rows},
        )
    return {
        name: break_down(
            systems,
            kinds,
            by=by,
            measure=summary.measure,
            resampler=resampler,
            groups=groups,
        )
        for name, (by, kinds) in sets.items()
    }


def _unit(summary: Summary) -> str:
    """In what costs are counted; `page.js` says the same of other weights."""
    costs = costs_of(summary.arms, summary.settings)
    known = {"money": f"in {costs.currency}", "seconds": "in machine time"}
    return known.get(costs.unit, "not known")


def _cost_rows(summary: Summary) -> list[dict[str, str]]:
    """What each arm costs, as a person reads it."""
    settings = summary.settings
    costs = costs_of(summary.arms, settings)
    found: list[dict[str, str]] = []
    for name, cost in costs.arms.items():
        row = {"arm": name}
        if cost is None or not costs.is_known:
            nothing = dict.fromkeys(("answers", "making", "again", "all"), "not known")
            found.append(row | nothing)
            continue
        row |= {
            "answers": told_answers(cost.answer, costs),
            "making": told_amount(cost.setup, costs),
            "again": told_amount(cost.update, costs),
            "all": told_answers(cost.a_question(settings), costs),
        }
        found.append(row)
    return found


def _break_even_rows(summary: Summary) -> list[dict[str, str]]:
    """From how many questions on one arm is cheaper than another, pair by pair."""
    settings = summary.settings
    costs = costs_of(summary.arms, settings)
    found: list[dict[str, str]] = []
    for first, second in PAIRS:
        if not {first, second} <= set(summary.arms):
            continue
        one = costs.break_even(first, second, settings) if costs.is_known else None
        if not costs.is_known:
            text = "cannot be told from this run"
        elif one is None:
            text = "as much work to make: the one whose answers cost less"
        elif one.questions is None:
            text = f"never: {one.challenger} is not cheaper at any volume"
        else:
            text = f"{one.challenger}, from {one.questions:,.0f} questions a month"
        found.append(
            {
                "pair": f"{first},{second}",
                "first": first,
                "second": second,
                "text": text,
            }
        )
    return found


def _other_measures(summary: Summary) -> list[str]:
    systems = (*summary.arms.values(), *summary.diagnostics.values())
    names = list(dict.fromkeys(name for arm in systems for name in arm.measures))
    # No single system has them all: those about refusing come last, together.
    return sorted(names, key=lambda name: name.startswith(("abstained", "refusal")))


def _resource_names(summary: Summary) -> list[str]:
    systems = (*summary.arms.values(), *summary.diagnostics.values())
    return list(dict.fromkeys(name for arm in systems for name in arm.resources))


def _seeds(summary: Summary) -> dict[str, str]:
    return {
        name: ", ".join(f"seed {seed}: {value:.3f}" for seed, value in points.items())
        for name, points in ((n, arm.by_seed) for n, arm in summary.arms.items())
        if len(points) > 1
    }
