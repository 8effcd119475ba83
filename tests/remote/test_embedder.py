"""An embedder behind an endpoint: its vectors, its knowledge base, its failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.core.errors import ModelLoadError, StoreError
from groundtune.recipes.ingest import ingest, open_embedding_model
from groundtune.recipes.search import search
from groundtune.retrieve.remote_embed import RemoteEmbedder, open_remote_embedder
from groundtune.store.remote.client import EndpointClient
from groundtune.store.remote.estimate import EstimatedTokenizer
from groundtune.store.remote.failures import EndpointError, EndpointRefusalError
from groundtune.store.remote.pace import Clock
from groundtune.store.remote.settings import open_remote_model

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {
    "moon.md": "# Moon\n\nNeil Armstrong was the first person to walk on the Moon.\n",
    "bread.txt": "Bread is made from flour and yeast, and baked at 230 degrees.\n",
}


def quick(endpoint: Any, query: str = "") -> RemoteEmbedder:
    """An embedder that does not really wait between attempts."""
    client = EndpointClient(
        open_remote_model(endpoint.spec(query)), clock=Clock(sleep=lambda _: None)
    )
    return RemoteEmbedder(client, EstimatedTokenizer(4))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return folder


def test_vectors_have_length_one_and_the_order_of_the_texts(endpoint: Any) -> None:
    embedder = open_embedding_model(endpoint.spec("batch=3&concurrency=2"))
    texts = [f"text {'e' * n}" for n in range(8)]

    vectors_T_D = embedder.encode(texts)

    assert vectors_T_D.shape == (8, embedder.dim) == (8, 12)
    assert vectors_T_D.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors_T_D, axis=1), 1, atol=1e-6)
    for text, vector_D in zip(texts, vectors_T_D, strict=True):
        assert np.allclose(vector_D, embedder.encode([text])[0])
    sizes = sorted(len(body["input"]) for body in endpoint.asked)
    assert sizes == [1] * 8 + [2, 3, 3], "batches; and nobody asks for the dimension"
    assert endpoint.most_at_once <= 2
    assert embedder.encode([]).shape == (0, 12)
    assert embedder.name == endpoint.spec()


def test_the_dimension_is_asked_for_once_or_stated(endpoint: Any) -> None:
    learned, stated = quick(endpoint), quick(endpoint, "dimensions=12")

    assert learned.dim == learned.dim == 12
    assert len(endpoint.asked) == 1
    assert stated.dim == 12
    assert len(endpoint.asked) == 1
    assert stated.name == f"{endpoint.spec()}@12"
    stated.encode(["a"])
    assert endpoint.asked[-1]["dimensions"] == 12


def test_texts_are_cut_where_the_model_ends(endpoint: Any) -> None:
    embedder = quick(endpoint, "context=20")

    embedder.encode(["word " * 100, "", "short"])

    long, empty, short = endpoint.asked[0]["input"]
    assert 20 < len(long) <= 100
    assert (empty, short) == (" ", "short")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "0 vectors for 1 texts"),
        ([{"index": 3, "embedding": [1.0]}], "1 vectors for 1 texts"),
        ([{"index": 0, "embedding": [0.0, 0.0]}], "without a direction"),
        ([{"index": 0, "embedding": [1.0, float("nan")]}], "without a direction"),
        ([{"index": 0, "embedding": "AAAA"}], "vectors that are none"),
        ([{"index": 0, "embedding": []}], "vectors that are none"),
        ([{"index": [], "embedding": [1.0]}], "1 vectors for 1 texts"),
        ("none", "0 vectors for 1 texts"),
        (None, "0 vectors for 1 texts"),
    ],
)
def test_what_are_no_vectors_is_reported(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch, data: object, problem: str
) -> None:
    from groundtune.retrieve import remote_embed

    real = remote_embed.only_event

    def changed(events: Any) -> dict[str, Any]:
        return {**real(events), "data": json.loads(json.dumps(data))}

    monkeypatch.setattr(remote_embed, "only_event", changed)

    with pytest.raises(EndpointError, match=problem):
        quick(endpoint).encode(["one"])
    assert len(endpoint.asked) == 4, "it may pass, so it is tried again"


def test_failures_are_tried_again_and_reported(endpoint: Any) -> None:
    endpoint.troubles = ["429", "html", "nothing"]
    assert quick(endpoint).encode(["one"]).shape == (1, 12)

    endpoint.troubles = ["500"] * 99
    with pytest.raises(EndpointError, match="answered 500"):
        quick(endpoint, "batch=1").encode(["one", "two", "three", "four"])

    endpoint.troubles = []
    endpoint.refuses = ("encoding_format",)
    assert quick(endpoint).encode(["one"]).shape == (1, 12)
    endpoint.model = "another"
    with pytest.raises(EndpointRefusalError, match="'another' answered"):
        open_remote_embedder(f"{endpoint.url}#big").encode(["one"])


def test_vectors_of_another_length_are_refused(endpoint: Any) -> None:
    embedder = quick(endpoint, "dimensions=7")

    with pytest.raises(ModelLoadError, match="12 dimensions, and had 7"):
        embedder.encode(["one"])


def test_a_knowledge_base_belongs_to_its_embedder(
    endpoint: Any, documents: Path, tmp_path: Path
) -> None:
    kb = tmp_path / "kb"

    report = ingest([documents], kb=kb, model=endpoint.spec())

    assert report.added == 2
    stamp = json.loads((kb / "kb.json").read_text())
    assert (stamp["embedder"], stamp["dim"]) == (endpoint.spec(), 12)
    hits = search("first person on the Moon", kb=kb, k=1, model=endpoint.spec())
    assert hits[0].passage.document == "moon.md"
    endpoint.model = "other"
    with pytest.raises(StoreError, match="made by the embedder") as caught:
        search("Moon", kb=kb, k=1, model=endpoint.spec())
    assert f"--embedder {endpoint.spec()}" in caught.value.fix
    endpoint.model = "big"
    assert ingest([documents], kb=kb, model=endpoint.spec()).unchanged == 2


def test_an_outage_leaves_the_knowledge_base_as_it_was(
    endpoint: Any, documents: Path, tmp_path: Path
) -> None:
    kb, spec = tmp_path / "kb", endpoint.spec("attempts=1")
    ingest([documents], kb=kb, model=spec)
    (documents / "bread.txt").write_text("Bread is made of rye.\n")
    endpoint.troubles = ["500"] * 50

    with pytest.raises(EndpointError, match="answered 500"):
        ingest([documents], kb=kb, model=spec)

    endpoint.troubles = []
    hits = search("What is bread made from?", kb=kb, k=1, model=spec)
    assert hits[0].passage.text.strip() == DOCUMENTS["bread.txt"].strip()
    assert ingest([documents], kb=kb, model=spec).updated == 1
