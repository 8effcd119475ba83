"""Fixtures that every room's tests share."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets; a test that needs one skips where it is absent."""
    named = os.environ.get("GROUNDTUNE_DATA")  # noqa: TID251 (the tests' own edge)
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no public data sets: set GROUNDTUNE_DATA to their folder")
    return folder


BERT_WORDS = (
    "the a card arrived lost my is not late paid where who anna bert oslo rome in of"
)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A BERT of three layers with random weights, whose texts are means of tokens."""
    return _make_encoder(tmp_path_factory.mktemp("tiny-bert"), pools=True)


@pytest.fixture(scope="session")
def tiny_bert_first(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The same, whose first token stands for the text, as BERT was published."""
    return _make_encoder(tmp_path_factory.mktemp("tiny-bert-first"), pools=False)


def _make_encoder(folder: Path, *, pools: bool) -> ModelFolder:
    """Write the encoder; one that `pools` says that texts are means of their tokens."""
    import torch
    from transformers import BertConfig, BertModel

    from groundtune.store.models import open_model, write_manifest

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = [*specials, *BERT_WORDS.split()]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=40,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        BertModel(config).save_pretrained(folder)
    added: list[dict[str, Any]] = [
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
    ]
    raw = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "vocab": {word: number for number, word in enumerate(words)},
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 50,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    if pools:
        (folder / "1_Pooling").mkdir()
        pooling = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    write_manifest(folder, name="tiny-bert", kind="embedder", licence="MIT")
    return open_model(str(folder), kind="embedder", offline=True)


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

    from groundtune.store.models import open_model, write_manifest

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
