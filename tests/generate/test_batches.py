"""Many prompts at once say what one prompt alone says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundtune.core.errors import GenerationError
from groundtune.generate.batches import OneByOne, open_batch_engine
from groundtune.generate.engines import EngineOptions, open_engine

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

QUESTIONS = (
    "What is the capital of France?",
    "Say hello.",
    "Name three colours, one a line.",
    "Who wrote Faust?",
    "Count from one to five.",
)


@pytest.mark.slow
def test_a_batch_says_what_the_reference_says(generator_model: ModelFolder) -> None:
    exact = EngineOptions(precision="f32")
    batched = open_batch_engine(generator_model, options=exact)
    alone = OneByOne(open_engine(generator_model, runtime="transformers"))
    assert batched.context_length == alone.context_length
    prompts = [
        batched.tokenizer.encode(
            f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        )
        for text in QUESTIONS
    ]

    found = batched.write(prompts * 3, max_tokens=24)

    wanted = alone.write(prompts, max_tokens=24)
    assert found[:5] == found[5:10] == found[10:], "no prompt sees its neighbours"
    assert [one.is_cut for one in found[:5]] == [one.is_cut for one in wanted]
    assert [one.usage for one in found[:5]] == [one.usage for one in wanted]
    assert [one.text for one in found[:5]] == [one.text for one in wanted]
    assert {one.is_cut for one in found} == {True, False}
    with pytest.raises(GenerationError, match="do not fit"):
        batched.write([[1] * 9000], max_tokens=1)
