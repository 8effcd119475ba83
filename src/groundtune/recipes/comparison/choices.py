"""What an arm chose on dev cases: chosen once in a run, and taken up from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.recipes.child import run_in_child
from groundtune.store.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.core.protocols import Progress
    from groundtune.store.run import RunFolder


def chosen_once(
    run: RunFolder,
    key: str,
    work: Callable[..., dict[str, Any]],
    job: object,
    *,
    progress: Progress,
) -> dict[str, Any]:
    """The fields of a spec that did best on dev cases.

    Args:
        run: Keeps what was chosen, with what every candidate scored.
        key: What is chosen for.
        work: Tries the candidates, in a process of its own; returns `set`, the fields,
            and `scores`.
        job: What it gets.
        progress: Told how far it is.
    """
    path = run.path / "choices.json"
    known: dict[str, Any] = read_json(path) if path.exists() else {}
    if key not in known:
        known[key] = run_in_child(work, job, progress=progress).result
        write_json(path, known)
    return known[key]["set"]
