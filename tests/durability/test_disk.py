"""A full disk, and power cuts. What needs root and loop devices says so and skips."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

TOLD = 8
KILLED = -9
IMAGE_MEGABYTES = 48


def check_after_failure(lab: Any, operations: list[Any], state: dict[str, str]) -> None:
    before, target = lab.states(operations, state)
    lab.work.check(lab.kb, before=before, target=target)


@pytest.mark.parametrize(
    "limit",
    [9_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (700, 3_000, 6_000))],
)
def test_file_that_may_not_grow_is_one_clear_error(
    lab: Any, first_state: dict[str, str], limit: int
) -> None:
    operations = lab.work.scenario(first_state)

    (end,) = lab.nursery.run(lab.job(operations, file_bytes=limit))

    assert end == TOLD, (end, lab.error())
    assert "fix: " in lab.error()
    check_after_failure(lab, operations, first_state)
    lab.work.mended(lab.kb)


@contextmanager
def mounted(place: Path, *arguments: str) -> Generator[None]:
    """Mount something at a folder, or skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system")
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", *arguments, str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_disk_at_forty_points(
    lab: Any, original: Path, first_state: dict[str, str], tmp_path: Path
) -> None:
    stopped = 0
    for point in range(40):
        place = tmp_path / "small"
        with mounted(place, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
            lab.folder = place / "lab"
            lab.kb, lab.acks = lab.folder / "kb", tmp_path / f"acks-{point}"
            shutil.copytree(original, lab.folder)
            free = shutil.disk_usage(place).free
            ballast = place / "ballast"
            ballast.write_bytes(b"\0" * max(0, free - point * 12_288))
            operations = lab.work.scenario(first_state)

            (end,) = lab.nursery.run(lab.job(operations))

            assert end in {0, TOLD}, (point, end, lab.error())
            stopped += end == TOLD
            # Everything acknowledged can be read while the disk is still full.
            before, target = lab.states(operations, first_state)
            now = lab.work.observed(lab.kb)
            assert all(now.get(n) in {before.get(n), target.get(n)} for n in before)
            ballast.unlink()
            check_after_failure(lab, operations, first_state)
            lab.work.mended(lab.kb)
    sys.stdout.write(f"40 points, {stopped} stopped by the full disk\n")
    assert stopped > 20


@pytest.mark.parametrize(
    "cuts",
    [1, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_power_cut_loses_nothing_acknowledged(
    lab: Any, original: Path, first_state: dict[str, str], tmp_path: Path, cuts: int
) -> None:
    """Only what the kernel had written back is there after the cut.

    The file system lies in a file. The writer is killed, and that file is copied as it
    is: what was only in memory is not in it.
    """
    if not shutil.which("mkfs.ext4"):
        pytest.skip("needs mkfs.ext4")
    image, cut, place = tmp_path / "disk", tmp_path / "after", tmp_path / "place"
    with image.open("wb") as stream:
        stream.truncate(IMAGE_MEGABYTES << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    with mounted(place, "-o", "loop", str(image)):
        shutil.copytree(original / "kb", place / "kb")
    lab.kb = place / "kb"
    rng = np.random.default_rng(13)
    state, acknowledged, later = first_state, 0, 0

    for turn in range(cuts):
        operations = lab.plan(2 + 40 * turn, state, rng)
        with mounted(place, "-o", "loop", str(image)):
            (end,) = lab.nursery.run(
                lab.job(operations, kill_after=float(rng.uniform(0.2, 1.5)))
            )
            subprocess.run(["cp", "--sparse=always", image, cut], check=True)
        assert end == KILLED, (end, lab.error())
        cut.replace(image)
        with mounted(place, "-o", "loop", str(image)):
            before, target = lab.states(operations, state)
            state = lab.work.check(lab.kb, before=before, target=target)
        acknowledged += lab.acknowledged()
        later += state != before

    with mounted(place, "-o", "loop", str(image)):
        lab.work.mended(lab.kb)
    sys.stdout.write(
        f"{cuts} power cuts, {acknowledged} operations acknowledged, 0 lost, {later} "
        "cuts found a later state\n"
    )
