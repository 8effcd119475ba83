"""Real models of the defaults' architectures, small enough to train in a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from groundtune.store.models import ModelFolder, open_model, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = (
    "answer the question in a few words taken from passages if do not hold say "
    "documents who built tower where is bridge stone river oak hill wren alder mira "
    "tolm old new north 1 2 3 4 [ ] : . , ? Question Answer Not Who built Where"
)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A four-layer Llama with random weights and a word tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    _write_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,  # logits of a random model are else all alike
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    torch.manual_seed(3)
    model = LlamaForCausalLM(config).half()
    model.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    write_manifest(folder, name="tiny", kind="generator", licence="Apache-2.0")
    return open_model(str(folder), kind="generator", offline=True)


def _write_tokenizer(folder: Path) -> None:
    specials = ["<unk>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {
        word: number
        for number, word in enumerate(dict.fromkeys([*specials, *WORDS.split(), "\n"]))
    }
    raw = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, content in enumerate(specials)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "\\w+|\\n|[^\\w\\s]"},
            "behavior": "Removed",
            "invert": True,
        },
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(raw))
