"""Cross-encoders. No trained one ships in a wheel, so these have random weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.errors import ModelLoadError
from groundtune.core.values import Document, Passage
from groundtune.retrieve.rerank import open_cross_encoder
from groundtune.retrieve.search import HybridRetriever

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Embedder
    from groundtune.retrieve.index import KnowledgeBase

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *["the", "red", "ferry", "leaves", "at", "noon", "a", "map"],
]
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS),
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "num_labels": 1,
    "id2label": {"0": "LABEL_0"},
}


def random_weights(labels: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    wide, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (len(WORDS), wide),
        "bert.embeddings.position_embeddings.weight": (40, wide),
        "bert.embeddings.token_type_embeddings.weight": (2, wide),
        "bert.pooler.dense.weight": (wide, wide),
        "bert.pooler.dense.bias": (wide,),
        "classifier.weight": (labels, wide),
        "classifier.bias": (labels,),
    }
    norms = ["bert.embeddings.LayerNorm"]
    for number in range(CONFIG["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{number}"
        for part in ("query", "key", "value"):
            shapes[f"{layer}.attention.self.{part}.weight"] = (wide, wide)
            shapes[f"{layer}.attention.self.{part}.bias"] = (wide,)
        shapes[f"{layer}.attention.output.dense.weight"] = (wide, wide)
        shapes[f"{layer}.attention.output.dense.bias"] = (wide,)
        shapes[f"{layer}.intermediate.dense.weight"] = (inner, wide)
        shapes[f"{layer}.intermediate.dense.bias"] = (inner,)
        shapes[f"{layer}.output.dense.weight"] = (wide, inner)
        shapes[f"{layer}.output.dense.bias"] = (wide,)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    weights = {
        name: (rng.standard_normal(shape) * 0.4).astype(np.float32)
        for name, shape in shapes.items()
    }
    for name in norms:
        weights[f"{name}.weight"] = np.ones(wide, np.float32)
        weights[f"{name}.bias"] = np.zeros(wide, np.float32)
    return weights


def make_folder(path: Path, *, labels: int = 1) -> Path:
    path.mkdir()
    save_file(random_weights(labels), path / "model.safetensors", {"format": "pt"})
    (path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    tokenizer = Tokenizer(
        WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(path / "tokenizer.json"))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "cross")


TEXTS = ["the red ferry", "a map", "the ferry leaves at noon " * 20, ""]


def test_a_score_does_not_depend_on_what_else_is_scored(folder: Path) -> None:
    cross = open_cross_encoder(str(folder))
    query = "ferry at noon"

    together = cross.logits(query, TEXTS)

    assert together == [cross.logits(query, [text])[0] for text in TEXTS]
    assert len(set(together)) == len(TEXTS)
    passages = [
        Passage(id=str(n), document="d", start=0, end=len(text), text=text)
        for n, text in enumerate(TEXTS)
    ]
    scores = cross.score(query, passages)
    assert all(0 < score < 1 for score in scores)
    assert np.argsort(scores).tolist() == np.argsort(together).tolist()
    assert cross.score(query, []) == []


def test_hits_come_in_the_order_of_the_cross_encoder(
    kb: KnowledgeBase, embedder: Embedder, folder: Path
) -> None:
    texts = {
        "one": "the red ferry",
        "two": "a map",
        "three": "the ferry leaves at noon",
    }
    kb.update(
        [Document(id=name, text=text) for name, text in texts.items()],
        delete_missing=False,
    )
    settings = RetrievalSettings(rerank=str(folder))

    hits = HybridRetriever(kb, embedder, settings).search("ferry", k=3)

    logits = open_cross_encoder(str(folder)).logits("ferry", list(texts.values()))
    by_name = dict(zip(texts, logits, strict=True))
    assert [h.passage.document for h in hits] == sorted(
        by_name, key=lambda name: -by_name[name]
    )
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_a_model_that_cannot_rerank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="3 classes"):
        open_cross_encoder(str(make_folder(tmp_path / "three", labels=3)))
    plain = make_folder(tmp_path / "plain")
    weights = {n: w for n, w in random_weights().items() if "classifier" not in n}
    save_file(weights, plain / "model.safetensors")
    with pytest.raises(ModelLoadError, match="no classification head"):
        open_cross_encoder(str(plain))


@pytest.mark.slow
def test_logits_equal_those_of_transformers(folder: Path) -> None:
    import torch
    from transformers import BertForSequenceClassification

    reference = BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(40, strategy="longest_first")
    expected: list[float] = []
    for text in TEXTS:
        pair = tokenizer.encode("ferry at noon", text)
        with torch.no_grad():
            output: Any = reference(
                input_ids=torch.tensor([pair.ids]),
                token_type_ids=torch.tensor([pair.type_ids]),
            )
        expected.append(float(output.logits[0, 0]))

    found = open_cross_encoder(str(folder), precision="f32").logits(
        "ferry at noon", TEXTS
    )

    assert found == pytest.approx(expected, abs=1e-4)
