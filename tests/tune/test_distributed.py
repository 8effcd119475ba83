"""Several processes train what one process trains; a lost one is told, and made good.

Ranks are forked here, so that torch need not load again in each; `test_ranks.py` of the
recipes starts them as a person does.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from groundtune.core.errors import ConfigError, GroundtuneError
from groundtune.core.protocols import silent
from groundtune.recipes.tune_labels import tune_encoder
from groundtune.store.files import read_json, write_json
from groundtune.tune import loop
from groundtune.tune.distributed import Team, join, team
from groundtune.tune.encoder.train import LabelTrainer, train_labels
from groundtune.tune.train import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.store.models import ModelFolder

SIZE = 2
encoders: Any
generators: Any
encoders, generators = (
    SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(name))))
    for name in ("test_encoder.py", "test_train.py")
)


def in_ranks(work: Callable[[], None], folder: Path, *, size: int = SIZE) -> list[int]:
    """Exit codes of so many processes that do the work together."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")

    def sit(rank: int) -> None:
        # Threads of the parent are not there after a fork.
        torch.set_num_threads(1)
        os.environ |= {  # noqa: TID251 (what a launcher gives to each rank)
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        }
        join(rank=rank, size=size, meeting=folder / "meeting")
        work()

    ranks = [context.Process(target=sit, args=(rank,)) for rank in range(size)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join(60)
    (folder / "meeting").unlink(missing_ok=True)
    return [one.exitcode if one.exitcode is not None else -1 for one in ranks]


def encoder(base: ModelFolder, folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """Train an encoder; leave its weights and losses in the folder."""
    is_words = changes.pop("is_words", False)
    settings = replace(encoders.calm(), **changes)
    items = encoders.items_of(base, 22, is_words=is_words)
    model = encoders.fresh(base, settings, is_words=is_words)
    trainer = encoders.trainer_of(
        model, items, folder, settings, dev=items[:6], is_cached=True
    )
    state = train_labels(trainer, folder=folder)
    keep(folder, encoders.weights_of(model), state)
    return encoders.weights_of(model)


def generator(base: ModelFolder, folder: Path) -> dict[str, torch.Tensor]:
    """The same for an adapter of a generator."""
    packs = generators.packs_of(generators.facts(6))
    model = generators.fresh(base)
    settings = replace(generators.SETTINGS, epochs=8.0, learning_rate=5e-3)
    done = train(model, packs, dev=packs[:2], settings=settings, folder=folder, seed=1)
    keep(folder, generators.adapter(model), done.state)
    return generators.adapter(model)


def keep(folder: Path, weights: dict[str, torch.Tensor], state: Any) -> None:
    rank = team().rank
    # Some tables are tied, and safetensors takes each once.
    save_file(
        {name: weight.clone() for name, weight in weights.items()},
        folder / f"weights-{rank}.st",
    )
    write_json(folder / f"state-{rank}.json", asdict(state))


def curves(folder: Path, rank: int = 0) -> dict[str, Any]:
    return read_json(folder / f"state-{rank}.json")


def assert_equal_training(alone: Path, shared: Path) -> None:
    """One curve within 1e-4, and one set of weights on all ranks to the bit."""
    one, two = curves(alone), curves(shared)
    assert len(one["train_losses"]) == len(two["train_losses"]) > 4
    np.testing.assert_allclose(one["train_losses"], two["train_losses"], atol=1e-4)
    np.testing.assert_allclose(one["dev_losses"], two["dev_losses"], atol=1e-4)
    assert (one["tokens"], one["best_step"]) == (two["tokens"], two["best_step"])
    first = load_file(shared / "weights-0.st")
    second = load_file(shared / "weights-1.st")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert two["train_losses"] == curves(shared, 1)["train_losses"]


@pytest.mark.parametrize(
    "changes",
    [
        # The last step of an epoch is one text: a rank has none.
        {
            "class_weights": "balanced",
            "label_smoothing": 0.1,
            "unfreeze_epochs": 0.2,
            "batch_items": 7,
        },
        {"frozen_layers": 2},
        pytest.param({"is_words": True}, marks=pytest.mark.slow),
        pytest.param({"strategy": "lora"}, marks=pytest.mark.slow),
    ],
)
def test_two_encoders_have_the_losses_of_one(
    tiny_bert: ModelFolder, tmp_path: Path, changes: dict[str, Any]
) -> None:
    encoder(tiny_bert, tmp_path / "one", **changes)

    codes = in_ranks(
        lambda: void(encoder(tiny_bert, tmp_path / "two", **changes)),
        tmp_path / "two",
    )

    assert codes == [0, 0]
    assert_equal_training(tmp_path / "one", tmp_path / "two")


def test_two_generators_have_the_losses_of_one(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    generator(tiny_model, tmp_path / "one")

    codes = in_ranks(
        lambda: void(generator(tiny_model, tmp_path / "two")), tmp_path / "two"
    )

    assert codes == [0, 0]
    assert_equal_training(tmp_path / "one", tmp_path / "two")


def test_a_shared_training_goes_on_to_the_same_weights(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", float("inf"))
    backward = LabelTrainer.backward

    def stopping(trainer: Any, step: int) -> Any:
        if step == 4 and team().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return backward(trainer, step)

    def work(name: str) -> list[int]:
        folder = tmp_path / name
        return in_ranks(lambda: void(encoder(tiny_bert, folder, dropout=0.1)), folder)

    assert work("straight") == [0, 0]
    monkeypatch.setattr(LabelTrainer, "backward", stopping)
    first, second = work("torn")
    monkeypatch.setattr(LabelTrainer, "backward", backward)

    # The other hears of it where it would have waited.
    assert second == -signal.SIGKILL
    assert first == 1
    assert read_json(tmp_path / "torn" / "state.json")["state"]["step"] == 4
    shutil.copytree(tmp_path / "torn", tmp_path / "alone")
    assert work("torn") == [0, 0]
    torn, straight = curves(tmp_path / "torn"), curves(tmp_path / "straight")
    assert torn["train_losses"] == straight["train_losses"]
    # One process alone goes on with it as well.
    encoder(tiny_bert, tmp_path / "alone", dropout=0.1)
    assert curves(tmp_path / "alone")["train_losses"][:4] == torn["train_losses"][:4]
    expected = load_file(tmp_path / "straight" / "weights-0.st")
    for rank in range(SIZE):
        made = load_file(tmp_path / "torn" / f"weights-{rank}.st")
        assert all(torch.equal(made[name], expected[name]) for name in expected)


def test_a_step_is_dealt_out_whole_and_evenly() -> None:
    sizes = [int(size) for size in np.random.default_rng(0).integers(1, 90, 60)]
    for numbers in (list(range(60)), [3], []):
        shares = [Team(rank=rank, size=3).share(numbers, sizes) for rank in range(3)]
        assert sorted(n for share in shares for n in share) == numbers
        work = [sum(sizes[n] for n in share) for share in shares]
        assert max(work) - min(work) <= max((sizes[n] for n in numbers), default=0)
    assert Team().share([2, 0, 1], [1, 2, 3]) == [2, 0, 1]


def test_what_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot be shared by 2 processes"):
        Team(size=2).require_alone("each text is compared with all others")
    Team().require_alone("each text is compared with all others")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="there are 1 accelerators"):
        join(rank=0, size=2, meeting=Path("meeting"))


@pytest.mark.slow
def test_a_killed_rank_is_told_to_a_person_who_runs_it_again(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    cases = tmp_path / "train.csv"
    texts, gold = encoders.texts(60)
    rows = [f"{text},{encoders.LABELS[n]}" for text, n in zip(texts, gold, strict=True)]
    cases.write_text("\n".join(["text,label", *rows]))
    settings = replace(encoders.SETTINGS, epochs=4.0)

    def tuned(progress: Any) -> Any:
        return tune_encoder(
            "classification",
            train=cases,
            base=str(tiny_bert.path),
            out=tmp_path / "model",
            settings=settings,
            processes=SIZE,
            progress=progress,
        )

    def kill_one(label: str, done: int, _total: int | None) -> None:
        if label.startswith("training") and done > 2:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            os.kill(int(children.split()[-1]), signal.SIGKILL)

    with pytest.raises(GroundtuneError, match=r"of 2 \(rank 1\) was ended by signal 9"):
        tuned(kill_one)
    assert not (tmp_path / "model").exists()

    report = tuned(silent)

    assert (report.strategy, len(report.labels)) == ("full", 3)
    assert (tmp_path / "model" / "model.safetensors").exists()
    alone = replace(settings, strategy="contrastive")
    with pytest.raises(ConfigError, match="cannot share this training"):
        tune_encoder(
            "classification",
            train=cases,
            base=str(tiny_bert.path),
            out=tmp_path / "other",
            settings=alone,
            processes=SIZE,
        )


def void(_: object) -> None:
    """Nothing: what a rank returns goes nowhere."""
