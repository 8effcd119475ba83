"""Training on a real, tiny model: exactness first."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from groundtune.config.training import TrainSettings
from groundtune.core.errors import StoreError
from groundtune.tune import attention
from groundtune.tune.checkpoint import CheckpointFolder
from groundtune.tune.dataset import Example, Pack, Turn, pack_examples
from groundtune.tune.evaluate import answer_losses, mean_loss
from groundtune.tune.export import write_model
from groundtune.tune.modify import add_adapter
from groundtune.tune.pretrained import load
from groundtune.tune.train import train

if TYPE_CHECKING:
    from groundtune.store.models import ModelFolder

SETTINGS = TrainSettings(
    rank=4,
    alpha=32,
    learning_rate=3e-2,
    warmup_steps=2,
    batch_tokens=64,
    epochs=20.0,
    max_tokens=10_000,
    pack_tokens=64,
    evaluations=4,
)


def fresh(model: ModelFolder, settings: TrainSettings = SETTINGS) -> Any:
    attention.register()
    raw = load(model, dtype=torch.float32, attention=attention.GROUPED)
    return add_adapter(raw, settings, seed=0)


def facts(count: int) -> list[Example]:
    return [
        Example(
            (1, 20 + n % 7, 30),
            (Turn((40 + n, 41), (50 + n, 2)), Turn((60 + n, 41), (70 + n, 71, 2))),
        )
        for n in range(count)
    ]


def packs_of(examples: list[Example]) -> list[Pack]:
    return pack_examples(examples, pack_tokens=64).packs


def adapter(model: Any) -> dict[str, torch.Tensor]:
    return {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def test_libraries_do_not_warn_the_person_who_trains(tiny_model: ModelFolder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh(tiny_model)


def test_packed_turns_have_the_loss_of_turns_alone(tiny_model: ModelFolder) -> None:
    model = fresh(tiny_model).eval()
    example = facts(1)[0]
    alone = [Example(example.head, (turn,)) for turn in example.turns]

    together = answer_losses(model, packs_of([example]))
    apart = torch.cat([answer_losses(model, packs_of([one])) for one in alone])

    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-6)


def test_loss_equals_transformers_own_with_its_own_attention(
    tiny_model: ModelFolder,
) -> None:
    example = Example((1, 20, 30), (Turn((40, 41), (50, 51, 2)),))
    (pack,) = packs_of([example])
    reference = load(tiny_model, dtype=torch.float32, attention="sdpa")
    labels = torch.from_numpy(pack.labels_T)[None]
    expected = reference(
        input_ids=torch.from_numpy(pack.tokens_T)[None], labels=labels
    ).loss

    ours = answer_losses(fresh(tiny_model).eval(), [pack]).mean()

    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def test_a_padded_batch_has_the_losses_of_its_packs(tiny_model: ModelFolder) -> None:
    model = fresh(tiny_model).eval()
    packs = packs_of([*facts(2), Example((1,), (Turn((9,), (2,)),))])

    batched = answer_losses(model, packs)
    single = torch.cat([answer_losses(model, [pack]) for pack in packs])

    torch.testing.assert_close(batched, single, rtol=1e-5, atol=1e-6)


def test_early_layers_stay_frozen(tiny_model: ModelFolder) -> None:
    model = fresh(tiny_model, replace(SETTINGS, frozen_share=0.5))

    names = list(adapter(model))

    assert names
    assert all(".layers.2." in name or ".layers.3." in name for name in names)
    assert all("lora_" in name for name in names)


def test_training_learns_and_keeps_the_best_on_dev(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    model = fresh(tiny_model)
    packs = packs_of(facts(6))
    before = mean_loss(model, packs)

    done = train(model, packs, dev=packs, settings=SETTINGS, folder=tmp_path, seed=0)

    after = mean_loss(model, packs)
    assert after < 0.7 * before
    best = min(loss for _, loss in done.state.dev_losses)
    assert after == pytest.approx(best, rel=1e-5)


def test_early_stop_when_dev_gets_no_better(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, evaluations=12, patience=2)
    model = fresh(tiny_model, settings)
    # Same questions, other answers: the better it learns, the worse dev becomes.
    contrary = [
        Example(e.head, tuple(Turn(t.tail, (99, 2)) for t in e.turns)) for e in facts(6)
    ]

    done = train(
        model,
        packs_of(facts(6)),
        dev=packs_of(contrary),
        settings=settings,
        folder=tmp_path,
        seed=0,
    )

    losses = [loss for _, loss in done.state.dev_losses]
    assert len(losses) < 12
    assert min(losses) not in losses[-2:]
    assert mean_loss(model, packs_of(contrary)) == pytest.approx(min(losses), rel=1e-5)


def test_splitting_a_step_changes_nothing(
    tiny_model: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = packs_of(facts(6))
    settings = replace(SETTINGS, epochs=2.0, warmup_steps=1)

    def losses(name: str) -> list[float]:
        model = fresh(tiny_model)
        done = train(
            model, packs, dev=[], settings=settings, folder=tmp_path / name, seed=0
        )
        return done.state.train_losses

    one_by_one = losses("a")
    monkeypatch.setattr(
        "groundtune.tune.train._MICRO_TOKENS", {"cpu": 4096, "cuda": 4096}
    )

    # The second loss is that of weights which the first step made.
    assert losses("b") == pytest.approx(one_by_one, rel=1e-3)
    assert len(one_by_one) >= 2


def test_the_same_seed_gives_the_same_weights(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    packs = packs_of(facts(5))
    made: list[dict[str, torch.Tensor]] = []
    for name in ("a", "b"):
        model = fresh(tiny_model)
        train(
            model,
            packs,
            dev=packs[:2],
            settings=SETTINGS,
            folder=tmp_path / name,
            seed=4,
        )
        made.append(adapter(model))

    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import test_train as t
from groundtune.store.models import open_model
from groundtune.tune import loop, train as room
loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, float("inf")
model = t.fresh(open_model(sys.argv[1], kind="generator", offline=True))
packs = t.packs_of(t.facts(6))
def slow(label, done, total):
    print(done, flush=True)
    time.sleep(0.03)
room.train(model, packs, dev=packs[:2], settings=t.SETTINGS,
           folder=Path(sys.argv[2]), seed=1, progress=slow)
"""


def test_killed_and_resumed_is_equal_to_the_bit(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    packs = packs_of(facts(6))
    straight = fresh(tiny_model)
    done = train(
        straight,
        packs,
        dev=packs[:2],
        settings=SETTINGS,
        folder=tmp_path / "straight",
        seed=1,
    )
    torn = tmp_path / "torn"
    here = str(Path(__file__).parent)
    for stop_at in (3, 7):
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(CHILD),
                str(tiny_model.path),
                str(torn),
                here,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= stop_at:
                break
        time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()

    resumed = fresh(tiny_model)
    steps: list[int] = []
    again = train(
        resumed,
        packs,
        dev=packs[:2],
        settings=SETTINGS,
        folder=torn,
        seed=1,
        progress=lambda _label, step, _total: steps.append(step),
    )

    assert steps[0] >= 6, "it went on; it did not begin again"
    assert again.state.train_losses == done.state.train_losses
    assert again.state.dev_losses == done.state.dev_losses
    expected = adapter(straight)
    for name, weight in adapter(resumed).items():
        assert torch.equal(weight, expected[name])


def test_a_damaged_checkpoint_is_refused(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    packs = packs_of(facts(2))
    train(fresh(tiny_model), packs, dev=[], settings=SETTINGS, folder=tmp_path, seed=0)
    (tensors,) = tmp_path.glob("*.safetensors")
    raw = bytearray(tensors.read_bytes())
    raw[-1] ^= 1
    tensors.write_bytes(bytes(raw))

    with pytest.raises(StoreError, match="checkpoint is damaged"):
        train(
            fresh(tiny_model),
            packs,
            dev=[],
            settings=SETTINGS,
            folder=tmp_path,
            seed=0,
        )


def test_another_plan_does_not_take_up_a_checkpoint(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    packs = packs_of(facts(2))
    train(fresh(tiny_model), packs, dev=[], settings=SETTINGS, folder=tmp_path, seed=0)

    assert CheckpointFolder(tmp_path).load(plan="another") is None


def test_merged_model_answers_as_the_adapter_does(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    model = fresh(tiny_model)
    packs = packs_of(facts(4))
    train(model, packs, dev=[], settings=SETTINGS, folder=tmp_path / "c", seed=0)

    made = write_model(
        model, tiny_model, tmp_path / "out", name="tuned", record={"task": "qa"}
    )

    merged = load(made, dtype=torch.float32, attention=attention.GROUPED)
    assert mean_loss(merged, packs) == pytest.approx(mean_loss(model, packs), rel=1e-2)
    assert (made.path / "adapter" / "adapter_model.safetensors").exists()
    assert not list(made.path.rglob("*.bin"))
    assert made.name == "tuned"
    assert made.licence == "Apache-2.0"
