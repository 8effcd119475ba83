"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets; a test that needs one skips where it is absent."""
    named = os.environ.get("GROUNDTUNE_DATA")  # noqa: TID251 (the tests' own edge)
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no public data sets: set GROUNDTUNE_DATA to their folder")
    return folder
