"""The engine of the entry point `openai`: a prompt spelled out, for a tuned model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import ConfigError, GenerationError
from groundtune.generate.engines import EngineOptions, open_engine
from groundtune.store.models import ModelFolder, open_model
from groundtune.store.remote.failures import EndpointError

if TYPE_CHECKING:
    from groundtune.core.protocols import Engine

KEY = "sk-secret-of-the-tests"


@pytest.fixture(scope="module")
def model() -> ModelFolder:
    return open_model("smollm2-135m-instruct", kind="generator")


def engine_at(url: str, model: ModelFolder, *, key: str = "") -> Engine:
    options = EngineOptions(url=url, key=key, remote_model="big", timeout_seconds=0.4)
    return open_engine(model, runtime="openai", options=options)


def test_the_prompt_is_sent_as_it_stands(endpoint: Any, model: ModelFolder) -> None:
    endpoint.key = KEY
    engine = engine_at(endpoint.url, model, key=KEY)
    prompt = "<|im_start|>user\nCapital of France?<|im_end|>\n"
    pieces: list[str] = []

    made = engine.generate(
        engine.tokenizer.encode(prompt), max_tokens=9, on_text=pieces.append
    )

    assert made.text == "Paris [1]"
    assert pieces == ["Par", "is ", "[1]"]
    assert (made.usage.prompt_tokens, made.usage.output_tokens) == (11, 3)
    (asked,) = endpoint.asked
    assert asked["prompt"] == prompt
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("big", 9, 0)
    assert engine.name == f"big/{endpoint.url.split('/')[2]}"
    assert engine.context_length == model.config["max_position_embeddings"]


def test_tokens_are_counted_where_the_endpoint_does_not(
    endpoint: Any, model: ModelFolder
) -> None:
    endpoint.streams = endpoint.tells_usage = False
    engine = engine_at(endpoint.url, model)
    assert engine.generate([5, 6], max_tokens=9).text == "Paris [1]"

    endpoint.streams = True
    usage = engine.generate([5, 6], max_tokens=9).usage

    assert usage.prompt_tokens == 2
    assert usage.output_tokens == len(engine.tokenizer.encode("Paris [1]"))


def test_a_wrong_key_is_refused_and_never_shown(
    endpoint: Any, model: ModelFolder
) -> None:
    endpoint.key = KEY
    engine = engine_at(endpoint.url, model, key="sk-wrong-key")

    with pytest.raises(EndpointError, match="answered 401") as caught:
        engine.generate([5], max_tokens=9)

    assert caught.value.fix == "check the key"
    assert "sk-wrong-key" not in str(caught.value)
    assert "sk-wrong-key" not in repr(EngineOptions(key="sk-wrong-key")) + engine.name


def test_what_cannot_be_asked_is_refused(endpoint: Any, model: ModelFolder) -> None:
    with pytest.raises(ConfigError, match="URL is missing"):
        open_engine(model, runtime="openai")
    with pytest.raises(ConfigError, match="over http"):
        engine_at("http://192.0.2.1/v1", model, key=KEY)
    with pytest.raises(GenerationError, match="do not fit"):
        engine_at(endpoint.url, model).generate([5] * 9000, max_tokens=9)
    assert endpoint.asked == []
