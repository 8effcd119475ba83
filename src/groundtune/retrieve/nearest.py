"""Vectors of passages compared with a query's: exactly, or through the index on disk.

Both kinds answer the same questions, so that ranking does not know which one it has. A
passage is a number, its row: of two passages with equal scores the lower row comes
first. Axis suffixes: P passages, S sample, R rows, D dimensions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from groundtune.core.errors import StoreError
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.schema import HIT_COLUMNS, VECTOR, vectors_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.retrieve.catalogue import Restriction
    from groundtune.retrieve.vector_index import VectorIndex

    Floats = npt.NDArray[np.float32]

_DECIMALS = 6
"""Equal passages must tie, but their dot products may differ in the last bit."""
_HELD = 20_000
"""Passages up to which their texts are held too: some 20 MB, and no search reads the
disk for its hits."""
_SAMPLE = 1_000
"""Passages by which the typical similarity in a large table is estimated."""


class Similarities(Protocol):
    """How similar passages are to one query."""

    @property
    def typical(self) -> float:
        """The similarity of the passage in the middle, or an estimate of it."""
        ...

    def nearest(self, limit: int, *, only: Restriction | None) -> list[int]:
        """Rows of the most similar passages, of those that are allowed.

        Through an index in no order, some may be missed, and others may come too.
        """
        ...

    def of(self, rows: Iterable[int]) -> dict[int, float]:
        """The similarity of these."""
        ...


class PassageVectors(Protocol):
    """The vectors of a table of passages at one version."""

    def row_of(self, address: int) -> int:
        """The row of a passage by its address in the table."""
        ...

    def address_of(self, row: int) -> int:
        """The opposite of `row_of`."""
        ...

    def compare(self, vector_D: Floats) -> Similarities:
        """Similarities to one query."""
        ...

    def take(self, rows: Sequence[int]) -> Floats:
        """The vectors of these passages, in this order."""
        ...

    def held(self, rows: Sequence[int]) -> list[dict[str, Any]] | None:
        """What hits are made of, for these rows; None if it has to be read."""
        ...


class ExactVectors:
    """Every vector in memory: 150 MB for 100,000 passages of 384 dimensions."""

    def __init__(self, table: Any, *, dim: int, where: Path) -> None:  # noqa: ANN401
        with engine_errors(where):
            is_small = int(table.count_rows()) <= _HELD
            columns = HIT_COLUMNS if is_small else ["id"]
            query = table.search().select([*columns, "key", VECTOR])
            found = query.with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
        names = found.column("id").to_pylist()
        # In the order of ids, so that ties go to the lower id.
        order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        addresses = found.column("_rowid").to_numpy()[order]
        self._addresses: list[int] = addresses.tolist()
        self._rows = {address: row for row, address in enumerate(self._addresses)}
        self._vectors_P_D = vectors_of(found, dim=dim)[order]
        self._held: Any = found.select(HIT_COLUMNS).take(order) if is_small else None
        keys: Any = found.column("key").combine_chunks().dictionary_encode()
        self._keys: list[str] = keys.dictionary.to_pylist()
        self._key_P = keys.indices.to_numpy(zero_copy_only=False)[order]

    def row_of(self, address: int) -> int:
        """See `PassageVectors.row_of`."""
        return self._rows[address]

    def address_of(self, row: int) -> int:
        """See `PassageVectors.address_of`."""
        return self._addresses[row]

    def compare(self, vector_D: Floats) -> Similarities:
        """See `PassageVectors.compare`."""
        # Row by row in this thread. A matrix product spreads over threads that wait for
        # each other: on a busy machine 100 times as long for 10,000 passages.
        scores_P = np.round(np.vecdot(self._vectors_P_D, vector_D), _DECIMALS)
        return _ExactSimilarities(self, scores_P)

    def take(self, rows: Sequence[int]) -> Floats:
        """See `PassageVectors.take`."""
        return self._vectors_P_D[np.asarray(rows, np.int64)]

    def held(self, rows: Sequence[int]) -> list[dict[str, Any]] | None:
        """See `PassageVectors.held`."""
        if self._held is None:
            return None
        return self._held.take(np.asarray(rows, np.int64)).to_pylist()

    def allowed(self, only: Restriction) -> npt.NDArray[np.bool_]:
        """For each passage, whether its document is among those."""
        is_chosen = np.array([key in only.keys for key in self._keys], bool)
        return is_chosen[self._key_P]


class _ExactSimilarities:
    def __init__(self, vectors: ExactVectors, scores_P: Floats) -> None:
        self._vectors = vectors
        self._scores_P = scores_P
        self.typical = float(np.median(scores_P))

    def nearest(self, limit: int, *, only: Restriction | None) -> list[int]:
        scores_P = self._scores_P
        if only is not None:
            scores_P = np.where(self._vectors.allowed(only), scores_P, -np.inf)
        if limit < len(scores_P):
            # All that tie with the last one, then the first of these by row.
            last = -np.partition(-scores_P, limit - 1)[limit - 1]
            rows_R = np.flatnonzero(scores_P >= last)
        else:
            rows_R = np.arange(len(scores_P))
        order_R = np.argsort(-scores_P[rows_R], kind="stable")[:limit]
        best: list[int] = rows_R[order_R].tolist()
        return [row for row in best if scores_P[row] > -np.inf]

    def of(self, rows: Iterable[int]) -> dict[int, float]:
        return {row: float(self._scores_P[row]) for row in rows}


class IndexedVectors:
    """Vectors on disk, found through the engine's index and then compared exactly.

    The index only proposes: every similarity that leaves here is a dot product with
    the stored vector. A row is the address of a passage.
    """

    def __init__(
        self,
        table: Any,  # noqa: ANN401 (a LanceDB table)
        *,
        dim: int,
        index: VectorIndex,
        where: Path,
    ) -> None:
        self._table = table
        self._dim = dim
        self._index = index
        self._where = where
        count = int(table.count_rows())
        places = np.linspace(0, count - 1, min(_SAMPLE, count)).astype(np.int64)
        with engine_errors(where):
            sample = table.take_offsets(places.tolist()).select([VECTOR]).to_arrow()
        self._sample_S_D = vectors_of(sample, dim=dim)

    def row_of(self, address: int) -> int:
        """See `PassageVectors.row_of`."""
        return address

    def address_of(self, row: int) -> int:
        """See `PassageVectors.address_of`."""
        return row

    def compare(self, vector_D: Floats) -> Similarities:
        """See `PassageVectors.compare`."""
        return _IndexedSimilarities(self, vector_D, self._sample_S_D)

    def take(self, rows: Sequence[int]) -> Floats:
        """See `PassageVectors.take`.

        Raises:
            StoreError: The table does not hold one of them.
        """
        with engine_errors(self._where):
            query = self._table.take_row_ids(list(rows)).select([VECTOR])
            found = query.with_row_id().to_arrow()
        places = {int(a): i for i, a in enumerate(found.column("_rowid").to_pylist())}
        if len(places) < len(set(rows)):
            raise StoreError(
                "the index names passages that the table does not hold",
                fix=f"groundtune kb rebuild {self._where}",
                where=str(self._where),
            )
        vectors_R_D = vectors_of(found, dim=self._dim)
        return vectors_R_D[[places[row] for row in rows]]

    def held(self, rows: Sequence[int]) -> list[dict[str, Any]] | None:  # noqa: ARG002
        """See `PassageVectors.held`: nothing is."""
        return None

    def propose(
        self, vector_D: Floats, limit: int, *, only: Restriction | None
    ) -> list[int]:
        """Rows that the index holds for the most similar ones."""
        asked = max(limit, self._index.proposals)
        kept: list[int] = []
        while True:
            query = self._table.search(vector_D, vector_column_name=VECTOR)
            query = query.limit(asked).minimum_nprobes(self._index.probes)
            # More partitions only where these do not hold enough that is allowed.
            query = query.maximum_nprobes(0 if only else self._index.probes)
            columns = ["_distance"]
            if only is not None and only.is_narrow:
                query = query.where(only.expression())
            elif only is not None:
                columns.append("key")
                asked = math.ceil(asked / only.share)
                query = query.limit(asked)
            with engine_errors(self._where):
                found = query.select(columns).with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
            kept = found.column("_rowid").to_pylist()
            if only is None or only.is_narrow:
                return kept
            keys = found.column("key").to_pylist()
            kept = [r for r, key in zip(kept, keys, strict=True) if key in only.keys]
            if len(kept) >= limit or found.num_rows < asked:
                return kept
            asked *= 4


class _IndexedSimilarities:
    def __init__(
        self, vectors: IndexedVectors, vector_D: Floats, sample_S_D: Floats
    ) -> None:
        self._vectors = vectors
        self._vector_D = vector_D
        self.typical = float(np.median(sample_S_D @ vector_D))

    def nearest(self, limit: int, *, only: Restriction | None) -> list[int]:
        return self._vectors.propose(self._vector_D, limit, only=only)

    def of(self, rows: Iterable[int]) -> dict[int, float]:
        # In the order in which they stand on disk.
        wanted = sorted(rows)
        if not wanted:
            return {}
        vectors_R_D = self._vectors.take(wanted)
        scores_R = np.round(vectors_R_D @ self._vector_D, _DECIMALS)
        return dict(zip(wanted, scores_R.tolist(), strict=True))
