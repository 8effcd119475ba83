"""The default engine against transformers in float32, on the default generator."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.errors import GenerationError
from groundtune.generate.engines import (
    EngineOptions,
    Generated,
    end_tokens,
    open_engine,
)

if TYPE_CHECKING:
    from groundtune.core.protocols import Engine
    from groundtune.store.models import ModelFolder

SUBJECTS = [
    "the sea",
    "a lighthouse keeper",
    "bread",
    "the number seven",
    "an old bridge",
    "rain in March",
]
ASKS = ["Say one true thing about {}.", "Write one question about {}."]
EVIDENCE = (
    "[1] The Orvale bridge was built in 1871 by Petra Lindqvist from grey granite.\n"
    "[2] Bread from the mill at Sund is baked twice and keeps for eleven weeks.\n"
)


def prompt_of(model: ModelFolder, user: str) -> list[int]:
    text = f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    return model.tokenizer().encode(text)


@pytest.fixture(scope="session")
def prompts(generator_model: ModelFolder) -> list[list[int]]:
    """Half of them short, half with passages before the question."""
    users = [ask.format(subject) for subject in SUBJECTS for ask in ASKS]
    users += [f"{EVIDENCE * 3}\nQuestion: {user}" for user in users]
    return [prompt_of(generator_model, user) for user in users]


@pytest.fixture(scope="session")
def engine(generator_model: ModelFolder) -> Engine:
    return open_engine(generator_model)


@pytest.fixture(scope="session")
def answers(engine: Engine, prompts: list[list[int]]) -> list[Generated]:
    return [generate(engine, prompt) for prompt in prompts]


def generate(engine: Engine, prompt: list[int], *, max_tokens: int = 12) -> Generated:
    made = engine.generate(prompt, max_tokens=max_tokens)
    assert isinstance(made, Generated)
    return made


def reference_logits(model: ModelFolder, prompts: list[list[int]]) -> list[np.ndarray]:
    """Logits of the next token, by transformers in float32."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        model.path, dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        return [
            loaded(torch.tensor([prompt]), logits_to_keep=1).logits[0, -1].numpy()
            for prompt in prompts
        ]
