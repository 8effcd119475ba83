"""The report of a run: every figure rebuilt from its rows, as text and as a page.

Reads the run folder, hands rows to `measure.comparison`, and shows what comes back.
No figure is worked out here, and nothing of the run is changed but its views
(`report.html`, `report.md`). What they look like is in `report_page/`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import DataError
from groundtune.measure.answers import PRIMARY
from groundtune.measure.comparison import Summary, label, summarise
from groundtune.measure.costs import RETRIEVING
from groundtune.measure.flips import Flip
from groundtune.measure.rows import Row
from groundtune.recipes.report_page.terminal import WIDTH, render_terminal
from groundtune.store.files import (
    explained,
    read_json,
    read_json_lines,
    replacement,
    sync_folder,
    write_atomic,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "WIDTH",
    "Summary",
    "render_terminal",
    "report",
    "write_html",
    "write_markdown",
    "write_parquet",
]


def report(run: Path, *, weights: Mapping[str, Any] | None = None) -> Summary:
    """Rebuild every figure of a run from its rows.

    Reads `rows.jsonl` and `run.json`, and `timings.jsonl`, `resources.json`,
    `freshness.json` and `learning_curve.json` where they are. `run.json` may name the
    `task`, the primary `measure`, `other_measures`, the `protocol` settings and `gates`
    (arm to the reason why it must not win).

    Args:
        run: The run folder.
        weights: Settings of the person's use (`config.protocol.WEIGHTS`) in place of
            those that the run was registered with; the run keeps its own.

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
    registered = ProtocolSettings.from_mapping(
        about.get("protocol") or {}, where=f"{run / 'run.json'}: protocol"
    )
    settings = registered.with_weights(weights) if weights else registered
    freshness = _json_if_there(run / "freshness.json").get("figures")
    summary = summarise(
        _rows(run),
        task=str(about.get("task", "qa")),
        run=str(run),
        measure=str(about.get("measure", PRIMARY)),
        others=tuple(about.get("other_measures") or ()),
        timings=read_json_lines(run / "timings.jsonl"),
        resources=_resources(run, freshness),
        settings=settings,
        gates={str(arm): str(why) for arm, why in (about.get("gates") or {}).items()},
    )
    curve = _json_if_there(run / "learning_curve.json") or None
    return replace(
        summary,
        freshness=freshness,
        learning_curve=curve,
        verdict=replace(
            summary.verdict, flips=_with_forecast(summary.verdict.flips, curve)
        ),
        registered=registered if settings != registered else None,
    )


def _rows(run: Path) -> list[Row]:
    path = run / "rows.jsonl"
    return [
        Row.from_json(raw, where=f"{path}:{number}")
        for number, raw in enumerate(read_json_lines(path), start=1)
    ]


def _json_if_there(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _resources(
    run: Path, freshness: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Memory and seconds by system; arms that retrieve carry those of the index too."""
    found: dict[str, dict[str, Any]] = _json_if_there(run / "resources.json")
    index: dict[str, Any] = {}
    seconds = found.get("retrieval", {}).get("index_seconds")
    if seconds is not None:
        index["index_seconds"] = seconds
    if freshness and freshness.get("seconds_to_fresh") is not None:
        index["reindex_seconds"] = freshness["seconds_to_fresh"]
    for name in RETRIEVING if index else ():
        found[name] = {**index, **found.get(name, {})}
    return found


def _with_forecast(
    flips: tuple[Flip, ...], curve: Mapping[str, Any] | None
) -> tuple[Flip, ...]:
    """The flips, with what the learning curve says of more training data."""
    forecast = (curve or {}).get("forecast")
    if not curve or not forecast:
        return flips
    found = Flip(
        what="training_data",
        text=_told_forecast(curve, forecast),
        value=None if forecast.get("refused") else forecast.get("cases_to_reach"),
    )
    return (*(flip for flip in flips if flip.what != "training_data"), found)


def _told_forecast(curve: Mapping[str, Any], forecast: Mapping[str, Any]) -> str:
    arm, target = curve.get("arm", "tuned"), curve.get("target_arm") or "its target"
    cases = forecast.get("cases_to_reach")
    if forecast.get("refused") or cases is None:
        why = str(forecast.get("why") or "the curve does not reach it").rstrip(".")
        return f"How many training cases {arm} would take to reach {target}: {why}."
    low, high = forecast.get("low"), forecast.get("high")
    between = (
        "" if low is None or high is None else f" (between {low:,.0f} and {high:,.0f})"
    )
    return (
        f"With about {cases:,.0f} training cases{between} {arm} would reach {target}."
    )


def write_html(run: Path, summary: Summary) -> Path:
    """Write `report.html` into the run folder: one page that needs nothing else.

    No request, no script but its own, all text escaped; the same run and weights give
    the same bytes.

    Raises:
        StoreError: It could not be written.
        DataError: A file of the run is malformed.
    """
    from groundtune.recipes.report_page.page import page_html

    passages = {
        (str(line["document"]), int(line["start"]), int(line["end"])): str(line["text"])
        for line in read_json_lines(run / "passages.jsonl")
    }
    html = page_html(
        summary,
        title=run.resolve().name,
        rows=_rows(run),
        passages=passages,
        about=read_json(run / "run.json"),
    )
    path = run / "report.html"
    write_atomic(path, html)
    return path


def write_markdown(run: Path, summary: Summary) -> Path:
    """Write `report.md` into the run folder: the tables and the verdict as Markdown.

    Raises:
        StoreError: It could not be written.
    """
    from groundtune.recipes.report_page.markdown import page_markdown

    path = run / "report.md"
    title = run.resolve().name
    write_atomic(
        path, page_markdown(summary, title=title, measure=label(summary.measure))
    )
    return path


def write_parquet(run: Path, path: Path) -> Path:
    """Write the rows of a run as one Parquet file: a column a field, a column a score.

    Raises:
        StoreError: It could not be written.
        DataError: A row is malformed.
    """
    from groundtune.recipes.report_page.table import write_rows_table

    rows, timings = _rows(run), read_json_lines(run / "timings.jsonl")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacement(path) as part:
            write_rows_table(part, rows, timings=timings)
        sync_folder(path.parent)
    return path
