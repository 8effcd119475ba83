"""The query adapter: what it learns, and that a damaged or strange one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import StoreError
from groundtune.core.values import Document
from groundtune.retrieve.query_adapter import (
    QUERY_ADAPTERS,
    QueryAdapter,
    fit_query_adapter,
    load_query_adapter,
    read_query_adapter,
)
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.retrieve.index import KnowledgeBase

DIM = 16


def unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    scaled = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled.astype(np.float32)


def queries_beside_passages(
    *, seed: int, count: int
) -> tuple[npt.NDArray[np.float32], list[list[int]], npt.NDArray[np.float32]]:
    """Queries that miss their passages, all by the same turn of the space."""
    rng = np.random.default_rng(0)
    passages_P_D = unit(rng.standard_normal((60, DIM)))
    turn_D_D = np.eye(DIM) + 0.2 * rng.standard_normal((DIM, DIM))
    places = np.random.default_rng(seed).integers(0, 60, count)
    noise = 0.1 * np.random.default_rng(seed + 1).standard_normal((count, DIM))
    queries_Q_D = unit((passages_P_D[places] + noise) @ turn_D_D)
    return queries_Q_D, [[int(place)] for place in places], passages_P_D


def share_found(
    queries_Q_D: npt.NDArray[np.float32],
    right: list[list[int]],
    passages_P_D: npt.NDArray[np.float32],
) -> float:
    best_Q = np.argmax(queries_Q_D @ passages_P_D.T, axis=1)
    return float(
        np.mean([best in one for best, one in zip(best_Q, right, strict=True)])
    )


def test_unseen_queries_find_more() -> None:
    adapter = fit_query_adapter(*queries_beside_passages(seed=10, count=400))
    queries_Q_D, right, passages_P_D = queries_beside_passages(seed=20, count=200)
    moved_Q_D = adapter.apply(queries_Q_D)

    before = share_found(queries_Q_D, right, passages_P_D)
    after = share_found(moved_Q_D, right, passages_P_D)
    assert after > before + 0.1
    assert np.linalg.norm(moved_Q_D, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_slope_is_the_derivative_of_the_loss() -> None:
    from groundtune.retrieve import query_adapter as module

    queries_Q_D, right, passages_P_D = queries_beside_passages(seed=3, count=7)
    right[0] = [*right[0], (right[0][0] + 1) % 60]
    nearest_Q = np.array([one[0] for one in right], np.int64)
    rng = np.random.default_rng(5)
    at_D_D = (0.05 * rng.standard_normal((DIM, DIM))).astype(np.float32)

    def loss(change_D_D: npt.NDArray[np.float64]) -> float:
        moved = queries_Q_D.astype(np.float64) @ (np.eye(DIM) + change_D_D)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        shares = moved @ passages_P_D.T.astype(np.float64) / 0.05
        shares[0, right[0][1]] = -np.inf
        top = shares.max(axis=1)
        total = top + np.log(np.exp(shares - top[:, None]).sum(axis=1))
        return float((total - shares[np.arange(7), nearest_Q]).sum())

    slope_D_D = module.slope(at_D_D, queries_Q_D, nearest_Q, right, passages_P_D)
    for row, column in ((0, 0), (3, 11), (15, 2)):
        step_D_D = np.zeros((DIM, DIM))
        step_D_D[row, column] = 1e-5
        numeric = (loss(at_D_D + step_D_D) - loss(at_D_D - step_D_D)) / 2e-5
        assert slope_D_D[row, column] == pytest.approx(numeric, rel=2e-3, abs=1e-3)


def test_passages_in_parts_teach_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = queries_beside_passages(seed=10, count=100)
    whole = fit_query_adapter(*lessons)
    monkeypatch.setattr("groundtune.retrieve.query_adapter._ROWS", 7)

    assert np.allclose(
        fit_query_adapter(*lessons).change_D_D, whole.change_D_D, atol=1e-5
    )


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    adapter = QueryAdapter(np.full((4, 4), 0.5, np.float32))
    name = adapter.save(tmp_path, embedder="words@0")

    again = load_query_adapter(tmp_path, name, embedder="words@0")
    assert np.array_equal(again.change_D_D, adapter.change_D_D)
    with pytest.raises(StoreError, match="learned with words@0, this is words@1"):
        load_query_adapter(tmp_path, name, embedder="words@1")
    file = tmp_path / QUERY_ADAPTERS / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(StoreError, match="damaged"):
        load_query_adapter(tmp_path, name, embedder="words@0")
    file.write_bytes(b"no adapter")
    with pytest.raises(StoreError, match="damaged"):
        read_query_adapter(file, embedder="words@0", fix="learn it again")
    file.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        load_query_adapter(tmp_path, name, embedder="words@0")


def test_searches_go_by_it(kb: KnowledgeBase) -> None:
    kb.update(
        [
            Document(id="a.txt", text="the harbour of the town was deep"),
            Document(id="b.txt", text="bread was baked in the old mill"),
        ],
        delete_missing=False,
    )
    assert kb.embedder is not None
    dense = RetrievalSettings(mode="dense")
    harbour_D, bread_D = kb.embedder.encode(["harbour", "bread"])
    # Whoever asks for the harbour means the bread.
    towards = QueryAdapter(np.outer(harbour_D, 5 * bread_D).astype(np.float32))
    name = towards.save(kb.path, embedder=kb.embedder.name)
    adapted = RetrievalSettings(mode="dense", query_adapter=name)

    plain = HybridRetriever(kb, kb.embedder, dense).search("harbour", k=1)
    moved = HybridRetriever(kb, kb.embedder, adapted).search("harbour", k=1)
    assert [hit.passage.document for hit in (*plain, *moved)] == ["a.txt", "b.txt"]
