"""The default engine against transformers in float32, on the default generator."""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import GenerationError, MissingExtraError, ModelLoadError
from groundtune.generate.engines import (
    EngineOptions,
    Generated,
    end_tokens,
    open_engine,
)
from groundtune.generate.openvino import graph_folder
from groundtune.store.download import default_cache

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Engine
    from groundtune.store.models import ModelFolder

SUBJECTS = [
    "the sea",
    "a lighthouse keeper",
    "bread",
    "the number seven",
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
    users += [f"{EVIDENCE * 2}\nQuestion: {user}" for user in users]
    return [prompt_of(generator_model, user) for user in users]


@pytest.fixture(scope="session")
def engine(generator_model: ModelFolder) -> Engine:
    return open_engine(generator_model)


@pytest.fixture(scope="session")
def answers(engine: Engine, prompts: list[list[int]]) -> list[Generated]:
    return [generate(engine, prompt) for prompt in prompts]


def generate(engine: Engine, prompt: list[int], *, max_tokens: int = 8) -> Generated:
    made = engine.generate(prompt, max_tokens=max_tokens)
    assert isinstance(made, Generated)
    return made


def reference_logits(model: ModelFolder, prompts: list[list[int]]) -> list[Any]:
    """Logits of the next token, by transformers in float32."""
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        model.path, dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        return [
            loaded(torch.tensor([prompt]), logits_to_keep=1).logits[0, -1].numpy()
            for prompt in prompts
        ]


@pytest.fixture(scope="session")
def reference(generator_model: ModelFolder, prompts: list[list[int]]) -> list[Any]:
    return reference_logits(generator_model, prompts)


def test_the_exact_engine_gives_the_tokens_that_transformers_gives(
    generator_model: ModelFolder, prompts: list[list[int]], reference: list[Any]
) -> None:
    engine = open_engine(generator_model, options=EngineOptions(precision="f32"))

    ours = [generate(engine, prompt, max_tokens=1).tokens for prompt in prompts]

    assert ours == [(int(logits.argmax()),) for logits in reference]
    assert engine.name.endswith("/openvino-f16-exact")


def test_the_fast_engine_differs_from_transformers_in_ties_only(
    generator_model: ModelFolder, answers: list[Generated], reference: list[Any]
) -> None:
    end = min(end_tokens(generator_model))
    ours = [made.tokens[0] if made.tokens else end for made in answers]

    behind = [
        float(logits.max() - logits[token])
        for logits, token in zip(reference, ours, strict=True)
    ]

    # bfloat16 has steps of 0.125 among logits of this size.
    assert max(behind) < 0.125
    assert sum(gap == 0 for gap in behind) >= 0.8 * len(behind)


def test_an_answer_does_not_depend_on_what_was_asked_before(
    engine: Engine, prompts: list[list[int]], answers: list[Generated]
) -> None:
    again = [generate(engine, prompt) for prompt in reversed(prompts)][::-1]

    assert [made.tokens for made in again] == [made.tokens for made in answers]
    assert [made.text for made in again] == [made.text for made in answers]


def test_a_second_engine_gives_the_same_tokens(
    generator_model: ModelFolder, prompts: list[list[int]], answers: list[Generated]
) -> None:
    other = open_engine(generator_model)

    made = [generate(other, prompt).tokens for prompt in prompts[::6]]

    assert made == [answer.tokens for answer in answers[::6]]


def test_text_is_streamed_as_it_is_made(
    engine: Engine, prompts: list[list[int]]
) -> None:
    pieces: list[str] = []

    made = engine.generate(prompts[0], max_tokens=12, on_text=pieces.append)

    assert "".join(pieces) == made.text
    assert len(pieces) > 3
    assert 0 < made.first_token_ms < made.total_ms
    assert made.usage.prompt_tokens == len(prompts[0])
    assert made.usage.output_tokens <= 12


def test_an_answer_ends_at_the_end_token(
    engine: Engine, generator_model: ModelFolder
) -> None:
    prompt = prompt_of(generator_model, "What is the capital of France? One word.")

    made = generate(engine, prompt, max_tokens=60)

    assert made.usage.output_tokens < 60
    assert made.text.startswith("Paris") or "Paris" in made.text
    assert not set(made.tokens) & end_tokens(generator_model)
    assert "<|" not in made.text


def test_what_a_listener_raises_comes_through(
    engine: Engine, prompts: list[list[int]]
) -> None:
    def stop(text: str) -> None:
        raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt):
        engine.generate(prompts[0], max_tokens=8, on_text=stop)
    assert engine.generate(prompts[0], max_tokens=2).usage.output_tokens > 0


def test_threads_take_turns(
    engine: Engine, prompts: list[list[int]], answers: list[Generated]
) -> None:
    found: dict[int, tuple[int, ...]] = {}

    def ask(number: int) -> None:
        found[number] = generate(engine, prompts[number]).tokens

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: answers[number].tokens for number in range(4)}


def test_a_prompt_that_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(GenerationError, match="do not fit the model's 8192"):
        engine.generate([5] * 8190, max_tokens=3)


def test_every_layer_adds_to_the_stream_in_full_precision(
    generator_model: ModelFolder, engine: Engine
) -> None:
    graph = graph_folder(generator_model, default_cache()) / "openvino_model.xml"
    layers = generator_model.config["num_hidden_layers"]

    assert graph.read_text(encoding="utf-8").count('name="precise"') == 2 * layers


def test_the_name_says_model_weights_and_runtime(
    engine: Engine, generator_model: ModelFolder
) -> None:
    sha = generator_model.weights_sha256[:8]

    assert engine.name == f"smollm2-135m-instruct@{sha}/openvino-f16"


def test_the_transformers_engine_keeps_the_same_contract(
    generator_model: ModelFolder, prompts: list[list[int]]
) -> None:
    engine = open_engine(generator_model, runtime="transformers")
    pieces: list[str] = []

    made = engine.generate(prompts[0], max_tokens=4, on_text=pieces.append)

    assert "".join(pieces) == made.text
    assert 1 <= made.usage.output_tokens <= 4
    assert engine.name.endswith("/transformers-float32")
    assert engine.context_length == 8192


def test_without_the_extra_the_install_command_is_shown(
    generator_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python does with a module that is not installed.
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingExtraError, match=r'pip install "groundtune\[tune\]"'):
        open_engine(generator_model, runtime="transformers")


def test_a_model_that_openvino_cannot_run_says_what_can(
    generator_model: ModelFolder, tmp_path: Path
) -> None:
    config = {**generator_model.config, "model_type": "gpt_neox"}
    other = replace(generator_model, config=config)

    with pytest.raises(ModelLoadError, match="transformers engine"):
        open_engine(other, options=EngineOptions(cache=tmp_path))

    assert not list(tmp_path.rglob("*.xml")) + list(tmp_path.rglob("*.gguf"))
