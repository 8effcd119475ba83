from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.store.files import (
    JsonLinesLog,
    read_json,
    read_json_lines,
    write_atomic,
    write_json,
    write_lock,
)
from groundtune.store.run import RowWriter, RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_write_atomic_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.json"

    write_json(target, {"b": 1, "ä": [2]})
    write_json(target, {"b": 2})

    assert read_json(target) == {"b": 2}
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_atomic(target, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StoreError) as caught:
            write_atomic(target, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert str(target) in str(caught.value)
    assert "fix:" in str(caught.value)


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        write_atomic(tmp_path / "file" / "a.txt", "x")


def test_json_that_is_broken_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")

    with pytest.raises(DataError, match="not JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "b.json")


def test_log_cuts_a_torn_tail_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    log = JsonLinesLog(path)
    log.append({"n": 1}, {"n": 2})
    log.close()
    with path.open("a") as stream:
        stream.write('{"n": 3, "te')

    assert read_json_lines(path) == [{"n": 1}, {"n": 2}]
    log = JsonLinesLog(path)
    log.append({"n": 3})
    log.close()

    assert read_json_lines(path) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_broken_line_inside_a_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 1}\nnonsense\n{"n": 2}\n')

    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        read_json_lines(path)


def test_a_failed_append_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    log = JsonLinesLog(path)
    log.append({"n": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(StoreError):
            log.append({"text": "x" * 500})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    log.append({"n": 2})
    log.close()

    assert read_json_lines(path) == [{"n": 1}, {"n": 2}]


HOLD = """
import sys, time
from pathlib import Path
from groundtune.store.files import write_lock
with write_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"

    with pytest.raises(StoreError, match=f"pid {child.pid}"), write_lock(path):
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    with write_lock(path):
        assert path.read_text() == str(os.getpid())


def test_a_run_is_resumed_only_if_made_of_the_same(tmp_path: Path) -> None:
    run = RunFolder.create_or_resume(tmp_path / "run", {"seed": 1, "arms": ["rag"]})

    again = RunFolder.create_or_resume(run.path, {"seed": 1, "arms": ["rag"]})
    assert again.made_of == {"format": 1, "seed": 1, "arms": ["rag"]}
    with pytest.raises(ConfigError, match="another arms, seed"):
        RunFolder.create_or_resume(run.path, {"seed": 2, "arms": ["both"]})


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")

    with pytest.raises(StoreError, match="not a run"):
        RunFolder.create_or_resume(tmp_path, {"seed": 1})
    with pytest.raises(DataError, match=r"run\.json is missing"):
        RunFolder.open(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_rows_keep_their_order_and_passages_are_not_repeated(tmp_path: Path) -> None:
    run = RunFolder.create_or_resume(tmp_path / "run", {})
    passage = {"document": "d", "start": 0, "end": 3, "text": "abc"}
    for case in ("a", "b"):
        writer = RowWriter(run)
        key = {"case": case, "system": "rag", "seed": 0}
        writer.add(key, timing={**key, "total_ms": 1.0}, passages=[passage])
        writer.close()

    assert [row["case"] for row in run.rows()] == ["a", "b"]
    assert run.passages() == [passage]
    assert len(run.timings()) == 2


def test_the_last_timing_of_a_row_counts(tmp_path: Path) -> None:
    run = RunFolder.create_or_resume(tmp_path / "run", {})
    key = {"case": "a", "system": "rag", "seed": 0}
    log = JsonLinesLog(run.timings_path)
    log.append({**key, "total_ms": 9.0}, {**key, "total_ms": 1.0})
    log.close()

    assert run.timings() == [{**key, "total_ms": 1.0}]


def test_resources_are_merged_by_name(tmp_path: Path) -> None:
    run = RunFolder.create_or_resume(tmp_path / "run", {})

    run.add_resources("rag", peak_memory_mb=10.0)
    run.add_resources("rag", seconds=2.0)

    assert run.resources() == {"rag": {"peak_memory_mb": 10.0, "seconds": 2.0}}
