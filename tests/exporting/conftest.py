"""Small models of random weights, as `tune` leaves them: adapter, weights, rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.encoder import EncoderSettings
from groundtune.config.training import TrainSettings
from groundtune.store.models import ModelFolder, open_model, write_manifest
from groundtune.tune.dataset import Example, Turn, pack_examples
from groundtune.tune.encoder.dataset import TextCutter, text_items, word_items
from groundtune.tune.encoder.export import write_label_model
from groundtune.tune.encoder.modify import apply_strategy
from groundtune.tune.encoder.pretrained import open_label_model
from groundtune.tune.export import write_model
from groundtune.tune.exports.prompts import held_out_prompts
from groundtune.tune.modify import add_adapter
from groundtune.tune.pretrained import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPOKEN = "the a card arrived lost my is not late paid where who anna oslo rome in"
WORDS = SPOKEN.split()
ROWS = 50
LABELS = {"text": ("late", "lost", "paid"), "tokens": ("O", "B-place", "I-place")}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def disturb(module: Any, *, spread: float) -> None:
    """Give an adapter weights that do something: untrained it is 0."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "lora_" in name:
                weight.normal_(0.0, spread, generator=generator)


@pytest.fixture
def classifier(tiny_bert: ModelFolder, tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a label model with held-out rows."""

    def make(rows_of: str = "text", *, strategy: str = "lora") -> Path:
        rng = np.random.default_rng(4)
        sentences = [
            [str(word) for word in rng.choice(WORDS, int(rng.integers(2, 12)))]
            for _ in range(ROWS)
        ]
        is_words, labels = rows_of == "tokens", LABELS[rows_of]
        model = open_label_model(
            tiny_bert, labels, is_words=is_words, dropout=0.0, seed=0
        )
        settings: Any = EncoderSettings(strategy=strategy, rank=4)  # type: ignore[arg-type]
        apply_strategy(model, settings, seed=0)
        disturb(model.bert, spread=0.2)
        with torch.no_grad():
            model.head["classifier"].weight.mul_(15)
        cutter = TextCutter(tiny_bert.path, max_tokens=24)
        texts: list[Any] = sentences if is_words else [" ".join(s) for s in sentences]
        items = (
            word_items(texts, [[0] * len(s) for s in texts], cutter=cutter)
            if is_words
            else text_items(texts, [0] * ROWS, cutter=cutter)[0]
        )
        lines = [
            json.dumps(
                {
                    "id": str(number),
                    rows_of: value,
                    "gold": [labels[0]] * (len(value) if is_words else 1),
                }
            )
            for number, value in enumerate(texts)
        ]
        out = tmp_path / f"{rows_of}-{strategy}"
        write_label_model(
            model,
            tiny_bert,
            out,
            compared=items,
            temperature=1.5,
            record={
                "task": "ner" if is_words else "classification",
                "template": {"max_tokens": 24},
            },
            files={"evaluation/test.jsonl": "".join(f"{line}\n" for line in lines)},
        )
        return out

    return make


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with a byte-level tokenizer, tuned by an adapter."""
    folder = tmp_path_factory.mktemp("llama")
    base = _write_llama_base(folder / "base")
    model = load(base, dtype=torch.float32)
    model = add_adapter(model, TrainSettings(rank=4, frozen_share=0.5), seed=0)
    disturb(model, spread=0.1)
    tokenizer = base.tokenizer()
    rng = np.random.default_rng(4)
    head = tuple(tokenizer.encode("<|im_start|>user\n"))
    turns = tuple(
        Turn(
            tuple(tokenizer.encode(f"{' '.join(rng.choice(WORDS, 6))} {n}?<|im_end|>")),
            (2,),
        )
        for n in range(ROWS)
    )
    packs = pack_examples([Example(head, turns)], pack_tokens=1000).packs
    write_model(
        model,
        base,
        folder / "tuned",
        name="tuned",
        record={"task": "qa"},
        files=held_out_prompts(packs, tokenizer),
    )
    return folder / "tuned"


def _write_llama_base(folder: Path) -> ModelFolder:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("c", "a"), ("ca", "r"), ("car", "d"), ("l", "o"), ("lo", "s"), ("t", "h")]
    joined = ["".join(pair) for pair in pairs]
    names = [*specials, *letters, *joined]
    inner = models.BPE({name: number for number, name in enumerate(names)}, pairs)
    tokenizer = Tokenizer(inner)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(s, normalized=False) for s in specials])
    config = LlamaConfig(
        vocab_size=len(names),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        LlamaForCausalLM(config).half().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    write_manifest(folder, name="tiny", kind="generator", licence="Apache-2.0")
    return open_model(str(folder), kind="generator", offline=True)
