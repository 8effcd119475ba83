"""Likelihoods of given texts are those of the same weights in transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from groundtune.core.errors import GenerationError
from groundtune.generate.likelihood import TextScorer

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

TEXTS = (" The tower is old.", " Mira built the stone bridge in 1931.", " Rain")
AFTER = "The bridge is older than the tower, and of stone.\n\nIn other words:"


@pytest.fixture(scope="module")
def scorer(generator_model: ModelFolder) -> TextScorer:
    return TextScorer(generator_model)


def expected(model: ModelFolder) -> list[float]:
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(model.path, dtype=torch.float32)
    before = model.tokenizer().encode(AFTER)
    found: list[float] = []
    for text in TEXTS:
        ids = model.tokenizer().encode(text)
        with torch.inference_mode():
            logits = loaded(torch.tensor([before + ids])).logits[0]
        logs = torch.log_softmax(logits[len(before) - 1 : -1], dim=-1)
        found.append(float(logs[torch.arange(len(ids)), torch.tensor(ids)].sum()))
    return found


def test_texts_are_as_likely_as_transformers_finds_them(
    scorer: TextScorer, generator_model: ModelFolder
) -> None:
    found = scorer.log_likelihoods(TEXTS, after=AFTER)

    # Some hundredths: the engine's sums may be of 16 bits.
    assert found == pytest.approx(expected(generator_model), rel=0.03)


def test_a_text_is_as_likely_whatever_else_is_asked_with_it(
    scorer: TextScorer,
) -> None:
    together = scorer.log_likelihoods(TEXTS, after=AFTER)
    alone = [scorer.log_likelihoods([text], after=AFTER)[0] for text in TEXTS]

    assert together == pytest.approx(alone, rel=0.03)
    assert scorer.log_likelihoods(TEXTS, after=AFTER) == together
    assert scorer.log_likelihoods(TEXTS, after="Rain") != together


def test_what_does_not_fit_the_model_is_refused(scorer: TextScorer) -> None:
    with pytest.raises(GenerationError, match="do not fit"):
        scorer.log_likelihoods([" stone"], after="the tower " * 5_000)
