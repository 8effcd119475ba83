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
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from groundtune.core.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

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
    tracker = _OPENERS[name](importlib.import_module(_MODULES[name]), out, task)
    try:
        yield tracker
    finally:
        tracker.close()
    tell(f"tracked: {tracker.place}")


def feed(tracker: Tracker, item: Mapping[str, Any]) -> None:
    """Hand on what a training emitted; see `recipes.labelling`."""
    for step, loss in item["train_losses"]:
        tracker.log(step, {"train/loss": loss})
    for step, loss in item["dev_losses"]:
        tracker.log(step, {"dev/loss": loss})
    if item["train_losses"]:
        last = item["train_losses"][-1][0]
        tracker.log(last, {"train/tokens_a_second": item["tokens_a_second"]})


class _Nowhere:
    """Keeps nothing."""

    place = ""

    def settings(self, values: Mapping[str, object]) -> None:
        del values

    def log(self, step: int, values: Mapping[str, float]) -> None:
        del step, values

    def close(self) -> None:
        pass


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
