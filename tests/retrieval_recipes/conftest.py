"""A BEIR collection, cases, an embedder of words, and one that can be trained."""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.values import Span
from groundtune.store.models import ModelFolder, open_model, write_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

PLACES = [
    "harbour",
    "mill",
    "forge",
    "library",
    "orchard",
    "quarry",
    "tannery",
    "chapel",
]
PEOPLE = [
    "Anselm",
    "Brida",
    "Corvin",
    "Delphine",
    "Edda",
    "Falk",
    "Greta",
    "Hanno",
    "Ilse",
    "Jorun",
]
NUMBER = len(PLACES) * len(PEOPLE)


class WordTokenizer:
    """Words and marks as tokens."""

    def encode(self, text: str) -> list[int]:
        return [zlib.crc32(text[a:b].lower().encode()) for a, b in self.offsets(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def offsets(self, text: str) -> list[Span]:
        return [Span(*found.span()) for found in re.finditer(r"\w+|[^\w\s]", text)]


class WordEmbedder:
    """Adds up a fixed direction for each word. Counts what it embeds."""

    name = "words@0"
    dim = 48
    max_tokens = 256

    def __init__(self) -> None:
        self.tokenizer = WordTokenizer()
        self.embedded = 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.embedded += len(texts)
        rows = np.zeros((len(texts), self.dim), np.float32)
        for number, text in enumerate(texts):
            # Lower case to its first four letters: other errors than BM25 makes.
            words = {word[:4] for word in re.findall(r"\w+", text.lower())}
            total = sum(
                np.random.default_rng(zlib.crc32(word.encode())).standard_normal(
                    self.dim
                )
                for word in sorted(words) or ["nothing"]
            )
            rows[number] = total / np.linalg.norm(total)
        return rows


@pytest.fixture
def words() -> WordEmbedder:
    return WordEmbedder()


def texts() -> list[tuple[str, str, str]]:
    """Title, text and question of each document."""
    found: list[tuple[str, str, str]] = []
    for number in range(NUMBER):
        person = PEOPLE[number % len(PEOPLE)]
        place = PLACES[number // len(PEOPLE)]
        year = 1700 + 3 * number
        found.append(
            (
                f"{person} at the {place}",
                f"{person} kept the {place} for many years and wrote it all down. "
                f"The {place} was rebuilt in {year} after a long and hard winter. "
                "Nobody in the valley remembers who paid for the stones.",
                f"When was the {place} of {person} rebuilt?",
            )
        )
    return found


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A question on each of 44 documents; half train and half test."""
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    corpus: list[str] = []
    queries: list[str] = []
    qrels: dict[str, list[str]] = {"train": [], "test": []}
    for number, (title, text, question) in enumerate(texts()[:44]):
        corpus.append(json.dumps({"_id": f"d{number}", "title": title, "text": text}))
        queries.append(json.dumps({"_id": f"q{number}", "text": question}))
        side = "test" if number % 2 else "train"
        qrels[side].append(f"q{number}\td{number}\t1")
    (folder / "corpus.jsonl").write_text("\n".join(corpus))
    (folder / "queries.jsonl").write_text("\n".join(queries))
    for side, lines in qrels.items():
        file = folder / "qrels" / f"{side}.tsv"
        file.write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return folder


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of documents, and a file of cases on them."""
    folder = tmp_path / "docs"
    folder.mkdir()
    cases: list[str] = []
    for number, (title, text, question) in enumerate(texts()):
        (folder / f"{number}.txt").write_text(f"{title}\n\n{text}")
        case = {"id": f"c{number}", "question": question, "source": f"{number}.txt"}
        cases.append(json.dumps({**case, "answers": [str(1700 + 3 * number)]}))
    (tmp_path / "cases.jsonl").write_text("\n".join(cases))
    return folder, tmp_path / "cases.jsonl"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A two-layer BERT with random weights and a word tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    for title, text, question in texts():
        found = re.findall(r"\w+|[^\w\s]", f"{title} {text} {question}".lower())
        vocabulary.extend(found)
    ids = {word: number for number, word in enumerate(dict.fromkeys(vocabulary))}
    config = BertConfig(
        vocab_size=len(ids),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    special = [
        {
            "id": number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, content in enumerate(vocabulary[:4])
    ]
    raw = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "\\w+|[^\\w\\s]"},
            "behavior": "Removed",
            "invert": True,
        },
        "post_processor": {
            "type": "BertProcessing",
            "sep": ["[SEP]", 3],
            "cls": ["[CLS]", 2],
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": ids, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    write_manifest(folder, name="tiny", kind="embedder", licence="Apache-2.0")
    return open_model(str(folder), kind="embedder", offline=True)
