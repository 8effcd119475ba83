"""Trying settings of retrieval: what may be tried, and Optuna's study of it.

How a study is kept and resumed is in `journal`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.fingerprint import fingerprint
from groundtune.recipes.optimization.journal import (
    is_exhausted,
    next_trial,
    open_study,
)
from groundtune.recipes.optimization.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.protocols import Progress

    Point = Mapping[str, Any]

_STARTUP = 10
"""Trials before the sampler follows what it has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What may be tried. The first choice of each is what stands now.

    `alpha` is tried on a grid of twentieths; the others have the choices named.
    """

    start: RetrievalSettings
    size: tuple[int, ...]
    """Sizes of passages: `target` of the splitter."""
    k: tuple[int, ...] = ()
    widen: tuple[str, ...] = ()
    mmr: tuple[float | None, ...] = ()
    expand: tuple[str, ...] = ()
    dedupe: tuple[bool, ...] = ()
    centre: tuple[int, ...] = ()
    rerank: tuple[str, ...] = ()

    def choices(self) -> dict[str, tuple[Any, ...]]:
        """The choices of each setting that has more than one, what stands first."""
        names = [field.name for field in fields(self) if field.name != "start"]
        found: dict[str, tuple[Any, ...]] = {}
        for name in names:
            options: tuple[Any, ...] = getattr(self, name)
            if name != "size":
                now = getattr(self.start, name)
                options = (now, *(choice for choice in options if choice != now))
            if len(options) > 1:
                found[name] = options
        return found

    def alphas(self) -> tuple[float, ...]:
        """Every weight, those nearest to what stands now first."""
        grid = (round(step / 20, 2) for step in range(21))
        return tuple(sorted(grid, key=lambda alpha: abs(alpha - self.start.alpha)))

    def points(self) -> int:
        """How many settings there are in all."""
        total = len(self.alphas())
        for options in self.choices().values():
            total *= len(options)
        return total

    def grid(self) -> list[dict[str, Any]]:
        """Every point, those nearest to what stands now first."""
        choices = {"alpha": self.alphas(), **self.choices()}
        return [
            dict(zip(choices, values, strict=True))
            for values in product(*choices.values())
        ]

    def settings(self, point: Point) -> RetrievalSettings:
        """The settings that a point stands for."""
        changed = {name: value for name, value in point.items() if name != "size"}
        k = int(changed.get("k", self.start.k))
        candidates = max(self.start.candidates, k)
        return replace(self.start, mode="hybrid", candidates=candidates, **changed)

    def size_of(self, point: Point) -> int:
        """The size of passages that a point stands for."""
        return int(point.get("size", self.size[0]))


def run_study(
    space: Space,
    measure: Callable[[RetrievalSettings, int], Measured],
    *,
    journal: Path,
    name: str,
    trials: int,
    most_shown: float,
    seed: int,
    progress: Progress,
) -> list[Measured]:
    """Try settings until `trials` of them are measured; a small space is tried whole.

    A setting that shows more than `most_shown` characters is measured, but what it
    finds counts for nothing: with more to read any search finds more.

    Args:
        space: What may be tried.
        measure: Searches with settings over passages of a size.
        journal: File of the study; kept for the next call.
        name: Of the study: what it depends on, so that another one starts afresh.
        trials: How many to try.
        most_shown: Mean characters that a question may get.
        seed: Of the sampler.
        progress: Told of each trial.

    Returns:
        What was measured, in order, each setting once.
    """
    study = open_study(journal, name=name, direction="maximize")
    is_grid = space.points() <= trials
    planned = space.grid() if is_grid else space.grid()[:1]
    total = min(trials, space.points())
    done = _finished(study)
    while len(done) < total:
        progress("trying settings", len(done), total)
        missing = [p for p in planned if _key(space, p) not in done]
        trial = next_trial(
            study, seed=seed, startup=_STARTUP, point=missing[0] if missing else None
        )
        point = _suggest(trial, space)
        found = done.get(_key(space, point))
        if found is None:
            found = measure(space.settings(point), space.size_of(point))
            done[_key(space, point)] = found
        elif not missing and is_exhausted(study, different=len(done), startup=_STARTUP):
            break
        trial.set_user_attr("measured", asdict(found))
        study.tell(trial, found.quality - (found.shown > most_shown))
    progress("trying settings", len(done), total)
    return list(done.values())


def _suggest(trial: Any, space: Space) -> dict[str, Any]:  # noqa: ANN401 (Optuna's)
    point: dict[str, Any] = {
        "alpha": round(trial.suggest_float("alpha", 0.0, 1.0, step=0.05), 2)
    }
    for name, options in space.choices().items():
        point[name] = trial.suggest_categorical(name, options)
    return point


def _key(space: Space, point: Point) -> str:
    return _name(space.settings(point), space.size_of(point))


def _name(settings: RetrievalSettings, size: int) -> str:
    return fingerprint({"settings": asdict(settings), "size": size})


def _finished(study: Any) -> dict[str, Measured]:  # noqa: ANN401 (Optuna's)
    found: dict[str, Measured] = {}
    for trial in study.trials:
        raw: dict[str, Any] | None = trial.user_attrs.get("measured")
        if raw is None or not trial.state.is_finished():
            continue
        settings = RetrievalSettings(**raw["settings"])
        measured = Measured(
            settings=settings,
            gains=tuple(raw["gains"]),
            search_ms=raw["search_ms"],
            shown=raw["shown"],
            size=raw["size"],
        )
        found.setdefault(_name(settings, measured.size), measured)
    return found


def best_of(measured: Sequence[Measured], *, most_shown: float) -> Measured:
    """The best that shows no more than it may; ties go to the first.

    Raises:
        ValueError: None shows so little (a bug in the caller: what stands now does).
    """
    fitting = [one for one in measured if one.shown <= most_shown]
    if not fitting:
        raise ValueError("every setting shows too much")
    return max(fitting, key=lambda one: one.quality)
