"""A training made to fit a length of time, by a speed that is measured first.

What was decided is written down before the first step and is taken as it stands from
then on: a training that is interrupted ends in the same weights, however fast the
machine is by then.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from groundtune.core.errors import ConfigError
from groundtune.store.files import read_json, write_json
from groundtune.tune.distributed import team
from groundtune.tune.encoder.train import LabelTrainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.config.encoder import EncoderSettings
    from groundtune.tune.encoder.pretrained import LabelModel
    from groundtune.tune.loop import Trainer

_Trainer = TypeVar("_Trainer", bound="Trainer")

_FILE = "budget.json"
_MOST_TIMED = 24
"""Steps that are tried, spread over the plan: they are of different lengths."""
_FEWEST_TIMED = 3
_TIMED_SHARE = 0.05
"""Share of the budget after which no further step is tried."""
_UPDATE_FACTOR = 1.15
"""A step with its update and its part in checkpoints, against its gradients alone."""
_EVALUATION_SHARE = 0.2
"""Most of the time that dev cases may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How long a training may be, and what that was worked out from."""

    plan: str
    seconds: float
    """The budget."""
    epochs: float
    evaluations: int
    steps: int
    """Of the whole training, had there been no budget."""
    step_seconds: float
    evaluation_seconds: float
    before_seconds: float
    """Spent before the first step, the measurement included."""

    def applied(self, settings: EncoderSettings) -> EncoderSettings:
        """The settings with what was decided."""
        return replace(settings, epochs=self.epochs, evaluations=self.evaluations)


def fit_to_budget(
    make: Callable[[EncoderSettings], _Trainer],
    model: LabelModel,
    settings: EncoderSettings,
    *,
    seconds: float | None,
    began: float,
    plan: str,
    folder: Path,
) -> tuple[_Trainer, Decision | None]:
    """A trainer whose steps fit a budget.

    Args:
        make: A trainer for settings.
        model: What it trains; left as it is.
        settings: As they are without a budget.
        seconds: The budget; None for none.
        began: When the training's time began to count, by `time.perf_counter`.
        plan: Of the job: another one is decided anew.
        folder: Where the decision is written.

    Returns:
        The trainer, and the decision where there is a budget.

    Raises:
        ConfigError: The budget does not do for a single step.
    """
    if seconds is None:
        return make(settings), None
    path = folder / _FILE
    if path.exists() and (written := read_json(path))["plan"] == plan:
        decision = Decision(**written)
        return make(decision.applied(settings)), decision
    trainer = make(settings)
    # Processes that train together must decide alike: the first one's clock counts.
    measured = {
        name: team().of_main(took) or 0.0
        for name, took in measure_speed(
            trainer, model, most_seconds=_TIMED_SHARE * seconds
        ).items()
    }
    before = team().of_main(time.perf_counter() - began) or 0.0
    decision = _decide(
        settings,
        measured,
        steps=trainer.steps,
        seconds=seconds,
        before=before,
        plan=plan,
    )
    if decision.applied(settings) != settings:
        trainer = make(decision.applied(settings))
        allowed = decision.epochs / settings.epochs * decision.steps
        if trainer.steps > allowed + 1:  # some trainings have a least number of steps
            raise _too_small(seconds, before, trainer.steps * measured["step_seconds"])
    if team().is_main:
        write_json(path, asdict(decision))
    return trainer, decision


def measure_speed(
    trainer: Trainer, model: LabelModel, *, most_seconds: float
) -> dict[str, float]:
    """Seconds of a step and of an evaluation; no weight is changed."""
    import torch

    if isinstance(trainer, LabelTrainer):
        trainer.try_longest()
    tried = [
        round(place * (trainer.steps - 1) / (_MOST_TIMED - 1))
        for place in range(_MOST_TIMED)
    ]
    # An order without a trend: steps may grow as layers are opened.
    tried = tried[::3] + tried[1::3] + tried[2::3]
    spent: list[float] = []
    with torch.random.fork_rng():
        trainer.backward(tried[0])  # the first one also makes ready
        for step in tried:
            began = time.perf_counter()
            trainer.backward(step)
            spent.append(time.perf_counter() - began)
            if len(spent) >= _FEWEST_TIMED and sum(spent) > most_seconds:
                break
        for _, weight in model.named_weights():
            weight.grad = None
        began = time.perf_counter()
        trainer.dev_loss()
    return {
        "step_seconds": _UPDATE_FACTOR * sum(spent) / len(spent),
        "evaluation_seconds": time.perf_counter() - began,
    }


def _decide(
    settings: EncoderSettings,
    measured: dict[str, float],
    *,
    steps: int,
    seconds: float,
    before: float,
    plan: str,
) -> Decision:
    left = seconds - before
    step, evaluation = measured["step_seconds"], measured["evaluation_seconds"]
    whole: dict[str, Any] = {
        "plan": plan,
        "seconds": seconds,
        "steps": steps,
        "step_seconds": round(step, 4),
        "evaluation_seconds": round(evaluation, 4),
        "before_seconds": round(before, 2),
    }
    # One evaluation more than is set: the first weights are looked at as well.
    if steps * step + (settings.evaluations + 1) * evaluation <= left:
        return Decision(
            epochs=settings.epochs, evaluations=settings.evaluations, **whole
        )
    most = int(_EVALUATION_SHARE * left / evaluation) - 1 if evaluation > 0 else steps
    evaluations = max(1, min(settings.evaluations, most))
    fitting = int((left - (evaluations + 1) * evaluation) / step)
    if fitting < 1:
        raise _too_small(seconds, before, step + 2 * evaluation)
    fitting = min(fitting, steps)
    # Rounded down, and never to nothing.
    epochs = max(1e-6, int(1e6 * settings.epochs * fitting / steps) / 1e6)
    return Decision(epochs=epochs, evaluations=evaluations, **whole)


def _too_small(seconds: float, before: float, least: float) -> ConfigError:
    return ConfigError(
        f"{seconds:.1f} s for a training do not do: {before:.1f} s passed before its "
        f"first step, and the shortest takes {least:.1f} s",
        fix=f"give each training {before + 2 * least:.0f} s at least (a search is many "
        "of them), or use --strategy head",
        where="--budget",
    )
