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
    from groundtune.core.values import Passage
    from groundtune.retrieve.index import KnowledgeBase

    Floats = npt.NDArray[np.float32]


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
            rows = self._table.search().select(["id", "vector"]).to_arrow()
        names = rows.column("id").to_pylist()
        # Rows in the order of ids, so that a stable sort breaks ties by id.
        order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        self._ids: list[str] = [names[row] for row in order]
        self._rows = {name: row for row, name in enumerate(self._ids)}
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

        dense_P = self._vectors_P_D @ vector_D
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
        """The best `limit` passages by words, by row; ties at the end are all kept."""
        from lancedb import query as fulltext

        match: Any = fulltext.MatchQuery  # its stub asks for what has a default

        with engine_errors(self._where):
            found = (
                self._table.search(match(query, "search_text"), query_type="fts")
                .select(["id", "_score"])
                # One list longer than asked: which of two equal passages the engine
                # puts last is its own affair.
                .limit(limit + self.settings.candidates)
                .to_arrow()
            )
        scores = dict(
            zip(
                (self._rows[name] for name in found.column("id").to_pylist()),
                found.column("_score").to_pylist(),
                strict=True,
            )
        )
        kept = sorted(scores, key=lambda row: (-scores[row], row))[:limit]
        return {row: scores[row] for row in kept}

    def _hits(self, scores: dict[int, float], *, k: int) -> list[Hit]:
        best = sorted(scores, key=lambda row: (-scores[row], row))[:k]
        passages = self._fetch([self._ids[row] for row in best])
        return [
            Hit(passage=passages[self._ids[row]], score=scores[row]) for row in best
        ]

    def _fetch(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Passages read from disk, each checked against its hash."""
        if not ids:
            return {}
        listed = ",".join(f"'{_plain(name)}'" for name in ids)
        with engine_errors(self._where):
            query = self._table.search().where(f"id IN ({listed})")
            rows: list[dict[str, Any]] = query.select(PASSAGE_COLUMNS).to_list()
        found = {row["id"]: to_passage(row, where=str(self._where)) for row in rows}
        if len(found) != len(ids):
            raise StoreError(
                "passages that the index names are missing",
                fix="delete the knowledge base and ingest again",
                where=str(self._where),
            )
        return found


def _plain(name: str) -> str:
    """An id as it may stand in a filter: ours are hexadecimal."""
    assert name.isalnum(), name
    return name
