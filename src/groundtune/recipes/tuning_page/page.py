"""Writing the page of a tuned model: one HTML file that needs nothing beside itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundtune.measure.labels import most_confused
from groundtune.recipes import report_page
from groundtune.recipes.tuning_page import confusion, plots
from groundtune.recipes.tuning_page.trials import trial_plot, trial_rows
from groundtune.recipes.tuning_page.tuned import measure_name
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.recipes.tuning_page.tuned import TunedModel

_PAGE = Path(__file__).parent
_REPORT = Path(report_page.__file__).parent
_LONGEST = 420
"""Characters of a text that are shown."""

_MANY = 12
"""Labels above which they are drawn small and sorted."""


def write_tuning_page(path: Path, model: TunedModel) -> Path:
    """Write the page of a tuned model to `path` and return it.

    No script, no request, all text escaped; the same model gives the same bytes.

    Raises:
        StoreError: It could not be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    page = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"measure": measure_name, "shortened": _shortened}
    style = "\n".join(
        (folder / "page.css").read_text(encoding="utf-8") for folder in (_REPORT, _PAGE)
    )
    drawn = {
        "scores": plots.scores(model),
        "losses": plots.losses(model.history),
        "progress": plots.progress(model.history, measure=model.measure),
        "by_label": plots.by_label(model),
        "reliability": plots.reliability(model.calibration)
        if model.calibration
        else "",
        "trials": trial_plot(
            model.search["trials"],
            chosen=model.search["chosen"],
            measure=measure_name(model.measure),
        )
        if model.search
        else "",
    }
    named = model.entities is not None
    count = len(model.labels.labels) if model.labels else 0
    # The drawings are ours, with every name escaped where it was put in.
    html = page.get_template("page.html.j2").render(
        model=model,
        measure=measure_name(model.measure),
        style=Markup(style),  # noqa: S704
        plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704
        matrix=Markup(confusion.matrix(model.labels)) if model.labels else "",  # noqa: S704
        confused=most_confused(model.labels, count=10) if model.labels else [],
        many=count > _MANY,
        labels_title="Types" if named else "Labels",
        label_word="type" if named else "label",
        unit="words" if named else "cases",
        counted=sum(each.size for each in model.calibration.bins_after)
        if model.calibration
        else 0,
        trials=trial_rows(model.search["trials"], chosen=model.search["chosen"])
        if model.search
        else [],
        worst_first=_order(model),
        facts=[
            *_facts("", model.settings),
            *_facts("data", model.data),
        ],
    )
    write_atomic(path, html)
    return path


def _order(model: TunedModel) -> str:
    """In which order mistakes stand."""
    if model.entities is not None:
        return "those with the most entities missed or invented first"
    if model.labels is None:
        return "those least like their reference first"
    if model.calibration is None:
        return "in the order of the cases"
    return "those where the right label was given the least chance first"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"


def _facts(prefix: str, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            f"{prefix} {name}".strip().replace("_", " "),
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, default=str),
        )
        for name, value in facts.items()
    ]
