"""Folders that `tune fact_check` made, whatever they hold, opened as judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.store.models import open_model
from groundtune.systems.judges import open_judge
from groundtune.systems.likelihood import LIKELIHOOD, open_likelihood_judge
from groundtune.systems.wording import WORDING, WordingJudge, read_wording

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.systems.fact_checker import Judge


def is_weighed(folder: Path) -> bool:
    """Whether a folder holds weights of features rather than an encoder."""
    return (folder / WORDING).is_file()


def open_verdict_model(folder: Path) -> Judge:
    """Open a verdict model.

    Raises:
        ModelLoadError: It is another kind of model, damaged, or not trained to its end.
    """
    if (folder / LIKELIHOOD).is_file():
        return open_likelihood_judge(folder)
    if is_weighed(folder):
        return WordingJudge(read_wording(folder), name=folder.name)
    return open_judge(open_model(str(folder), kind="classifier", offline=True))
