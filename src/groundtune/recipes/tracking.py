"""Handing on what a training measures to a tracker that a person already uses.

None is needed and none is installed by default. A tracker lives in the process that
started the training and is fed from it through the channel, so that its libraries never
load beside the model.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from groundtune.core.errors import ConfigError, MissingExtraError
from groundtune.tune.loop import OBSERVE_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from groundtune.recipes.child import Channel
    from groundtune.tune.checkpoint import TrainState
    from groundtune.tune.loop import Observe

TrackerName = Literal["tensorboard", "mlflow", "trackio"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)

_MODULES = {
    "tensorboard": "tensorboard.summary.writer.event_file_writer",
    "mlflow": "mlflow",
    "trackio": "trackio",
}
_LONGEST = 500
"""Characters of a setting that every tracker takes."""


class Tracker(Protocol):
    """One run of a tracker."""

    @property
    def place(self) -> str:
        """Where to look at it."""
        ...

    def settings(self, values: Mapping[str, object]) -> None:
        """Remember what the run is made of; called once, first."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Remember figures of a step."""
        ...

    def close(self) -> None:
        """Write what is left; called once, last, also after an error."""
        ...


def check_tracker(name: str) -> None:
    """Refuse a tracker that is not there, before time is spent.

    Raises:
        ConfigError: There is no such tracker.
        MissingExtraError: It is not installed.
    """
    if name not in _OPENERS:
        raise ConfigError(
            f"unknown tracker {name!r}",
            fix=f"use one of {', '.join(TRACKERS)}",
            where="--track",
        )
    if importlib.util.find_spec(name) is None:
        raise MissingExtraError(
            f"the tracker {name} is not installed",
            fix=f"pip install {name}, or leave out --track",
            where="--track",
        )


@contextmanager
def tracked(
    name: str | None, *, out: Path, task: str, tell: Callable[[str], None]
) -> Generator[Tracker]:
    """A run of the tracker of that name, which ends with the block.

    Once it has begun, the work does not depend on it: a tracker that fails, because its
    server went away, say, is told of once and hears no more.

    Args:
        name: One of `TRACKERS`; None for one that keeps nothing.
        out: Folder of the model; its name is the run's.
        task: Name of the experiment, or project.
        tell: Told where to look at it, once it is whole.

    Raises:
        ConfigError: There is no such tracker.
        MissingExtraError: It is not installed.
    """
    if name is None:
        yield _Nowhere()
        return
    check_tracker(name)
    run = _OPENERS[name](importlib.import_module(_MODULES[name]), out, task)
    tracker = _Spared(run, name, tell)
    try:
        yield tracker
    finally:
        tracker.close()
    if not tracker.is_lost:
        tell(f"tracked: {tracker.place}")


def emitted(channel: Channel) -> Observe:
    """An observer in the training's process: it emits what it has not emitted before.

    It looks and leaves all as it is, so that weights and checkpoints are the same with
    it and without.
    """
    told: int | None = None

    def observe(state: TrainState) -> None:
        nonlocal told
        if told is None:  # where training goes on, earlier steps were told before
            told = state.step - OBSERVE_EVERY if state.step > OBSERVE_EVERY else -1
        first = max(0, told)
        channel.emit(
            {
                "train_losses": list(
                    enumerate(state.train_losses[first:], start=first + 1)
                ),
                "dev_losses": [one for one in state.dev_losses if one[0] > told],
                "learning_rate": state.rate,
                "tokens_a_second": state.tokens / max(state.seconds, 1e-9),
            }
        )
        told = state.step

    return observe


def feed(tracker: Tracker, item: Mapping[str, Any]) -> None:
    """Hand on what a training emitted; see `emitted`."""
    for step, loss in item["train_losses"]:
        tracker.log(step, {"train/loss": loss})
    for step, loss in item["dev_losses"]:
        tracker.log(step, {"dev/loss": loss})
    if item["train_losses"]:
        last = item["train_losses"][-1][0]
        named = ("learning_rate", "tokens_a_second")
        tracker.log(last, {f"train/{name}": item[name] for name in named})


class _Nowhere:
    """Keeps nothing."""

    place = ""

    def settings(self, values: Mapping[str, object]) -> None:
        del values

    def log(self, step: int, values: Mapping[str, float]) -> None:
        del step, values

    def close(self) -> None:
        pass


class _Spared:
    """Another tracker, whose failure costs its figures and not the training."""

    def __init__(self, run: Tracker, name: str, tell: Callable[[str], None]) -> None:
        self._run, self._name, self._tell = run, name, tell
        self.place, self.is_lost = run.place, False

    def settings(self, values: Mapping[str, object]) -> None:
        self._run.settings(values)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._try(partial(self._run.log, step, values))

    def close(self) -> None:
        self._try(self._run.close)

    def _try(self, work: Callable[[], None]) -> None:
        if self.is_lost:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001 (whatever a foreign library raises)
            self.is_lost = True
            said = next(iter(str(error).splitlines()), type(error).__name__)
            self._tell(f"{self._name} hears no more of this training: {said}")


class _TensorBoard:
    """Event files, written without TensorFlow and without torch."""

    def __init__(self, module: Any, out: Path, task: str) -> None:  # noqa: ANN401
        folder = out.parent / "runs" / f"{task}-{out.name}"
        self.place = f"tensorboard --logdir {folder.parent}"
        self._writer = module.EventFileWriter(str(folder))

    def settings(self, values: Mapping[str, object]) -> None:
        lines = [f"| {name} | {value} |" for name, value in values.items()]
        table = "\n".join(["| setting | value |", "| --- | --- |", *lines])
        summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        tensor = importlib.import_module("tensorboard.compat.proto.tensor_pb2")
        types = importlib.import_module("tensorboard.compat.proto.types_pb2")
        plugin = summary.SummaryMetadata.PluginData(plugin_name="text")
        value = summary.Summary.Value(
            tag="settings/text_summary",
            metadata=summary.SummaryMetadata(plugin_data=plugin),
            tensor=tensor.TensorProto(
                dtype=types.DT_STRING, string_val=[table.encode()]
            ),
        )
        self._add(0, [value])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        self._add(
            step,
            [
                summary.Summary.Value(tag=name, simple_value=value)
                for name, value in values.items()
            ],
        )

    def close(self) -> None:
        self._writer.close()

    def _add(self, step: int, values: list[Any]) -> None:
        import time

        event = importlib.import_module("tensorboard.compat.proto.event_pb2")
        summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        self._writer.add_event(
            event.Event(
                wall_time=time.time(), step=step, summary=summary.Summary(value=values)
            )
        )


class _Mlflow:
    """A run at the tracking server that mlflow is set to, or in a database."""

    def __init__(self, module: Any, out: Path, task: str) -> None:  # noqa: ANN401
        self._mlflow = module
        if not module.is_tracking_uri_set():
            module.set_tracking_uri(f"sqlite:///{(out.parent / 'mlflow.db').resolve()}")
        self.place = f"mlflow ui --backend-store-uri {module.get_tracking_uri()}"
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _aside():
                module.set_experiment(f"groundtune-{task}")
                module.start_run(run_name=out.name)
        except module.exceptions.MlflowException as error:
            raise ConfigError(
                f"mlflow cannot begin a run: {str(error).splitlines()[0]}",
                fix="set MLFLOW_TRACKING_URI to a server that answers; a database "
                "needs the whole package: pip install mlflow",
                where="--track",
            ) from error

    def settings(self, values: Mapping[str, object]) -> None:
        self._mlflow.log_params(
            {name: str(value)[:_LONGEST] for name, value in values.items()}
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        with _aside():
            self._mlflow.end_run()


class _Trackio:
    """A run in the local dashboard of trackio."""

    def __init__(self, module: Any, out: Path, task: str) -> None:  # noqa: ANN401
        self._trackio, self._name = module, out.name
        self._project = f"groundtune-{task}"
        self.place = f"trackio show --project {self._project}"
        self._begun = False

    def settings(self, values: Mapping[str, object]) -> None:
        with _aside():
            self._trackio.init(
                project=self._project,
                name=self._name,
                config={name: str(value)[:_LONGEST] for name, value in values.items()},
                embed=False,
            )
        self._begun = True

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._trackio.log(dict(values), step=step)

    def close(self) -> None:
        if self._begun:
            with _aside():
                self._trackio.finish()


def _aside() -> AbstractContextManager[Any]:
    """Trackers talk on standard output, which is for results alone."""
    return redirect_stdout(sys.stderr)


_OPENERS: dict[str, Callable[[Any, Path, str], Tracker]] = {
    "tensorboard": _TensorBoard,
    "mlflow": _Mlflow,
    "trackio": _Trackio,
}
