"""Training an embedder: it learns, goes on where it was, and opens in service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from groundtune.config.embedding import EmbedderSettings
from groundtune.core.errors import ConfigError, ModelLoadError
from groundtune.store.models import ModelFolder, open_model
from groundtune.tune import embedder, loop
from groundtune.tune.embedder import EmbedderTrainer, Encoder, train_embedder
from groundtune.tune.pairs import Pair, Pool

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = EmbedderSettings(
    learning_rate=2e-3, batch_pairs=8, epochs=4, evaluations=4, max_tokens=64
)
WORDS = [
    "harbour",
    "mill",
    "forge",
    "library",
    "orchard",
    "quarry",
    "tannery",
    "chapel",
]
PAIRS = [
    Pair(
        query=f"when was the {word} rebuilt?",
        positive=f"the {word} was rebuilt after a hard winter",
        negatives=(f"nobody kept the {other}", "nobody remembers"),
    )
    for word, other in zip(WORDS, WORDS[::-1], strict=True)
]
POOLS = [
    Pool(
        query=pair.query,
        right=(pair.positive,),
        wrong=tuple(other.positive for other in PAIRS if other is not pair),
    )
    for pair in PAIRS
]


@pytest.mark.slow
def test_it_learns_and_opens_in_service(
    tiny_encoder: ModelFolder, tmp_path: Path
) -> None:
    from groundtune.retrieve.embed import open_embedder

    out = tmp_path / "tuned"
    record = train_embedder(
        tiny_encoder, PAIRS, pools=POOLS, settings=SETTINGS, out=out, seed=0
    )

    losses = record["training"]["losses"]
    assert losses[-1] < 0.7 * losses[0]
    ranks = [rank for _, rank in record["training"]["reciprocal_rank"]]
    assert max(ranks) > ranks[0]
    folder = open_model(str(out), kind="embedder", offline=True)
    assert (folder.name, folder.licence) == ("tiny-tuned", "Apache-2.0")
    assert folder.weights_sha256 != tiny_encoder.weights_sha256
    served = open_embedder(folder, precision="f32")
    queries = served.encode([pair.query for pair in PAIRS])
    right = served.encode([pair.positive for pair in PAIRS])
    assert (queries @ right.T).argmax(axis=1).tolist() == list(range(len(PAIRS)))
    assert [path.name for path in tmp_path.iterdir()] == ["tuned"]


@pytest.mark.slow
def test_service_embeds_as_training_did(tiny_encoder: ModelFolder) -> None:
    import torch

    from groundtune.retrieve.embed import open_embedder

    encoder = Encoder(tiny_encoder, SETTINGS)
    encoder.dtype = torch.float32
    texts = ["the mill", "nobody remembers who paid for the stones", "harbour"]
    with torch.no_grad():
        trained = encoder(texts).numpy()

    served = open_embedder(tiny_encoder, precision="f32").encode(texts)
    assert np.allclose(trained, served, atol=1e-4)


@pytest.mark.slow
def test_interrupted_it_ends_in_the_same_weights(
    tiny_encoder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def run(out: Path) -> dict[str, Any]:
        return train_embedder(
            tiny_encoder, PAIRS, pools=POOLS, settings=SETTINGS, out=out, seed=0
        )

    # Which precision is faster is timed, and on a busy machine the answer may change.
    def exact(_: torch.device) -> torch.dtype:
        return torch.float32

    monkeypatch.setattr(embedder, "choose_dtype", exact)
    run(tmp_path / "whole")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", float("inf"))
    backward = EmbedderTrainer.backward

    def stop_at_the_third(trainer: Any, step: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return backward(trainer, step)

    monkeypatch.setattr(EmbedderTrainer, "backward", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts")
    monkeypatch.setattr(EmbedderTrainer, "backward", backward)
    done = run(tmp_path / "parts")

    assert done["training"]["steps"] == 4
    weights = [
        (tmp_path / name / "model.safetensors").read_bytes()
        for name in ("whole", "parts")
    ]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_what_is_done_is_not_done_again(
    tiny_encoder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {"pools": POOLS, "out": tmp_path / "m", "seed": 0}
    short = replace(SETTINGS, epochs=1)
    first = train_embedder(tiny_encoder, PAIRS, settings=short, **arguments)

    def fail(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(EmbedderTrainer, "backward", fail)
    assert train_embedder(tiny_encoder, PAIRS, settings=short, **arguments) == first


def test_another_right_passage_is_not_pushed_away(tiny_encoder: ModelFolder) -> None:
    twin = replace(PAIRS[0], positive="the harbour stands again since the winter")
    pairs = [
        replace(PAIRS[0], also_right=(twin.positive,), negatives=()),
        replace(twin, also_right=(PAIRS[0].positive,), negatives=()),
    ]
    trainer = EmbedderTrainer(tiny_encoder, pairs, [], replace(SETTINGS, epochs=1), 0)

    # Each is right for the other's question: nothing is left to tell apart.
    assert trainer.backward(0).loss == pytest.approx(0.0, abs=1e-6)


def test_an_onnx_export_is_refused(tiny_encoder: ModelFolder, tmp_path: Path) -> None:
    export = replace(tiny_encoder, weights=tmp_path / "model.onnx")

    with pytest.raises(ModelLoadError, match="ONNX"):
        train_embedder(
            export, PAIRS, pools=[], settings=SETTINGS, out=tmp_path / "m", seed=0
        )


@pytest.mark.parametrize(
    "change", [{"learning_rate": 0.0}, {"batch_pairs": 1}, {"temperature": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"embedder.{next(iter(change))}"):
        EmbedderSettings(**change)
