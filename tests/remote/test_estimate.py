"""Lengths without a tokenizer: never far below the real ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from groundtune.core.values import Message
from groundtune.generate.remote import _turns_of, usual_turns  # pyright: ignore[reportPrivateUsage]
from groundtune.store.models import open_model
from groundtune.store.remote.estimate import PASSAGE_LETTERS, EstimatedTokenizer

PAGES = sorted((Path(__file__).parents[2] / "docs").rglob("*.md"))
FOREIGN = (
    "Alle Menschen sind frei und gleich an W\u00fcrde und Rechten geboren.",
    "\u0412\u0441\u0435 \u043b\u044e\u0434\u0438 \u0440\u043e\u0436\u0434\u0430"
    "\u044e\u0442\u0441\u044f \u0441\u0432\u043e\u0431\u043e\u0434\u043d\u044b",
    "\u4eba\u4eba\u751f\u800c\u81ea\u7531\u3001\u4e00\u5f8b\u5e73\u7b49",
    "\u064a\u0648\u0644\u062f \u062c\u0645\u064a\u0639 \u0627\u0644\u0646\u0627\u0633",
)
"""German, Russian, Chinese and Arabic, of the Declaration of Human Rights."""


@given(st.text(max_size=200))
def test_a_text_comes_back_as_it_was(text: str) -> None:
    tokenizer = EstimatedTokenizer()

    ids, spans = tokenizer.encode(text), tokenizer.offsets(text)

    assert tokenizer.decode(ids) == text
    assert len(spans) == len(ids)
    assert "".join(text[a:b] for a, b in dict.fromkeys(spans)) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_prompt_is_turned_back_into_its_turns(system: str, user: str) -> None:
    turns = [Message("system", system), Message("user", user)]
    tokenizer = EstimatedTokenizer()

    prompt = tokenizer.encode(usual_turns().render(turns))

    assert _turns_of(tokenizer.decode(prompt)) == turns


def test_estimates_are_high_and_not_too_high() -> None:
    real = open_model("smollm2-135m-instruct", kind="generator").tokenizer()
    prompts, passages = EstimatedTokenizer(), EstimatedTokenizer(PASSAGE_LETTERS)
    texts = [page.read_text(encoding="utf-8")[:4000] for page in PAGES]

    shares = [len(prompts.encode(text)) / len(real.encode(text)) for text in texts]
    assert min(shares) > 1
    assert max(shares) < 2
    for text in FOREIGN:
        assert len(prompts.encode(text)) >= 0.85 * len(real.encode(text))
    for text in texts:
        assert len(passages.encode(text)) < len(prompts.encode(text))
