"""Folders that change places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import StoreError
from groundtune.store import exchange
from groundtune.store.exchange import exchange_folders

if TYPE_CHECKING:
    from pathlib import Path


def no_such_call(_one: Path, _other: Path) -> bool:
    return False


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "name").write_text(folder.name)
    return one, other


@pytest.mark.parametrize("at_once", [True, False])
def test_they_change_their_names(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(exchange, "_exchange_at_once", no_such_call)
    one, other = two

    exchange_folders(one, other)

    assert (one / "deep" / "name").read_text() == "other"
    assert (other / "deep" / "name").read_text() == "one"
    assert sorted(path.name for path in one.parent.iterdir()) == ["one", "other"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_refusal_leaves_both_as_they_were(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(exchange, "_exchange_at_once", no_such_call)
    _, other = two

    with pytest.raises(StoreError):
        exchange_folders(other.with_name("absent"), other)
    assert (other / "deep" / "name").read_text() == "other"
