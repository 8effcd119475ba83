"""The report of a run: every figure rebuilt from its rows, as text and as a page.

Reads the run folder, hands rows to `measure.comparison`, and shows what comes back.
No figure is worked out here, and nothing of the run is changed but `report.html`.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.answers import PRIMARY
from groundtune.measure.comparison import Summary, label, summarise
from groundtune.measure.rows import Row
from groundtune.measure.summary import by_system
from groundtune.recipes.report_page import examples, plots
from groundtune.store.files import read_json, read_json_lines, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundtune.measure.comparison import Contrast
    from groundtune.measure.rows import Figure
    from groundtune.measure.summary import ArmFigures

WIDTH = 96
"""Columns of the terminal report."""

_PAGE = Path(__file__).parent / "report_page"


def report(run: Path) -> Summary:
    """Rebuild every figure of a run from its rows.

    Reads `rows.jsonl` and `run.json`, and `timings.jsonl` and `resources.json` where
    they are. `run.json` may name the `task`, the primary `measure`, the `protocol`
    settings and `gates` (arm to the reason why it must not win).

    Raises:
        DataError: The folder is no run, a row is malformed, or no arm is complete.
        ConfigError: The protocol settings are unknown or out of range.
    """
    if not (run / "rows.jsonl").is_file():
        raise DataError(
            "not a run folder: it holds no rows.jsonl",
            fix="name a folder that `groundtune compare --out` wrote",
            where=str(run),
        )
    about = read_json(run / "run.json")
    resources, fresh = run / "resources.json", run / "freshness.json"
    summary = summarise(
        _rows(run),
        task=str(about.get("task", "qa")),
        run=str(run),
        measure=str(about.get("measure", PRIMARY)),
        timings=read_json_lines(run / "timings.jsonl"),
        resources=read_json(resources) if resources.exists() else None,
        settings=_settings(about.get("protocol") or {}, where=run / "run.json"),
        gates={str(arm): str(why) for arm, why in (about.get("gates") or {}).items()},
    )
    freshness = read_json(fresh)["figures"] if fresh.exists() else None
    return replace(summary, freshness=freshness)


def _rows(run: Path) -> list[Row]:
    path = run / "rows.jsonl"
    return [
        Row.from_json(raw, where=f"{path}:{number}")
        for number, raw in enumerate(read_json_lines(path), start=1)
    ]


def _settings(raw: Mapping[str, Any], *, where: Path) -> ProtocolSettings:
    known = {field.name for field in fields(ProtocolSettings)}
    if extra := sorted(raw.keys() - known):
        raise ConfigError(
            f"unknown setting {extra[0]!r}",
            fix=f"known settings: {', '.join(sorted(known))}",
            where=f"{where}: protocol",
        )
    return ProtocolSettings(**raw)


def write_html(run: Path, summary: Summary) -> Path:
    """Write `report.html` into the run folder: one page that needs nothing else.

    No script, no request, all text escaped; the same run gives the same bytes.

    Raises:
        StoreError: It could not be written.
        DataError: A file of the run is malformed.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    systems = by_system(_rows(run))
    passages = {
        (str(line["document"]), int(line["start"]), int(line["end"])): str(line["text"])
        for line in read_json_lines(run / "passages.jsonl")
    }
    measure = label(summary.measure)
    drawn = {
        "quality": plots.quality(summary, measure),
        "differences": plots.differences(summary, measure),
        "latency": plots.latency(summary, measure),
        "by_hit": plots.by_hit(summary, measure),
    }

    page = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "interval": _interval,
        "signed": _signed_interval,
        "p": _p,
        "system": plots.label,
        "measure": label,
        "plain_number": _plain_number,
        "unbroken": _unbroken,
    }
    # The plots are ours, with every label escaped where it was put in.
    html = page.get_template("page.html.j2").render(
        summary=summary,
        measure=measure,
        title=run.resolve().name,
        style=Markup((_PAGE / "page.css").read_text(encoding="utf-8")),  # noqa: S704
        plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704
        examples=examples.disagreements(systems, passages, measure=summary.measure),
        systems={**summary.arms, **summary.diagnostics},
        right_from=examples.RIGHT,
        other_measures=_other_measures(summary),
        resource_names=_resource_names(summary),
        seeds=_seeds(summary),
        about=list(_flat(read_json(run / "run.json"))),
    )
    path = run / "report.html"
    write_atomic(path, html)
    return path


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


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Leaves of a JSON value with their dotted names; short lists stay together."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(x, dict | list) for x in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{place}]")
    elif isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def _interval(figure: Figure, *, sign: str = "") -> str:
    value, low, high = (
        f"{x:{sign}.3f}" for x in (figure.value, figure.low, figure.high)
    )
    return f"{value} [{low}, {high}]"


def _signed_interval(figure: Figure) -> str:
    return _interval(figure, sign="+")


def _unbroken(text: str) -> str:
    """Keep "p < 0.001" and "[+0.1, +0.2]" on one line."""
    return re.sub(r"(?<=\bp) [<=] |(?<=\d), (?=[+-]\d)", _no_break, text)


def _no_break(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\u00a0")


def _p(value: float | None) -> str:
    if value is None:
        return plots.NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _plain_number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return plots.NOTHING if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def render_terminal(summary: Summary) -> str:
    """The report as plain text of at most 96 columns, without colour."""
    counts, verdict = summary.counts, summary.verdict
    lines = [
        f"{summary.task} · {counts.cases:,} cases"
        + ("" if counts.groups == counts.cases else f" from {counts.groups:,} groups")
        + f" · {label(summary.measure)} with 95 % intervals",
        "",
        *_arm_table(summary),
    ]
    if summary.contrasts:
        lines += ["", *_contrast_table(summary)]
    if summary.warnings:
        lines += ["", *(_wrapped(text, first="! ") for text in summary.warnings)]
    if summary.freshness:
        lines += ["", *_freshness_lines(summary.freshness)]
    headline = f"VERDICT  {verdict.arm or 'undecided'}"
    lines += ["", headline, _wrapped(verdict.why, first="  ")]
    if verdict.flips:
        lines += ["", "WHAT WOULD CHANGE IT"]
        lines += [_wrapped(flip.text, first="- ") for flip in verdict.flips]
    return "\n".join(lines) + "\n"


def _freshness_lines(freshness: Mapping[str, Any]) -> list[str]:
    """After facts were edited and indexed again, without training."""

    def shown(figure: Mapping[str, Any]) -> str:
        low, high = f"{figure['low']:.0%}", f"{figure['high']:.0%}"
        return f"{figure['value']:.0%} [{low}, {high}] (n = {figure['n']})"

    lines = [
        f"FRESHNESS  indexed again in {freshness['seconds_to_fresh']:.1f} s; of the "
        "edited facts that retrieval found"
    ]
    for name, figures in freshness["systems"].items():
        lines += [
            f"  {name:<6} says the new value {shown(figures['update_success'])}, "
            f"the old one {figures['stale_rate']['value']:.0%}",
            f"         of those it had answered rightly before "
            f"{shown(figures['followed'])}",
        ]
        if figures["untouched_before"]["n"]:
            lines.append(
                "         right on facts that were left alone: "
                f"{figures['untouched_before']['value']:.0%} before, "
                f"{shown(figures['untouched_after'])} after"
            )
    return lines


def _wrapped(text: str, *, first: str) -> str:
    return fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _arm_table(summary: Summary) -> list[str]:
    head = (
        f"{'':<24} {label(summary.measure):<22} {'n':>6} {'hit':>6} "
        f"{'p50 ms':>8} {'p95 ms':>8} {'tokens in':>9} {'out':>5}"
    )
    lines = [head.rstrip(), "─" * len(head)]
    lines += [_arm_line(name, arm) for name, arm in summary.arms.items()]
    if summary.diagnostics:
        lines.append("diagnostics")
        lines += [
            _arm_line(f"  {plots.label(name)}", arm)
            for name, arm in summary.diagnostics.items()
        ]
    return lines


def _arm_line(name: str, arm: ArmFigures) -> str:
    hit = f"{arm.measures['hit'].value:.0%}" if "hit" in arm.measures else plots.NOTHING
    p50, p95 = (
        f"{arm.latency_ms[part]:,.0f}" if arm.latency_ms else plots.NOTHING
        for part in ("p50", "p95")
    )
    return (
        f"{name:<24} {_interval(arm.score):<22} {arm.score.n:>6,} {hit:>6} "
        f"{p50:>8} {p95:>8} {arm.tokens['prompt']:>9,.0f} {arm.tokens['output']:>5,.0f}"
    )


def _contrast_table(summary: Summary) -> list[str]:
    head = f"{'':<22} {'difference':<25} {'n':>6} {'p':>9} {'p (Holm)':>9}"
    return [
        head,
        "─" * len(head),
        *(_contrast_line(contrast) for contrast in summary.contrasts),
    ]


def _contrast_line(contrast: Contrast) -> str:
    names = f"{contrast.a} {plots.MINUS} {contrast.b}"
    gap = contrast.difference
    return (
        f"{names:<22} {_interval(gap, sign='+'):<25} {gap.n:>6,} "
        f"{_p(contrast.p):>9} {_p(contrast.p_holm):>9}"
    )
