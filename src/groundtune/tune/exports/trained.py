"""What a trained model says, by transformers in float32: what exports are held to.

The same is asked of folders that transformers or peft open. A generator is asked for
its first choice of each next token and the share of certainty that it gives it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.tune.encoder.dataset import collate
from groundtune.tune.pretrained import peft_quietly, require_tune_extra

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from groundtune.core.protocols import Progress
    from groundtune.tune.encoder.dataset import Item

    Floats = npt.NDArray[np.float32]

LABEL = "trained model"


class Answer(NamedTuple):
    """Tokens chosen one after another, each the likeliest."""

    tokens: tuple[int, ...]
    """With the end token, where it came."""
    shares: tuple[float, ...]
    """Probability of each when it was chosen; NaN where a program does not tell."""


class Peft(NamedTuple):
    """An adapter's folder and the base that it stands on."""

    folder: Path
    base: Path


def label_logits(
    opened: Path | Peft, items: Sequence[Item], *, is_words: bool
) -> list[Floats]:
    """Logits of each item, `(S, L)` each, one item at a time.

    Args:
        opened: A merged folder, or an adapter with its base.
        items: Texts or sentences as tokens.
        is_words: Whether words are labelled.
    """
    require_tune_extra()
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    kind: Any = (
        AutoModelForTokenClassification
        if is_words
        else AutoModelForSequenceClassification
    )
    with _quietly():
        if isinstance(opened, Peft):
            config = AutoConfig.from_pretrained(opened.folder, local_files_only=True)
            model = _adapted(kind, opened, config=config)
        else:
            model = _load(kind, opened)
    out: list[Floats] = []
    for item in items:
        batch = collate([item])
        with torch.no_grad():
            logits = model(
                input_ids=torch.from_numpy(batch.ids_B_T),
                attention_mask=torch.from_numpy(batch.mask_B_T),
            ).logits
        rows = logits[0, torch.from_numpy(item.places_S)] if is_words else logits
        out.append(rows.float().numpy())
    return out


def greedy_answers(
    opened: Path | Peft,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    ends: frozenset[int],
    progress: Progress,
) -> list[Answer]:
    """The answer to each prompt of tokens.

    Args:
        opened: A merged folder, or an adapter with its base.
        prompts: As tokens.
        max_tokens: Of an answer.
        ends: Tokens that end one.
        progress: Told how many prompts are done.
    """
    require_tune_extra()
    from transformers import AutoModelForCausalLM

    with _quietly():
        if isinstance(opened, Peft):
            model = _adapted(AutoModelForCausalLM, opened)
        else:
            model = _load(AutoModelForCausalLM, opened)
    answers: list[Answer] = []
    for number, prompt in enumerate(prompts):
        progress(f"asking the {LABEL}", number, len(prompts))
        answers.append(_answer(model, prompt, max_tokens=max_tokens, ends=ends))
    return answers


def _answer(
    model: Any,  # noqa: ANN401 (transformers gives no useful type)
    prompt: Sequence[int],
    *,
    max_tokens: int,
    ends: frozenset[int],
) -> Answer:
    import torch

    tokens: list[int] = []
    shares: list[float] = []
    ids, past = torch.tensor([list(prompt)]), None
    with torch.inference_mode():
        while len(tokens) < max_tokens and not ends & set(tokens[-1:]):
            out = model(input_ids=ids, past_key_values=past, use_cache=True)
            share = torch.softmax(out.logits[0, -1].double(), dim=-1)
            best = int(share.argmax())
            tokens.append(best)
            shares.append(float(share[best]))
            ids, past = torch.tensor([[best]]), out.past_key_values
    return Answer(tuple(tokens), tuple(shares))


def same_tokens(folder: Path, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
    """How many texts the tokenizer that transformers opens cuts into these ids."""
    from transformers import AutoTokenizer

    with _quietly():
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found = (tokenizer.encode(text, add_special_tokens=False) for text in texts)
    return sum(ours == theirs for ours, theirs in zip(ids, found, strict=True))


def _load(kind: Any, folder: Path, **more: object) -> Any:  # noqa: ANN401
    import torch

    return kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        **more,
    ).eval()


def _adapted(kind: Any, opened: Peft, **more: object) -> Any:  # noqa: ANN401
    from peft import PeftModel

    base = _load(kind, opened.base, **more)
    return PeftModel.from_pretrained(base, str(opened.folder)).eval()


@contextmanager
def _quietly() -> Generator[None]:
    """Without bars, and without words on what an adapter brings."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with peft_quietly():
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
