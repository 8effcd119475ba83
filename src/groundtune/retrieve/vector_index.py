"""The index over the vectors of a large table: when it is made, and how well it finds.

Up to `EXACT_LIMIT` passages there is none: comparing all is fast and exact. Above, the
index is made with the table, its recall is measured against exact search, and the
number of partitions to look into is set by that measure. Figures: KB/vectors.json.
Axis suffixes: Q queries, P passages, K results kept, D dimensions.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import DataError
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.schema import VECTOR, VECTOR_INDEX, vectors_of
from groundtune.store.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]

EXACT_LIMIT = 100_000
"""Passages up to which every vector is compared."""
FIGURES = "vectors.json"

_TARGET_RECALL = 0.98
"""Of the ten nearest; the number of probes is the least that reaches it."""
_PROBES = (8, 16, 32, 48, 64, 96, 128, 192, 256)
_PROPOSALS = 200
"""Fewest passages that a query takes from the index to compare them exactly."""
_QUERIES = 100
_RECALL_K = 10
_GROWN = 2.0
"""The index is trained anew once the table has grown by this factor."""
_BATCH = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorIndex:
    """How the index of a table was made and what it finds. JSON types."""

    kind: str = "IVF_SQ"
    rows: int = 0
    """Passages that it was trained for."""
    partitions: int = 0
    probes: int = 64
    """Partitions that a query looks into."""
    proposals: int = _PROPOSALS
    recall: float = 0.0
    """Share of the ten nearest that it finds, against exact search; 0: not measured."""
    recall_low: float = 0.0
    """Lower end of the 95% interval, by the normal approximation over queries."""
    recall_high: float = 0.0
    queries: int = 0
    """Queries that `recall` rests on."""


def read_vector_index(kb_path: Path) -> VectorIndex:
    """The figures on the index; the defaults where there are none, or damaged ones."""
    try:
        return VectorIndex(**read_json(kb_path / FIGURES))
    except (DataError, TypeError):
        return VectorIndex()


def update_vector_index(
    table: Any,  # noqa: ANN401 (a LanceDB table)
    *,
    kb_path: Path,
    dim: int,
) -> VectorIndex | None:
    """Make, or make anew, the index that a table of this size needs.

    Called inside `KnowledgeBase.writing`, before the commit is acknowledged. New
    passages are found without it too, so it is not made anew for each update.

    Returns:
        What it is and finds; None where every vector is compared.

    Raises:
        StoreError: It could not be written; the passages stand.
    """
    with engine_errors(kb_path):
        rows = int(table.count_rows())
        if rows <= EXACT_LIMIT:
            return None
        known = read_vector_index(kb_path)
        has_index = table.index_stats(VECTOR_INDEX) is not None
        if has_index and known.rows and rows < _GROWN * known.rows:
            return known
        partitions = max(1, round(math.sqrt(rows)))
        build_vector_index(table, partitions=partitions)
    probes, recalls = choose_probes(table, dim=dim, partitions=partitions)
    mean = sum(recalls) / len(recalls)
    spread = math.sqrt(sum((r - mean) ** 2 for r in recalls)) / len(recalls)
    made = VectorIndex(
        rows=rows,
        partitions=partitions,
        probes=probes,
        recall=round(mean, 4),
        recall_low=round(max(0.0, mean - 1.96 * spread), 4),
        recall_high=round(min(1.0, mean + 1.96 * spread), 4),
        queries=len(recalls),
    )
    write_json(kb_path / FIGURES, asdict(made))
    return made


def build_vector_index(table: Any, *, partitions: int) -> None:  # noqa: ANN401 (a LanceDB table)
    """Train the index over all vectors, in place of the one that was there."""
    from lancedb.index import IvfSq

    config = IvfSq(
        distance_type="l2",
        num_partitions=partitions,
        max_iterations=20,
        sample_rate=64,
    )
    table.create_index(VECTOR, config=config, replace=True)


def choose_probes(
    table: Any,  # noqa: ANN401 (a LanceDB table)
    *,
    dim: int,
    partitions: int,
) -> tuple[int, list[float]]:
    """The least number of probes that finds enough, and its recall for each query.

    A query lies between two stored vectors and well beside both, where a question lies
    that no passage answers word by word. Such queries are somewhat harder for the index
    than real ones, which lie nearer to what they ask for.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    count = int(table.count_rows())
    drawn = rng.choice(count, min(2 * _QUERIES, count), replace=False)
    places = sorted(drawn.tolist())
    stored = vectors_of(table.take_offsets(places).select([VECTOR]).to_arrow(), dim=dim)
    stored = stored[rng.permutation(len(stored))]
    half = max(1, len(stored) // 2)
    noise = rng.standard_normal((half, dim)).astype(np.float32)
    noise *= 1.5 / np.linalg.norm(noise, axis=1, keepdims=True)
    moved = stored[:half] + stored[-half:] + noise
    queries_Q_D = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    right_Q_K = exact_nearest(table, queries_Q_D, k=_RECALL_K)
    recalls: list[float] = []
    for probes in _PROBES:
        recalls = index_recall(
            table, queries_Q_D, right_Q_K, probes=probes, proposals=_PROPOSALS
        )
        if sum(recalls) >= _TARGET_RECALL * len(recalls) or probes >= partitions:
            return probes, recalls
    return _PROBES[-1], recalls


def index_recall(
    table: Any,  # noqa: ANN401 (a LanceDB table)
    queries_Q_D: Floats,
    right_Q_K: Ints,
    *,
    probes: int,
    proposals: int,
) -> list[float]:
    """For each query, the share of its nearest passages that the index proposes.

    Proposals are compared exactly, so the nearest among them come first.
    """
    k = right_Q_K.shape[1]
    shares: list[float] = []
    for query_D, right_K in zip(queries_Q_D, right_Q_K, strict=True):
        query = table.search(query_D, vector_column_name=VECTOR).limit(proposals)
        query = query.nprobes(probes).select(["_distance"])
        found = query.with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
        shares.append(len({*right_K.tolist()} & {*found["_rowid"].to_pylist()}) / k)
    return shares


def exact_nearest(table: Any, queries_Q_D: Floats, *, k: int) -> Ints:  # noqa: ANN401 (a LanceDB table)
    """Addresses of the `k` nearest passages of each query, best first.

    One pass over the table, a batch in memory at a time.
    """
    import numpy as np

    scores_Q_K = np.full((len(queries_Q_D), k), -np.inf, np.float32)
    found_Q_K = np.full((len(queries_Q_D), k), -1, np.int64)
    scan = table.search().select([VECTOR]).with_row_id(True)  # noqa: FBT003 (their signature)
    for batch in scan.to_batches(batch_size=_BATCH):
        vectors_P_D = _batch_vectors(batch, dim=queries_Q_D.shape[1])
        addresses_P = batch.column("_rowid").to_numpy().astype(np.int64)
        scores_Q_P = queries_Q_D @ vectors_P_D.T
        joined = np.concatenate([scores_Q_K, scores_Q_P], axis=1)
        names = np.concatenate(
            [found_Q_K, np.broadcast_to(addresses_P, scores_Q_P.shape)], axis=1
        )
        best = np.argpartition(-joined, k - 1, axis=1)[:, :k]
        scores_Q_K = np.take_along_axis(joined, best, axis=1)
        found_Q_K = np.take_along_axis(names, best, axis=1)
    order = np.argsort(-scores_Q_K, axis=1, kind="stable")
    return np.take_along_axis(found_Q_K, order, axis=1)


def _batch_vectors(batch: Any, *, dim: int) -> Floats:  # noqa: ANN401 (pyarrow has no types)
    flat: Any = batch.column(VECTOR).flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(-1, dim)
