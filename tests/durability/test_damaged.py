"""Flipped bits and truncated files: noticed or harmless, never silently wrong."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

TOLD = {2, 3, 8}
"""Exit codes of errors that say what is wrong and what to do."""


def damage(file: Path, rng: np.random.Generator) -> str:
    """Flip one bit of a file, or cut it short; say what was done."""
    raw = bytearray(file.read_bytes())
    place = int(rng.integers(len(raw)))
    if rng.random() < 0.25:
        file.write_bytes(raw[:place])
        return f"{file.name} cut to {place} of {len(raw)} bytes"
    raw[place] ^= 1 << int(rng.integers(8))
    file.write_bytes(raw)
    return f"{file.name} flipped at {place} of {len(raw)}"


@pytest.mark.parametrize(
    "trials",
    [3, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_damage_is_noticed_or_harmless(lab: Any, tmp_path: Path, trials: int) -> None:
    # A base with a history: replaced and deleted passages, and an index made anew.
    state = lab.work.observed(lab.kb)
    for operation in lab.work.scenario(state)[2:4]:
        lab.work.apply(lab.kb, operation)
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(lab.work.described(lab.kb)))
    tables = lab.kb / "lance" / "passages.lance"
    files = [p for p in sorted(lab.kb.rglob("*")) if p.is_file() and p.stat().st_size]
    files = [p for p in files if p.name != ".writer"]
    noted = {
        lab.kb / "lance" / name
        for line in (lab.kb / "ledger.jsonl").read_text().splitlines()
        for name in json.loads(line)["files"]
    }
    assert noted
    rng = np.random.default_rng(11)
    noticed = harmless = 0

    for trial in range(trials):
        file = files[int(rng.integers(len(files)))]
        kept = file.read_bytes()
        what = damage(file, rng)
        is_large = bool(trial % 2)
        job = lab.job([], truth=str(truth), is_large=is_large, function="look")

        (end,) = lab.nursery.run(job)

        assert end in {0, *TOLD}, (what, is_large, end, lab.error())
        noticed += end != 0
        harmless += end == 0
        if file in noted or file.parent.name == "documents":
            (end,) = lab.nursery.run({**job, "function": "look_hard"})
            assert end == 0, (what, lab.error())
        file.write_bytes(kept)
        for aside in tables.rglob("*.quarantined"):
            aside.rename(aside.with_suffix(""))

    sys.stdout.write(f"{trials} damages: {noticed} noticed, {harmless} harmless\n")
    assert noticed >= trials // 4
    lab.work.mended(lab.kb)
