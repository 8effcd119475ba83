"""Comparisons whose parts run in this process, where heavy libraries are loaded."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.protocols import silent
from groundtune.recipes import tune_fact_check, writing
from groundtune.recipes.comparison import answering, by_labels, by_texts, choices
from groundtune.systems.text_arm import TextSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


def _here(work: Any, job: Any, *, on_item: Any = None, **_: Any) -> Any:
    """Do the work of a child; a child of its own is tried elsewhere."""
    channel = SimpleNamespace(emit=on_item, progress=silent)
    return SimpleNamespace(result=work(job, channel), seconds=1.0, peak_memory_mb=1.0)


@pytest.fixture(scope="module", autouse=True)
def in_process() -> Iterator[None]:
    """Every child's work is done here, in 32 bits: the self-test takes longer."""
    import torch

    def plain(_: torch.device) -> torch.dtype:
        return torch.float32

    with pytest.MonkeyPatch.context() as patch:
        for module in (answering, by_labels, by_texts, choices, tune_fact_check):
            patch.setattr(module, "run_in_child", _here)
        patch.setattr(writing, "choose_dtype", plain)
        # Its tokenizer knows whole words, which the other engines cannot read.
        patch.setattr(by_texts, "TextSpec", partial(TextSpec, runtime="transformers"))
        yield
