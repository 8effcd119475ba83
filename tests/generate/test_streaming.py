"""Streamed text, and what every engine refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundtune.core.errors import GenerationError, UnknownPluginError
from groundtune.core.plugins import load_plugin, plugin_names
from groundtune.core.values import Span
from groundtune.generate.engines import ENGINES, TextStream, check_request

if TYPE_CHECKING:
    from collections.abc import Sequence


class ByteTokenizer:
    """One token a byte: every character outside ASCII is cut into several."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")

    def offsets(self, text: str) -> list[Span]:
        return [Span(i, i + 1) for i in range(len(text))]


@given(text=st.text(max_size=40))
def test_pieces_join_to_the_text_and_never_cut_a_character(text: str) -> None:
    pieces: list[str] = []
    stream = TextStream(ByteTokenizer(), pieces.append)

    for token in text.encode():
        stream.add(token)
    made = stream.finish(prompt_tokens=3)

    assert "".join(pieces) == made.text == text
    assert all(piece for piece in pieces)
    assert set("".join(pieces)) <= set(text)
    assert (made.usage.prompt_tokens, made.usage.output_tokens) == (
        3,
        len(text.encode()),
    )


def test_text_comes_as_soon_as_a_character_is_whole() -> None:
    pieces: list[str] = []
    stream = TextStream(ByteTokenizer(), pieces.append)
    counts: list[int] = []

    for token in "a\u00e9b".encode():
        stream.add(token)
        counts.append(len(pieces))

    assert counts == [1, 1, 2, 3]


def test_a_character_that_never_ends_is_shown_in_the_end() -> None:
    pieces: list[str] = []
    stream = TextStream(ByteTokenizer(), pieces.append)
    stream.add("\u00e9".encode()[0])

    assert pieces == []
    assert stream.finish(prompt_tokens=1).text == "\ufffd"
    assert pieces == ["\ufffd"]


@pytest.mark.parametrize(("prompt", "count"), [([], 1), ([1], 0)])
def test_a_senseless_request_is_a_bug(prompt: list[int], count: int) -> None:
    with pytest.raises(ValueError, match="new ones"):
        check_request(prompt, count, context=10)


def test_what_does_not_fit_the_model_is_refused() -> None:
    check_request([1] * 8, 2, context=10)
    with pytest.raises(GenerationError, match="do not fit the model's 10"):
        check_request([1] * 9, 2, context=10)


def test_engines_are_found_by_name() -> None:
    assert {"openai", "openvino", "transformers"} <= set(plugin_names(ENGINES))
    with pytest.raises(UnknownPluginError) as caught:
        load_plugin(ENGINES, "openvin")
    assert "did you mean 'openvino'?" in caught.value.fix
    assert caught.value.problem == "no engines entry named 'openvin'"
