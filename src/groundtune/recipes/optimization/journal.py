"""Optuna's studies in a journal file, so that an interrupted search goes on.

The sampler is seeded anew for each trial by the number of those that are finished: a
study that was interrupted suggests what it would have suggested without that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from groundtune.store.files import JsonLinesLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.pruners import BasePruner


def open_study(
    journal: Path,
    *,
    name: str,
    direction: Literal["minimize", "maximize"],
    pruner: BasePruner | None = None,
) -> Study:
    """The study of that name, new or as far as it had come.

    Args:
        journal: File of the study; kept for the next call.
        name: What the study depends on, so that another one starts afresh.
        direction: Which values are better, low ones or high ones.
        pruner: Which trials are given up early.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A power cut may leave half a line, which Optuna would not read past.
    JsonLinesLog(journal).close()
    return optuna.create_study(
        study_name=name,
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
        direction=direction,
        pruner=pruner,
        load_if_exists=True,
    )


def next_trial(
    study: Study, *, seed: int, startup: int, point: Mapping[str, Any] | None
) -> Trial:
    """The trial that is next.

    Args:
        study: As `open_study` gave it.
        seed: Of the sampler.
        startup: Trials before the sampler follows what it has seen.
        point: What the trial is to try; the sampler decides if None.
    """
    import optuna
    from optuna.trial import TrialState

    # Killed between the two steps, a trial is waiting that has the same point.
    if point is not None and not study.get_trials(
        deepcopy=False, states=[TrialState.WAITING]
    ):
        study.enqueue_trial(dict(point))
    finished = (TrialState.COMPLETE, TrialState.PRUNED)
    done = sum(trial.state in finished for trial in study.trials)
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + done, n_startup_trials=startup
    )
    return study.ask()


def is_exhausted(study: Study, *, different: int, startup: int) -> bool:
    """Whether the sampler has mostly repeated itself: it has found its optimum."""
    return len(study.trials) > 4 * max(different, startup)
