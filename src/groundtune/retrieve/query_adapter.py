"""A learned step between a query's vector and the search: the query adapter.

A square matrix, learned from questions whose passages are known, turns the vector of a
query towards the passages that such queries were about. Passages keep their vectors, so
nothing is embedded again and learning takes seconds. What it learns holds for documents
that the questions were about; of other documents it knows nothing.

Axis suffixes: Q queries, P passages, D dimensions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groundtune.core.errors import StoreError
from groundtune.core.fingerprint import file_sha256
from groundtune.retrieve.adam import Adam
from groundtune.store.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

QUERY_ADAPTERS = "query-adapters"
"""Folder inside a knowledge base, a file each, named by what it holds. An older one
stays: a run that was made with it can go on."""

_TEMPERATURE = 0.05
_DECAY = 0.1
"""Weight of the squared distance from the identity. Less learns more of the documents
asked about, and harms queries about others."""
_STEPS = 20
_ROWS = 256
"""Queries that are compared with all passages at once."""


@dataclass(frozen=True, slots=True)
class QueryAdapter:
    """`x + x @ change`, scaled to length 1."""

    change_D_D: Floats

    def apply(self, queries_Q_D: Floats) -> Floats:
        """The vectors to search with; each has L2 norm 1."""
        moved_Q_D = queries_Q_D + queries_Q_D @ self.change_D_D
        return moved_Q_D / np.linalg.norm(moved_Q_D, axis=1, keepdims=True)

    def save(self, folder: Path, *, embedder: str) -> str:
        """Put it beside the passages of a base; return the name that settings give it.

        Args:
            folder: That of the knowledge base, or of a run.
            embedder: Name of the model whose vectors it was learned from.

        Raises:
            StoreError: The file could not be written.
        """
        from safetensors.numpy import save

        raw = save({"change": self.change_D_D}, metadata={"embedder": embedder})
        name = hashlib.sha256(raw).hexdigest()
        write_atomic(adapter_file(folder, name), raw)
        return name


def load_query_adapter(kb: Path, name: str, *, embedder: str) -> QueryAdapter:
    """The adapter that settings name.

    Args:
        kb: Folder of the knowledge base.
        name: As `QueryAdapter.save` gave it.
        embedder: Name of the model that embeds the queries.

    Raises:
        StoreError: It is missing, damaged, or was learned from another model's vectors.
    """
    fix = f"choose settings again with groundtune optimize --kb {kb}"
    file = adapter_file(kb, name)
    return read_query_adapter(file, embedder=embedder, fix=fix, sha256=name)


def read_query_adapter(
    file: Path, *, embedder: str, fix: str, sha256: str | None = None
) -> QueryAdapter:
    """`load_query_adapter` of a file, wherever it lies.

    Args:
        file: As `QueryAdapter.save` wrote it.
        embedder: Name of the model that embeds the queries.
        fix: What an error tells the person to do.
        sha256: Of the file; None: not known.

    Raises:
        StoreError: See `load_query_adapter`.
    """
    made_for, change_D_D = _stored(file, fix=fix)
    if sha256 is not None and file_sha256(file) != sha256:
        raise _damaged(file, fix=fix)
    if made_for != embedder:
        raise StoreError(
            f"the query adapter was learned with {made_for}, this is {embedder}",
            fix=fix,
            where=str(file),
        )
    return QueryAdapter(change_D_D)


def learned_with(file: Path, *, fix: str) -> str:
    """Name of the embedder from whose vectors an adapter was learned.

    Raises:
        StoreError: The file is missing or damaged.
    """
    return _stored(file, fix=fix)[0]


def _stored(file: Path, *, fix: str) -> tuple[str, Floats]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as stored:
            made_for = (stored.metadata() or {}).get("embedder", "")
            return made_for, stored.get_tensor("change")
    except OSError as error:
        raise StoreError(
            f"the query adapter cannot be read: {error.strerror or error}",
            fix=fix,
            where=str(file),
        ) from error
    except SafetensorError as error:
        raise _damaged(file, fix=fix) from error


def _damaged(file: Path, *, fix: str) -> StoreError:
    return StoreError("the query adapter is damaged", fix=fix, where=str(file))


def fit_query_adapter(
    queries_Q_D: Floats, right: Sequence[Sequence[int]], vectors_P_D: Floats
) -> QueryAdapter:
    """Learn from queries and the places of their right passages.

    Minimises the cross-entropy of each query's nearest right passage against all that
    are not right, by Adam from the identity. The same input gives the same matrix.

    Args:
        queries_Q_D: Of length 1.
        right: For each query its right passages, at least one.
        vectors_P_D: Of length 1: all passages, or the right ones and a sample.
    """
    dim = queries_Q_D.shape[1]
    nearest_Q = np.array(
        [
            places[int(np.argmax(vectors_P_D[list(places)] @ query_D))]
            for query_D, places in zip(queries_Q_D, right, strict=True)
        ],
        np.int64,
    )
    descent = Adam(dim)
    for _ in range(_STEPS):
        slope_D_D = 2 * _DECAY * descent.at_D_D
        for start in range(0, len(queries_Q_D), _ROWS):
            part = slice(start, start + _ROWS)
            slope_D_D += slope(
                descent.at_D_D,
                queries_Q_D[part],
                nearest_Q[part],
                right[part],
                vectors_P_D,
            ) / len(queries_Q_D)
        descent.step(slope_D_D)
    return QueryAdapter(descent.at_D_D)


def slope(
    change_D_D: Floats,
    queries_Q_D: Floats,
    nearest_Q: npt.NDArray[np.int64],
    right: Sequence[Sequence[int]],
    vectors_P_D: Floats,
) -> Floats:
    """Gradient of the summed cross-entropy of these queries."""
    moved_Q_D = queries_Q_D + queries_Q_D @ change_D_D
    length_Q_1 = np.linalg.norm(moved_Q_D, axis=1, keepdims=True)
    unit_Q_D = moved_Q_D / length_Q_1
    shares_Q_P = unit_Q_D @ vectors_P_D.T / _TEMPERATURE
    numbers = np.arange(len(queries_Q_D))
    kept_Q = shares_Q_P[numbers, nearest_Q]
    for number, places in enumerate(right):
        # Other right passages are neither asked for nor counted as wrong.
        shares_Q_P[number, list(places)] = -np.inf
    shares_Q_P[numbers, nearest_Q] = kept_Q
    shares_Q_P -= shares_Q_P.max(axis=1, keepdims=True)
    np.exp(shares_Q_P, out=shares_Q_P)
    shares_Q_P /= shares_Q_P.sum(axis=1, keepdims=True)
    shares_Q_P[numbers, nearest_Q] -= 1
    pull_Q_D = shares_Q_P @ vectors_P_D / _TEMPERATURE
    along_Q_1 = np.sum(pull_Q_D * unit_Q_D, axis=1, keepdims=True)
    return queries_Q_D.T @ ((pull_Q_D - along_Q_1 * unit_Q_D) / length_Q_1)


def adapter_file(folder: Path, name: str) -> Path:
    """Where `QueryAdapter.save` puts it."""
    return folder / QUERY_ADAPTERS / f"{name}.safetensors"
