"""Against a real OpenAI-compatible server, llama.cpp's, and beside the official client.

The server runs in this process on loopback and serves SmolLM2 from the model cache.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import INSTRUCTION, PROMPT_VERSION, PromptBuilder
from groundtune.core.errors import GenerationError
from groundtune.core.values import Hit, Passage
from groundtune.recipes.ask import ask
from groundtune.recipes.ingest import ingest
from groundtune.retrieve.remote_embed import open_remote_embedder
from groundtune.store.gguf import write_gguf
from groundtune.store.models import ModelFolder, open_model
from groundtune.store.remote.failures import EndpointRefusalError
from groundtune.systems.generators import open_generator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from groundtune.augment.prompt import Prompt

pytestmark = pytest.mark.slow

KEY = "sk-secret-of-the-tests"
TEXT = "Neil Armstrong was the first person to walk on the Moon, in 1969."
QUESTION = "Who was the first person to walk on the Moon?"


class Served(NamedTuple):
    url: str
    model: ModelFolder


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "smollm2.gguf"
    write_gguf(open_model("smollm2-135m-instruct", kind="generator"), path)
    return path


def start(gguf: Path, *, embeds: bool) -> Any:
    library: Any = import_module("xllamacpp")
    settings = library.CommonParams()
    settings.model.path = str(gguf)
    settings.model_alias = {"smollm2"}
    settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = 1024, 1, 0
    settings.warmup, settings.ui, settings.verbosity = False, False, -1
    settings.cpuparams.poll = settings.cpuparams_batch.poll = 0
    settings.api_keys = [KEY]
    settings.embedding = embeds
    if embeds:
        settings.pooling_type = library.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return library.Server(settings)


@pytest.fixture(scope="module")
def served(gguf: Path) -> Iterator[Served]:
    server = start(gguf, embeds=False)
    model = open_model("smollm2-135m-instruct", kind="generator")
    yield Served(f"{server.listening_address}/v1", model)
    del server


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, no_keys_or_settings: None) -> None:
    monkeypatch.setenv("GROUNDTUNE_API_KEY", KEY)


def prompt_of(model: ModelFolder) -> Prompt:
    template = ChatTemplate(model.chat_template)
    builder = PromptBuilder(template, model.tokenizer(), style=INSTRUCTION)
    passage = Passage(id="1", document="d", start=0, end=len(TEXT), text=TEXT)
    return builder.build(QUESTION, [Hit(passage=passage, score=1.0)], budget=500)


def test_the_official_client_gets_the_same_answer(served: Served) -> None:
    import openai

    prompt, pieces = prompt_of(served.model), list[str]()
    engine, _ = open_generator(f"{served.url}#smollm2", prompt_version=PROMPT_VERSION)
    assert engine.context_length == 1024, "as the server lists it"

    ours = engine.generate(  # made of estimated tokens, sent as turns
        engine.tokenizer.encode(_spelled(prompt)), max_tokens=24, on_text=pieces.append
    )

    official = openai.OpenAI(base_url=served.url, api_key=KEY, max_retries=0)
    theirs = official.chat.completions.create(
        model="smollm2",
        messages=[
            {"role": "system", "content": prompt.messages[0].content},
            {"role": "user", "content": prompt.messages[1].content},
        ],
        max_tokens=24,
        temperature=0,
        seed=0,
    )
    official.close()
    assert ours.text == "".join(pieces) == theirs.choices[0].message.content
    assert len(pieces) > 1
    assert theirs.usage is not None
    assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert ours.usage.output_tokens == theirs.usage.completion_tokens


def _spelled(prompt: Prompt) -> str:
    from groundtune.generate.remote import usual_turns

    return usual_turns().render(prompt.messages)


def test_both_routes_put_the_same_prompt_before_the_model(served: Served) -> None:
    prompt = prompt_of(served.model)
    local = "?route=completions&tokenizer=smollm2-135m-instruct"
    answers = {
        name: open_generator(
            f"{served.url}{query}#smollm2", prompt_version=PROMPT_VERSION
        )[0]
        for name, query in (
            ("turns", ""),
            ("text", local),
            ("tokens", f"{local}&prompt_as=tokens"),
        )
    }

    turns = answers["turns"].generate(
        answers["turns"].tokenizer.encode(_spelled(prompt)), max_tokens=24
    )
    text = answers["text"].generate(prompt.tokens, max_tokens=24)
    tokens = answers["tokens"].generate(prompt.tokens, max_tokens=24)

    assert turns.text == text.text
    assert turns.usage == text.usage
    assert tokens.usage.prompt_tokens == len(prompt.tokens)
    assert tokens.text


def test_what_a_real_server_refuses_is_told(served: Served) -> None:
    other, _ = open_generator(f"{served.url}#gpt-4o", prompt_version=PROMPT_VERSION)
    with pytest.raises(EndpointRefusalError, match="'smollm2' answered"):
        other.generate(
            other.tokenizer.encode(_spelled(prompt_of(served.model))), max_tokens=1
        )

    full, _ = open_generator(
        f"{served.url}?context=99999#smollm2", prompt_version=PROMPT_VERSION
    )
    long = "<|im_start|>user\n" + "word " * 3000 + "<|im_end|>\n"
    with pytest.raises(GenerationError, match="answered 400") as caught:
        full.generate(full.tokenizer.encode(long), max_tokens=1)
    assert not isinstance(caught.value, EndpointRefusalError)


def test_questions_are_answered_from_a_knowledge_base(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "moon.md").write_text(f"# Moon\n\n{TEXT}\n")
    ingest([tmp_path / "docs"], kb=tmp_path / "kb")
    pieces: list[str] = []

    answer = ask(
        QUESTION,
        kb=tmp_path / "kb",
        model=f"{served.url}#smollm2",
        on_text=pieces.append,
    )

    assert "Armstrong" in answer.text
    assert len(pieces) > 3
    assert answer.citations[0].document == "moon.md"
    assert 0 < answer.timing.first_token_ms < answer.timing.total_ms


def test_the_official_client_gets_the_same_vectors(gguf: Path) -> None:
    import openai

    server = start(gguf, embeds=True)
    url = f"{server.listening_address}/v1"
    texts = ["A card has not arrived.", "Where is my card?", "Rome is old."]

    ours_T_D = open_remote_embedder(f"{url}?batch=2#smollm2").encode(texts)

    official = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    found = official.embeddings.create(
        model="smollm2", input=texts, encoding_format="float"
    )
    official.close()
    theirs_T_D = np.array([one.embedding for one in found.data])
    theirs_T_D /= np.linalg.norm(theirs_T_D, axis=1, keepdims=True)
    assert ours_T_D.shape == (3, served_width())
    assert np.abs(ours_T_D - theirs_T_D).max() < 1e-4
    del server


def served_width() -> int:
    config = open_model("smollm2-135m-instruct", kind="generator").config
    return int(config["hidden_size"])
