"""A query adapter learned from choices: what stood to choose from, and what was right.

`query_adapter.fit_query_adapter` tells a right passage from all others of a knowledge
base. Here each query has a list of its own, and only what is in it competes: the other
sentences of the same documents, which are the ones it is mistaken for.

Axis suffixes: Q queries, C candidates of a query (of several queries: the longest list,
padded), D dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundtune.retrieve.adam import Adam
from groundtune.retrieve.query_adapter import QueryAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_TEMPERATURE = 0.1
_DECAY = 0.003
"""Weight of the squared distance from the identity. Between 0.0003 and 0.01 it made
little difference, 0.1 learned too little."""
_EPOCHS = 15
_ROWS = 256
"""Queries to a step."""
_PADDING = np.float32(-1e4)


class Choice(NamedTuple):
    """One query, its candidates, and which of them are right: at least one."""

    query_D: Floats
    """Of length 1."""
    candidates_C_D: Floats
    """Of length 1."""
    rest_C: Floats
    """What speaks for each candidate beside its cosine with the query."""
    right_C: npt.NDArray[np.bool_]


def fit_listwise(choices: Sequence[Choice], *, seed: int = 0) -> QueryAdapter:
    """Learn to choose: the cross-entropy of right candidates against each list.

    A softmax over a list, as in ListNet (Cao et al., 2007). The same input gives the
    same matrix.

    Args:
        choices: At least one.
        seed: Of the order in which they are learned from.
    """
    rng = np.random.default_rng(seed)
    descent = Adam(len(choices[0].query_D))
    for _ in range(_EPOCHS):
        order = rng.permutation(len(choices))
        for start in range(0, len(order), _ROWS):
            lists = [choices[int(place)] for place in order[start : start + _ROWS]]
            slope_D_D = 2 * _DECAY * descent.at_D_D
            slope_D_D += listwise_slope(descent.at_D_D, lists) / len(lists)
            descent.step(slope_D_D)
    return QueryAdapter(descent.at_D_D)


def listwise_slope(change_D_D: Floats, lists: Sequence[Choice]) -> Floats:
    """Gradient of the summed cross-entropy of these choices."""
    queries_Q_D = np.stack([one.query_D for one in lists])
    most = max(len(one.rest_C) for one in lists)
    dim = queries_Q_D.shape[1]
    candidates_Q_C_D = np.zeros((len(lists), most, dim), np.float32)
    rest_Q_C = np.full((len(lists), most), _PADDING)
    right_Q_C = np.zeros((len(lists), most), np.bool_)
    for row, one in enumerate(lists):
        count = len(one.rest_C)
        candidates_Q_C_D[row, :count] = one.candidates_C_D
        rest_Q_C[row, :count] = one.rest_C
        right_Q_C[row, :count] = one.right_C
    moved_Q_D = queries_Q_D + queries_Q_D @ change_D_D
    length_Q_1 = np.linalg.norm(moved_Q_D, axis=1, keepdims=True)
    unit_Q_D = moved_Q_D / length_Q_1
    near_Q_C = np.matmul(candidates_Q_C_D, unit_Q_D[:, :, None])[:, :, 0]
    scores_Q_C = (near_Q_C + rest_Q_C) / _TEMPERATURE
    wanted_Q_C = _softmax(np.where(right_Q_C, scores_Q_C, _PADDING))
    excess_Q_C = (_softmax(scores_Q_C) - wanted_Q_C) / _TEMPERATURE
    pull_Q_D = np.matmul(excess_Q_C[:, None, :], candidates_Q_C_D)[:, 0]
    along_Q_1 = np.sum(pull_Q_D * unit_Q_D, axis=1, keepdims=True)
    return queries_Q_D.T @ ((pull_Q_D - along_Q_1 * unit_Q_D) / length_Q_1)


def _softmax(scores_Q_C: Floats) -> Floats:
    powers_Q_C = np.exp(scores_Q_C - scores_Q_C.max(axis=1, keepdims=True))
    return powers_Q_C / powers_Q_C.sum(axis=1, keepdims=True)
