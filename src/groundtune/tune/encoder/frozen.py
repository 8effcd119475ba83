"""States below the trained layers: computed once and kept on disk.

Frozen layers have no dropout, so what they give for a text never changes. It is
computed once, written as one plain array, and mapped into memory from then on.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.store.files import explained, read_json, write_json
from groundtune.tune.encoder.dataset import collate, micro_batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    import torch

    from groundtune.core.protocols import Progress
    from groundtune.tune.encoder.dataset import Item
    from groundtune.tune.encoder.pretrained import LabelModel

    Floats = npt.NDArray[np.float32]

_BATCH_TOKENS = 4096
_MOST_BYTES = 8 << 30
_SPARE = 2.0
"""The disk must have room for this many times the array."""


class FrozenStates:
    """States after the first `layers` layers, for every item of one set."""

    def __init__(self, rows_R_D: Floats, starts_N: npt.NDArray[np.int64]) -> None:
        self._rows_R_D = rows_R_D
        self._starts_N = starts_N

    def batch(self, items: Sequence[int], *, width: int) -> Floats:
        """States of some items, padded with zeros: `(B, T, D)`."""
        out = np.zeros((len(items), width, self._rows_R_D.shape[1]), np.float32)
        for row, item in enumerate(items):
            start, end = self._starts_N[item], self._starts_N[item + 1]
            out[row, : end - start] = self._rows_R_D[start:end]
        return out


def frozen_states(
    model: LabelModel,
    items: Sequence[Item],
    *,
    layers: int,
    folder: Path,
    name: str,
    plan: str,
    autocast: torch.autocast,
    progress: Progress = silent,
) -> FrozenStates | None:
    """Compute the states, or map them where they stand; None where there is no room.

    Args:
        model: Its lower layers must be as they will stay.
        items: Of one set.
        layers: How many layers from the input up.
        folder: Where the array is kept.
        name: Of the set.
        plan: What the states follow from, beside the items: base and precision.
        autocast: The precision that training computes in.
        progress: Told how many items are done.
    """
    sizes = [len(item) for item in items]
    starts_N = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    width = int(model.head["classifier"].in_features)
    shape = (int(starts_N[-1]), width)
    needed = 4 * shape[0] * width
    folder.mkdir(parents=True, exist_ok=True)
    path, stamp = folder / f"{name}.npy", folder / f"{name}.json"
    what = {
        "plan": plan,
        "layers": layers,
        "items": fingerprint([item.ids_T.tolist() for item in items]),
    }
    if _stamped(stamp) == what and path.exists():
        return FrozenStates(np.load(path, mmap_mode="r"), starts_N)
    if needed > _MOST_BYTES or needed * _SPARE > shutil.disk_usage(folder).free:
        return None
    with explained(path):
        rows_R_D: Any = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.float32, shape=shape
        )
        _fill(rows_R_D, starts_N, model, items, layers, autocast, progress)
        rows_R_D.flush()
    write_json(stamp, what)
    return FrozenStates(np.load(path, mmap_mode="r"), starts_N)


def _fill(  # noqa: PLR0917 (one step of the function above)
    rows_R_D: Any,  # noqa: ANN401 (a memory map)
    starts_N: npt.NDArray[np.int64],
    model: LabelModel,
    items: Sequence[Item],
    layers: int,
    autocast: torch.autocast,
    progress: Progress,
) -> None:
    import torch

    model.serving_mode()
    sizes = [len(item) for item in items]
    done = 0
    batches = micro_batches(range(len(items)), sizes, most_tokens=_BATCH_TOKENS)
    for numbers in batches:
        progress("frozen layers", done, len(items))
        batch = collate([items[number] for number in numbers])
        mask_B_T = torch.from_numpy(batch.mask_B_T).to(model.device)
        with torch.no_grad(), autocast:
            states = model.embed(torch.from_numpy(batch.ids_B_T).to(model.device))
            states = model.through(states, mask_B_T, first=0, end=layers)
        states_B_T_D = states.float().cpu().numpy()
        for row, number in enumerate(numbers):
            start, end = starts_N[number], starts_N[number + 1]
            rows_R_D[start:end] = states_B_T_D[row, : sizes[number]]
        done += len(numbers)
    progress("frozen layers", len(items), len(items))


def _stamped(path: Path) -> object:
    try:
        return read_json(path)
    except DataError:
        return None
