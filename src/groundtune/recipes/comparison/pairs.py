"""`compare --arms RUN:SYSTEM,RUN:SYSTEM`: two systems of finished runs, held together.

Two models, two prompts or two retrieval settings are two runs on the same test cases.
Make each with `--arms` of the one arm that is wanted, then compare the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from groundtune.config.protocol import ProtocolSettings
from groundtune.core.errors import ConfigError, DataError
from groundtune.measure.answers import PRIMARY
from groundtune.measure.pair import Pair, compare_pair
from groundtune.measure.rows import Row
from groundtune.store.files import write_json
from groundtune.store.run import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

_BETWEEN = ":"


class RunSystem(NamedTuple):
    """A system of a finished run."""

    run: Path
    system: str

    @property
    def name(self) -> str:
        """How it is shown: the folder's name and the system's."""
        return f"{self.run.resolve().name}{_BETWEEN}{self.system}"


def read_pair(text: str) -> tuple[RunSystem, RunSystem] | None:
    """The two systems that `--arms` names; None where it names arms to be measured.

    Examples:
        >>> read_pair("plain,rag") is None
        True
        >>> [one.system for one in read_pair("old:rag,new:rag")]
        ['rag', 'rag']
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not any(_BETWEEN in part for part in parts):
        return None
    found: list[RunSystem] = []
    for part in parts:
        run, mark, system = part.rpartition(_BETWEEN)
        if not mark or not run or not system:
            raise ConfigError(
                f"{part!r} is no system of a run",
                fix="write RUN:SYSTEM,RUN:SYSTEM, such as old:both,new:both",
                where="--arms",
            )
        found.append(RunSystem(Path(run), system))
    if len(found) != 2 or found[0] == found[1]:
        raise ConfigError(
            "two different systems are needed",
            fix="write RUN:SYSTEM,RUN:SYSTEM, such as old:both,new:both",
            where="--arms",
        )
    return found[0], found[1]


def compare_runs(
    task: str, systems: tuple[RunSystem, RunSystem], *, out: Path | None = None
) -> Pair:
    """Hold two systems of finished runs against each other.

    Args:
        task: Of both runs.
        systems: The two.
        out: Folder for `pair.json`; None: nothing is written.

    Raises:
        ConfigError: The runs are of another task, or of different ones.
        DataError: A run has no such system, or the two share no case.
    """
    names = _names(systems)
    rows: dict[str, list[Row]] = {}
    timings: dict[str, list[dict[str, object]]] = {}
    measure, protocol = PRIMARY, ProtocolSettings()
    for name, one in zip(names, systems, strict=True):
        run = RunFolder.open(one.run)
        about = run.made_of
        if about.get("task", "qa") != task:
            raise ConfigError(
                f"{one.run} is a run of {about.get('task')}, not of {task}",
                fix=f"name two runs of {task}",
                where="--arms",
            )
        measure = str(about.get("measure", PRIMARY))
        rows[name] = [
            Row.from_json(raw, where=f"{run.rows_path}:{number}")
            for number, raw in enumerate(run.rows(), start=1)
            if raw["system"] == one.system
        ]
        if not rows[name]:
            known = sorted({str(raw["system"]) for raw in run.rows()})
            raise DataError(
                f"the run has no rows of {one.system!r}",
                fix=f"name one of {', '.join(known)}",
                where=str(one.run),
            )
        timings[name] = [t for t in run.timings() if t["system"] == one.system]
        if known := about.get("protocol"):
            protocol = ProtocolSettings.from_mapping(known, where=str(one.run))
    pair = compare_pair(
        rows, task=task, measure=measure, settings=protocol, timings=timings
    )
    if out is not None:
        write_json(out / "pair.json", pair.to_json())
    return pair


def _names(systems: Sequence[RunSystem]) -> list[str]:
    """How the two are shown; whole paths where folders are called alike."""
    short = [one.name for one in systems]
    if len(set(short)) == len(short):
        return short
    return [f"{one.run}{_BETWEEN}{one.system}" for one in systems]
