"""The run folder: the only place where results are written.

    run.json            what the run is made of; never changes once written
    cases/*.jsonl       the frozen split
    rows.jsonl          one row per case and system, in a fixed order, no times
    timings.jsonl       how long each answer took
    passages.jsonl      the text of every passage that stood in a row's hits
    resources.json      memory and seconds per system and training
    models/, kb/        what was trained and indexed
    summary.json, report.html   views of the rows

Rows hold nothing that a clock decides, so the same seed gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.core.fingerprint import canonical_json
from groundtune.store.files import (
    JsonLinesLog,
    read_json,
    read_json_lines,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUN_FORMAT = 1


class RunFolder:
    """One comparison on disk, being made or finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows_path = path / "rows.jsonl"
        self.timings_path = path / "timings.jsonl"
        self.passages_path = path / "passages.jsonl"
        self.resources_path = path / "resources.json"

    @classmethod
    def create_or_resume(cls, path: Path, made_of: Mapping[str, Any]) -> RunFolder:
        """Start a run, or go on with one that is made of the same things.

        Raises:
            ConfigError: The folder holds a run made of something else.
            StoreError: The folder is not empty and not a run, or cannot be written.
        """
        run = cls(path)
        wanted = {"format": RUN_FORMAT, **made_of}
        if (path / "run.json").exists():
            found = read_json(path / "run.json")
            different = sorted(
                key
                for key in wanted.keys() | found.keys()
                if canonical_json(wanted.get(key)) != canonical_json(found.get(key))
            )
            if different:
                raise ConfigError(
                    f"this run was made with another {', '.join(different)}",
                    fix="choose another --out, or delete the folder to start anew",
                    where=str(path),
                )
            return run
        if path.exists() and any(entry.name != ".lock" for entry in path.iterdir()):
            raise StoreError(
                "the folder is not empty and is not a run",
                fix="choose another --out",
                where=str(path),
            )
        write_json(path / "run.json", wanted)
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run to read it.

        Raises:
            DataError: It is not a run folder.
        """
        if not (path / "run.json").is_file():
            raise DataError(
                "not a run folder: run.json is missing",
                fix="pass the folder that `groundtune compare --out` made",
                where=str(path),
            )
        return cls(path)

    @property
    def made_of(self) -> dict[str, Any]:
        """Config, fingerprints and versions, as written at the start."""
        return read_json(self.path / "run.json")

    def rows(self) -> list[dict[str, Any]]:
        """Every row so far, in the order written."""
        return read_json_lines(self.rows_path)

    def timings(self) -> list[dict[str, Any]]:
        """The last timing of each row; a kill can leave one without its row."""
        last = {
            (timing["case"], timing["system"], timing["seed"]): timing
            for timing in read_json_lines(self.timings_path)
        }
        return list(last.values())

    def passages(self) -> list[dict[str, Any]]:
        """Text of the passages named in rows, without repeats."""
        return list(
            {
                (found["document"], found["start"], found["end"]): found
                for found in read_json_lines(self.passages_path)
            }.values()
        )

    def resources(self) -> dict[str, dict[str, float]]:
        """Memory and seconds, by system or training."""
        return read_json(self.resources_path) if self.resources_path.exists() else {}

    def add_resources(self, name: str, **figures: float) -> None:
        """Record figures for a system or a training."""
        known = self.resources()
        known[name] = {**known.get(name, {}), **figures}
        write_json(self.resources_path, known)


class RowWriter:
    """Appends rows with what belongs to them; each is durable when added."""

    def __init__(self, run: RunFolder) -> None:
        self._passages = JsonLinesLog(run.passages_path)
        self._timings = JsonLinesLog(run.timings_path)
        self._rows = JsonLinesLog(run.rows_path)
        self._known = {
            (found["document"], found["start"], found["end"])
            for found in run.passages()
        }

    def add(
        self,
        row: Mapping[str, Any],
        *,
        timing: Mapping[str, Any],
        passages: list[dict[str, Any]],
    ) -> None:
        """Write a row. It goes last: a row that stands has all that it refers to."""
        for passage in passages:
            key = (passage["document"], passage["start"], passage["end"])
            if key not in self._known:
                self._passages.append(passage)
                self._known.add(key)
        self._timings.append(timing)
        self._rows.append(row)

    def close(self) -> None:
        """Release the files."""
        for log in (self._passages, self._timings, self._rows):
            log.close()
