from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.core.errors import ModelLoadError
from groundtune.retrieve.embed import open_embedder
from groundtune.store.models import ModelFolder, open_model

if TYPE_CHECKING:
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    from groundtune.retrieve.embed import OpenVinoEmbedder

TEXTS = [
    "Who built the bridge of Tolm?",
    "The bridge of Tolm was built by Mira Alder in the year of two moons. " * 3,
    "a",
    "",
    "Ünïcode, 文書 and \N{ROCKET} stay texts.",
    "one long text " * 200,
    "Tides are two hours later each day.",
]


@pytest.fixture(scope="module")
def folder() -> ModelFolder:
    return open_model("all-minilm-l6-v2", kind="embedder")


@pytest.fixture(scope="module")
def reference(folder: ModelFolder) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder.path), device="cpu")


def copied(folder: ModelFolder, to: Path) -> ModelFolder:
    shutil.copytree(folder.path, to)
    return replace(folder, path=to, weights=to / folder.weights.name)


def test_agrees_with_sentence_transformers(
    folder: ModelFolder, minilm: OpenVinoEmbedder, reference: SentenceTransformer
) -> None:
    expected = reference.encode(TEXTS, normalize_embeddings=True)

    cosines = (minilm.encode(TEXTS) * expected).sum(axis=1)
    full = open_embedder(folder, precision="f32").encode(TEXTS)

    assert minilm.precision == "int8"
    assert cosines.min() > 0.99
    assert np.median(cosines) > 0.998
    np.testing.assert_allclose(full, expected, atol=1e-5)


def test_rows_are_unit_vectors_in_the_order_given(minilm: OpenVinoEmbedder) -> None:
    vectors = minilm.encode(TEXTS)

    assert vectors.shape == (len(TEXTS), minilm.dim) == (7, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert minilm.encode([]).shape == (0, 384)


def test_a_row_does_not_depend_on_its_neighbours(minilm: OpenVinoEmbedder) -> None:
    together = minilm.encode(TEXTS)

    np.testing.assert_array_equal(minilm.encode(TEXTS[::-1])[::-1], together)
    for row, text in enumerate(TEXTS):
        np.testing.assert_array_equal(minilm.encode([text])[0], together[row])


def test_two_processes_give_the_same_bytes(minilm: OpenVinoEmbedder) -> None:
    code = (
        "import sys, json, hashlib\n"
        "from groundtune.retrieve.embed import open_embedder\n"
        "from groundtune.store.models import open_model\n"
        "e = open_embedder(open_model('all-minilm-l6-v2', kind='embedder'))\n"
        "v = e.encode(json.loads(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
        "print(hashlib.sha256(v.tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        check=True,
    )

    expected = hashlib.sha256(minilm.encode(TEXTS).tobytes()).hexdigest()
    assert done.stdout.strip() == expected


def test_precision_can_be_asked_for(
    folder: ModelFolder, minilm: OpenVinoEmbedder
) -> None:
    exact = open_embedder(folder, precision="f32")

    assert exact.precision == "f32"
    assert exact.name == minilm.name.removesuffix("-int8") != minilm.name
    small = open_model("all-minilm-l6-v2-int8", kind="embedder")
    with pytest.raises(ModelLoadError, match="export stay as they are"):
        open_embedder(small, precision="int8")


def test_no_length_is_embedded_worse_than_others(
    folder: ModelFolder, minilm: OpenVinoEmbedder, reference: SentenceTransformer
) -> None:
    exact = open_embedder(folder, precision="f32")
    texts = [" ".join(["moon"] * count) for count in range(1, 20)]
    expected = reference.encode(texts, batch_size=1, normalize_embeddings=True)

    np.testing.assert_allclose(exact.encode(texts), expected, atol=1e-5)
    assert (minilm.encode(texts) * expected).sum(axis=1).min() > 0.99


def test_text_past_the_limit_is_not_seen(minilm: OpenVinoEmbedder) -> None:
    assert minilm.max_tokens == 256
    long = "word " * 254

    np.testing.assert_array_equal(
        minilm.encode([long + "moon"]), minilm.encode([long + "river"])
    )


def test_name_says_model_and_weights(minilm: OpenVinoEmbedder) -> None:
    assert minilm.name == "all-minilm-l6-v2@53aa5117-int8"
    assert minilm.tokenizer.encode("the moon") == [1996, 4231]


def test_onnx_model_embeds_alike(minilm: OpenVinoEmbedder) -> None:
    small = open_embedder(open_model("all-minilm-l6-v2-int8", kind="embedder"))

    cosines = (small.encode(TEXTS) * minilm.encode(TEXTS)).sum(axis=1)

    assert small.dim == 384
    assert small.name.startswith("all-minilm-l6-v2-int8@")
    assert cosines.min() > 0.97


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model_type": "mpnet"}, "model_type is 'mpnet'"),
        ({"hidden_act": "silu"}, "silu"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"num_hidden_layers": 7}, "no 'encoder.layer.6"),
    ],
)
def test_model_of_another_make_is_refused(
    folder: ModelFolder, change: dict[str, object], problem: str
) -> None:
    other = replace(folder, config={**folder.config, **change})

    with pytest.raises(ModelLoadError, match=problem):
        open_embedder(other)


def test_damaged_weights_are_one_clear_error(
    folder: ModelFolder, tmp_path: Path
) -> None:
    broken = copied(folder, tmp_path / "model")
    broken.weights.write_bytes(broken.weights.read_bytes()[:1000])

    with pytest.raises(ModelLoadError, match="not a readable safetensors"):
        open_embedder(broken)


def test_unknown_pooling_is_refused_and_cls_is_known(
    folder: ModelFolder, tmp_path: Path
) -> None:
    other = copied(folder, tmp_path / "model")
    config = other.path / "1_Pooling" / "config.json"

    config.write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(ModelLoadError, match="pooling by max"):
        open_embedder(other)

    config.write_text('{"pooling_mode_cls_token": true}')
    first = open_embedder(other).encode(TEXTS[:1])
    assert first.shape == (1, 384)
