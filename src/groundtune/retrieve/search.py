"""Finding passages: BM25 and vectors, joined by a convex combination.

BM25 comes from the index on disk. Vectors are compared exactly, in memory: at 384
dimensions 100,000 passages are 150 MB and some milliseconds, and an approximate index
would only add error. Axis suffixes: Q queries, P passages, D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import StoreError
from groundtune.core.values import Hit
from groundtune.retrieve.durable import engine_errors
from groundtune.retrieve.schema import PASSAGE_COLUMNS, to_passage, vectors_of
from groundtune.retrieve.stamp import check_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Embedder
    from groundtune.retrieve.index import KnowledgeBase

    Floats = npt.NDArray[np.float32]

_DECIMALS = 6


class HybridRetriever:
    """See `core.protocols.Retriever`. Sees the knowledge base as it was when made.

    In `hybrid` mode each list puts its best passages forward. Within the query both
    scores are scaled to [0, 1]: a vector's between the least and the most similar
    passage, BM25 between none of the words and the best passage. A passage that BM25
    did not put forward counts as having none of the words.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        embedder: Embedder,
        settings: RetrievalSettings | None = None,
    ) -> None:
        import numpy as np

        check_embedder(kb.stamp, embedder, where=kb.path)
        self.settings = settings or RetrievalSettings()
        self._where = kb.path
        self._embedder = embedder
        self._table = kb.snapshot()
        with engine_errors(self._where):
            query = self._table.search().select(["id", "vector"])
            rows = query.with_row_id(True).to_arrow()  # noqa: FBT003 (their signature)
        names = rows.column("id").to_pylist()
        # Rows in the order of ids, so that a stable sort breaks ties by id.
        order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        self._ids: list[str] = [names[row] for row in order]
        self._rows = {name: row for row, name in enumerate(self._ids)}
        addresses = rows.column("_rowid").to_pylist()
        self._addresses: list[int] = [addresses[row] for row in order]
        self._vectors_P_D = vectors_of(rows, dim=embedder.dim)[order]

    def search(self, query: str, *, k: int) -> list[Hit]:
        """See `Retriever.search`. A query without a word finds nothing by BM25."""
        return self.search_many([query], k=k)[0]

    def search_many(self, queries: Sequence[str], *, k: int) -> list[list[Hit]]:
        """Search for each query; faster than one by one.

        Raises:
            ValueError: `k` is below 1 (a bug in the caller).
            StoreError: A passage is damaged.
        """
        if k < 1:
            raise ValueError(f"k is {k}, must be at least 1")
        if not self._ids:
            return [[] for _ in queries]
        if self.settings.mode == "bm25":
            return [self._hits(self._bm25(query, k), k=k) for query in queries]
        vectors_Q_D = self._embedder.encode(queries)
        return [
            self._hits(self._scores(query, vector_D, k=k), k=k)
            for query, vector_D in zip(queries, vectors_Q_D, strict=True)
        ]

    def _scores(self, query: str, vector_D: Floats, *, k: int) -> dict[int, float]:
        """Score of each candidate, by row."""
        import numpy as np

        # Equal passages must tie, but their dot products may differ in the last bit.
        dense_P = np.round(self._vectors_P_D @ vector_D, _DECIMALS)
        wanted = max(k, self.settings.candidates)
        best = np.argsort(-dense_P, kind="stable")[:wanted].tolist()
        if self.settings.mode == "dense":
            return {row: float(dense_P[row]) for row in best[:k]}
        words = self._bm25(query, wanted)
        low, high = float(dense_P.min()), float(dense_P.max())
        spread = (high - low) or 1.0
        top = max(words.values(), default=0.0) or 1.0
        alpha = self.settings.alpha
        return {
            row: alpha * (float(dense_P[row]) - low) / spread
            + (1 - alpha) * words.get(row, 0.0) / top
            for row in {*best, *words}
        }

    def _bm25(self, query: str, limit: int) -> dict[int, float]:
        """The best `limit` passages by words, by row; ties go to the lower id."""
        asked = 2 * limit
        while True:
            scores = self._match(query, asked)
            kept = sorted(scores, key=lambda row: (-scores[row], row))[:limit]
            # Which of equal passages comes last is the engine's own affair: where a
            # tie reaches the end of its list, ask for more.
            is_cut = len(scores) == asked and scores[kept[-1]] == min(scores.values())
            if not is_cut:
                return {row: scores[row] for row in kept}
            asked *= 4

    def _match(self, query: str, limit: int) -> dict[int, float]:
        from lancedb import query as fulltext

        match: Any = fulltext.MatchQuery  # its stub asks for what has a default
        with engine_errors(self._where):
            search = self._table.search(match(query, "search_text"), query_type="fts")
            found = search.select(["id", "_score"]).limit(limit).to_arrow()
        rows = (self._rows[name] for name in found.column("id").to_pylist())
        return dict(zip(rows, found.column("_score").to_pylist(), strict=True))

    def _hits(self, scores: dict[int, float], *, k: int) -> list[Hit]:
        """The `k` best as passages read from disk, each checked against its hash."""
        best = sorted(scores, key=lambda row: (-scores[row], row))[:k]
        if not best:
            return []
        addresses = [self._addresses[row] for row in best]
        with engine_errors(self._where):
            query = self._table.take_row_ids(addresses).select(PASSAGE_COLUMNS)
            found: list[dict[str, Any]] = query.to_arrow().to_pylist()
        by_id = {fields["id"]: fields for fields in found}
        if by_id.keys() != {self._ids[row] for row in best}:
            raise StoreError(
                "the table does not hold the passages that its index names",
                fix="delete the knowledge base and ingest again",
                where=str(self._where),
            )
        return [
            Hit(
                passage=to_passage(by_id[self._ids[row]], where=str(self._where)),
                score=scores[row],
            )
            for row in best
        ]
