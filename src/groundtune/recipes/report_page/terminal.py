"""The report of a run as plain text for a terminal."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from groundtune.measure.comparison import label
from groundtune.recipes.report_page import plots
from groundtune.recipes.report_page.numbers import NOTHING, interval, p_value
from groundtune.recipes.report_page.words import cost_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.measure.comparison import Contrast, Summary
    from groundtune.measure.summary import ArmFigures

WIDTH = 96
"""Columns of the terminal report."""


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
    lines += ["", "COST"]
    lines += [_wrapped(text, first="  ") for text in cost_lines(summary)]
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
        if read := figures.get("update_success_read"):  # earlier versions do not tell
            lines.append(
                f"         of those whose new value it was given to read {shown(read)}"
            )
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
    hit = f"{arm.measures['hit'].value:.0%}" if "hit" in arm.measures else NOTHING
    p50, p95 = (
        f"{arm.latency_ms[part]:,.0f}" if arm.latency_ms else NOTHING
        for part in ("p50", "p95")
    )
    return (
        f"{name:<24} {interval(arm.score):<22} {arm.score.n:>6,} {hit:>6} "
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
        f"{names:<22} {interval(gap, sign='+'):<25} {gap.n:>6,} "
        f"{p_value(contrast.p):>9} {p_value(contrast.p_holm):>9}"
    )
