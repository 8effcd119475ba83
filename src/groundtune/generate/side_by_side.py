"""Many prompts at an endpoint: several under way at once, answers in their order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from groundtune.generate.batches import OneByOne

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.core.protocols import Engine
    from groundtune.generate.batches import Written


class SideBySide(OneByOne):
    """An engine that may be shared between threads, asked for several at once."""

    def __init__(self, engine: Engine, *, at_once: int) -> None:
        super().__init__(engine)
        self._at_once = at_once

    def write(
        self, prompts: Sequence[Sequence[int]], *, max_tokens: int
    ) -> list[Written]:
        """See `BatchEngine.write`. The first failure ends what has not begun."""

        def one(prompt: Sequence[int]) -> Written:
            (written,) = OneByOne.write(self, [prompt], max_tokens=max_tokens)
            return written

        with ThreadPoolExecutor(self._at_once) as pool:
            try:
                return list(pool.map(one, prompts))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
