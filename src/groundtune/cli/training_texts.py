"""What `tune` does for tasks that write: translation, support, summarization."""

from __future__ import annotations

import dataclasses
from typing import Any

from groundtune.cli.options import changes_of, role_pairs
from groundtune.cli.progress import ProgressDisplay

MEASURES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
}
"""As measures of texts are written, by their names in reports."""


def tune_texts(task: str, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Tune a generator; the fields of its report, and the lines that are shown."""
    from groundtune.recipes.tune_texts import tune_generator_on_texts

    with ProgressDisplay() as progress:
        report = tune_generator_on_texts(
            task,
            train=options["train"],
            dev=options["dev"],
            test=options["test"],
            test_share=options["test_share"],
            base=options["base"] or "smollm2-135m-instruct",
            embedder=options["embedder"],
            limit=options["limit"],
            format=options["format"],
            roles=role_pairs(options.get("roles") or ()),
            changes=changes_of(options["changes"]),
            budget_seconds=options["budget"],
            out=options["out"],
            seed=options["seed"],
            processes=options["processes"],
            track=options["track"],
            progress=progress,
            tell=progress.tell,
        )
    fields = dataclasses.asdict(report)
    return fields, _lines(fields)


def _lines(fields: dict[str, Any]) -> list[str]:
    lines = [f"model: {fields['model']}", f"instruction: {fields['instruction']}"]
    if left_out := fields["rows_left_out"]:
        lines.append(f"{left_out} training rows are too long and were left out")
    basis = "test" if fields["test"] else "dev"
    for name, its in fields["measures"].items():
        told = ", ".join(
            f"{shown} {_interval(its[measure])}"
            for measure, shown in MEASURES.items()
            if measure in its
        )
        cut = fields["written"].get(name, {}).get("cut", 0)
        ended = f", {cut} answers ended by the bound of new tokens" if cut else ""
        lines.append(f"{name}: {told}{ended}")
    if gains := fields["gains"]:
        told = ", ".join(
            f"{shown} {_interval(gains[measure], sign='+')}"
            for measure, shown in MEASURES.items()
            if measure in gains
        )
        cases = next(iter(gains.values()))["n"]
        lines.append(f"tuned - plain: {told}, {cases:,} {basis} cases, 95 % intervals")
    if tried := fields.get("plain_prompts"):
        told = ", ".join(f"{name} {score:.1f}" for name, score in tried.items())
        lines.append(f"plain was asked in the best of these ways, on dev cases: {told}")
    lines.append(f"trained for {fields['seconds']:.0f} s from {fields['base']}")
    return lines


def _interval(figure: dict[str, float], *, sign: str = "") -> str:
    value, low, high = (f"{figure[key]:{sign}.1f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
