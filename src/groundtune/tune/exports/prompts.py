"""Held-out prompts that a generator's folder remembers, for its exports to be tried on.

They are taken from the packs of dev cases, as the model met them: whatever the task, a
prompt is the head of a pack and the part of a turn that carries no loss.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from groundtune.tune.dataset import HEAD, IGNORED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from groundtune.store.tokenizer import FileTokenizer
    from groundtune.tune.dataset import Pack

PROMPTS = "evaluation/prompts.jsonl"
"""File of a model folder that they stand in."""
_KEPT = 100


def held_out_prompts(packs: Sequence[Pack], tokenizer: FileTokenizer) -> dict[str, str]:
    """The file of prompts by its path in the folder; nothing where no pack is given.

    Args:
        packs: Of dev cases.
        tokenizer: The model's.
    """
    turns = [
        (pack, number)
        for pack in packs
        for number in range(HEAD + 1, int(pack.segments_T.max(initial=HEAD)) + 1)
    ]
    places = np.linspace(0, len(turns) - 1, min(_KEPT, len(turns))).astype(int)
    lines = [
        json.dumps({"prompt": _prompt(*turns[int(place)], tokenizer)})
        for place in places
    ]
    return {PROMPTS: "".join(f"{line}\n" for line in lines)} if lines else {}


def _prompt(pack: Pack, number: int, tokenizer: FileTokenizer) -> str:
    is_head_T = pack.segments_T == HEAD
    is_asked_T = (pack.segments_T == number) & (pack.labels_T == IGNORED)
    ids = pack.tokens_T[is_head_T | is_asked_T]
    return tokenizer.spell([int(token) for token in ids])
