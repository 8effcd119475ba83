"""Forgetting: common knowledge, asked of the model as published and of the tuned ones.

Without documents, also of the adapter that learned to read them: what the weights know
is asked, not what stands in a passage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.data.probe import general_probe
from groundtune.measure.answers import contains
from groundtune.measure.forgetting import forgetting
from groundtune.recipes.child import run_in_child
from groundtune.recipes.comparison.answering import AnswerJob, answer_cases
from groundtune.store.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from groundtune.core.protocols import Progress
    from groundtune.store.run import RunFolder
    from groundtune.systems.build import SystemSpec

FORGETTING = "forgetting.json"
BASE = "plain"


def measure_forgetting(
    run: RunFolder,
    specs: Mapping[str, SystemSpec],
    *,
    limit: int,
    progress: Progress,
) -> dict[str, Any]:
    """Ask the probe of each system, and leave answers and figures in the run.

    Args:
        run: Where `forgetting.json` goes; what stands there is taken up.
        specs: Systems without documents by arm: `plain`, and those that were tuned.
        limit: Most questions.
        progress: Told how many are answered.

    Returns:
        By arm: `before`, `after`, their paired `difference`, and what was `kept` of
        what was known before.
    """
    path = run.path / FORGETTING
    if path.exists():
        return read_json(path)["figures"]
    cases = tuple(general_probe(limit))
    by_id = {case.id: case for case in cases}
    right: dict[str, dict[str, bool]] = {}
    rows: list[dict[str, Any]] = []
    for arm, spec in specs.items():
        said: dict[str, bool] = {}

        def add(
            item: tuple[str, Any, str | None],
            arm: str = arm,
            said: dict[str, bool] = said,
        ) -> None:
            case_id, answer, error = item
            text = answer.text if answer is not None else ""
            said[case_id] = bool(contains(text, by_id[case_id].answers))
            rows.append(
                {
                    "arm": arm,
                    "case": case_id,
                    "question": by_id[case_id].question,
                    "prediction": text,
                    "right": said[case_id],
                    "error": error,
                }
            )
            progress(f"{arm}: common knowledge", len(said), len(cases))

        job = AnswerJob(spec=spec, cases=cases)
        run_in_child(answer_cases, job, on_item=add, progress=progress)
        right[arm] = said
    figures = {
        arm: forgetting(right[BASE], said).to_json()
        for arm, said in right.items()
        if arm != BASE
    }
    write_json(path, {"figures": figures, "rows": rows})
    return figures
