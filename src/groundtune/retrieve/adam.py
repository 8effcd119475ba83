"""Adam (Kingma and Ba, arXiv 1412.6980) over one matrix, from zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_RATE = 2e-3
_MOMENTS = (0.9, 0.999)


class Adam:
    """A square matrix on its way down a slope."""

    def __init__(self, dim: int) -> None:
        self.at_D_D: Floats = np.zeros((dim, dim), np.float32)
        self._first_D_D, self._second_D_D = self.at_D_D.copy(), self.at_D_D.copy()
        self._steps = 0

    def step(self, slope_D_D: Floats) -> None:
        """Go one step against the gradient of where it stands."""
        self._steps += 1
        self._first_D_D += (1 - _MOMENTS[0]) * (slope_D_D - self._first_D_D)
        self._second_D_D += (1 - _MOMENTS[1]) * (slope_D_D**2 - self._second_D_D)
        mean_D_D = self._first_D_D / (1 - _MOMENTS[0] ** self._steps)
        square_D_D = self._second_D_D / (1 - _MOMENTS[1] ** self._steps)
        self.at_D_D -= _RATE * mean_D_D / (np.sqrt(square_D_D) + 1e-8)
