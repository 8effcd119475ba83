"""Gates that no model passes by chance, and switches that do what they say.

`docs/training.md` names the test of each gate; those of encoders that stood already are
in `test_encoder.py`, those of generators in `test_train.py`.
"""

from __future__ import annotations

import runpy
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from groundtune.augment.chat import ChatTemplate
from groundtune.config.encoder import EncoderSettings, default_settings
from groundtune.config.training import TrainSettings
from groundtune.core.errors import ModelLoadError
from groundtune.store.files import read_json, write_json
from groundtune.store.models import MANIFEST, open_model
from groundtune.systems.trained import served_template
from groundtune.tune import loop
from groundtune.tune import train as room
from groundtune.tune.dataset import pack_examples
from groundtune.tune.encoder.contrastive import ContrastiveTrainer
from groundtune.tune.encoder.dataset import TextCutter, text_items
from groundtune.tune.encoder.train import train_labels
from groundtune.tune.export import write_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.store.models import ModelFolder
    from groundtune.tune.checkpoint import TrainState

encoders: Any
generators: Any
encoders, generators = (
    SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(name))))
    for name in ("test_encoder.py", "test_train.py")
)
SHORT: TrainSettings = replace(generators.SETTINGS, epochs=3.0, evaluations=2)


def trained(
    base: ModelFolder, folder: Path, settings: TrainSettings
) -> tuple[dict[str, torch.Tensor], TrainState]:
    """An adapter trained on facts, and how it went."""
    model = generators.fresh(base, settings)
    packs = pack_examples(generators.facts(6), pack_tokens=settings.pack_tokens).packs
    done = room.train(
        model, packs, dev=packs[:2], settings=settings, folder=folder, seed=1
    )
    return generators.adapter(model), done.state


def test_grouped_packs_equal_ungrouped(tiny_model: ModelFolder, tmp_path: Path) -> None:
    packs = generators.packs_of([*generators.facts(6), *generators.facts(2)])
    sums: list[dict[str, torch.Tensor]] = []
    plans: list[list[list[int]]] = []
    for grouped in (True, False):
        model = generators.fresh(tiny_model)
        trainer: Any = vars(room)["_AdapterTrainer"](
            model, packs, [], replace(SHORT, epochs=1.0, batch_tokens=90), 3
        )
        if not grouped:
            trainer._order = [[number] for number in range(len(packs))]
        total = {n: torch.zeros_like(w) for n, w in generators.adapter(model).items()}
        for step, numbers in enumerate(trainer._order):
            trainer.backward(step)
            tokens = sum(packs[number].targets for number in numbers)
            for name, weight in model.named_parameters():
                if weight.grad is not None:
                    total[name] += weight.grad * tokens
                    weight.grad = None
        sums.append(total)
        plans.append(trainer._order)

    assert sorted(n for step in plans[0] for n in step) == list(range(len(packs)))
    assert len(plans[0]) < len(packs)
    # An epoch's answers pull alike, whichever stand beside one another.
    for name, gradient in sums[0].items():
        torch.testing.assert_close(gradient, sums[1][name], rtol=1e-4, atol=1e-5)


SWITCHES: dict[str, Any] = {
    "rank": 2,
    "alpha": 8,
    "frozen_share": 0.75,
    "learning_rate": 1e-3,
    "warmup_steps": 6,
    "batch_tokens": 200,
    "epochs": 5.0,
    "max_tokens": 150,
    "pack_tokens": 9,
    "evaluations": 5,
    "patience": 1,
}


def test_every_switch_of_a_generator_changes_its_training(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    assert SWITCHES.keys() == {field.name for field in fields(TrainSettings)}
    plain, went = trained(tiny_model, tmp_path / "plain", SHORT)
    again, _ = trained(tiny_model, tmp_path / "again", SHORT)
    assert all(torch.equal(again[name], plain[name]) for name in plain)

    for name in SWITCHES.keys() - {"evaluations", "patience"}:
        changed = replace(SHORT, **{name: SWITCHES[name]})
        weights, _ = trained(tiny_model, tmp_path / name, changed)
        same = weights.keys() == plain.keys() and all(
            weights[key].shape == plain[key].shape
            and torch.equal(weights[key], plain[key])
            for key in plain
        )
        assert not same, f"{name} does nothing"
    # These two decide which weights are kept, and when it ends.
    _, often = trained(tiny_model, tmp_path / "e", replace(SHORT, evaluations=5))
    assert len(often.dev_losses) > len(went.dev_losses)


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path) -> None:
    steps: dict[int, int] = {}
    for patience in (1, 3):
        trainer = Worsening(patience)
        steps[patience] = loop.run(
            trainer, folder=tmp_path / str(patience), label="training"
        ).step

    # The first evaluation is the best; each of the others makes one bad one.
    assert steps == {1: 2, 3: 4}


def test_an_observer_hears_of_each_evaluation_and_every_so_many_steps(
    tmp_path: Path,
) -> None:
    heard: list[int] = []
    trainer = Worsening(99, evaluate_every=4)

    loop.run(
        trainer,
        folder=tmp_path,
        label="training",
        observe=lambda state: heard.append(state.step),
    )

    assert heard == [4, 8, 10, 12]


class Worsening:
    """A training of one weight whose dev loss rises at every evaluation."""

    plan, steps, seed = "worse", 12, 0

    def __init__(self, patience: int, *, evaluate_every: int = 1) -> None:
        self._weight = torch.nn.Parameter(torch.ones(1))
        self.patience, self.evaluate_every = patience, evaluate_every
        named = [("weight", self._weight)]
        self.weights = loop.TrainedWeights([loop.WeightGroup(named)])
        self._loss = 0.0

    def rate(self, step: int) -> float:
        return 0.1

    def backward(self, step: int) -> loop.Step:
        self._weight.grad = torch.ones(1)
        return loop.Step(1.0, 1)

    def dev_loss(self) -> float | None:
        self._loss += 1.0
        return self._loss


def test_a_running_mean_is_what_is_evaluated_and_remembered() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    weights = loop.TrainedWeights(
        [loop.WeightGroup([("w", weight)])], averaging=0.5, clips=False
    )
    mean = 0.0
    for step in range(1, 26):
        weight.grad = torch.ones(1)
        weights.update(0.1)
        kept = min(0.5, step / (step + 9))
        if step <= 16:
            mean += (weight.item() - mean) * (1 - kept)
        elif step % 4 == 0:
            mean += (weight.item() - mean) * (1 - kept**4)
        if step == 1:
            with weights.averaged():
                assert weight.item() == pytest.approx(mean) != 0.0

    last = weight.item()
    with weights.averaged():
        assert weight.item() == pytest.approx(mean)
        weights.keep_best()
    assert weight.item() == last
    weights.use_best()
    assert weight.item() == pytest.approx(mean)


ELSEWHERE = {
    "strategy": "the contrastive one here, the others in test_encoder.py",
    "max_tokens": "here",
    "temperature": "here",
    "evaluations": "here",
    "patience": "above: of the loop",
    "rank": "test_rank_and_alpha_change_an_adapter",
    "alpha": "test_rank_and_alpha_change_an_adapter",
    "label_names": "test_a_name_of_a_label_is_one_more_text_of_it",
}
"""Switches whose test is not `test_every_switch_changes_the_weights`."""


def test_every_switch_of_an_encoder_has_a_test() -> None:
    test: Any = encoders.test_every_switch_changes_the_weights
    (mark,) = test.pytestmark
    listed = {name for change in mark.args[1] for name in change}

    assert {field.name for field in fields(EncoderSettings)} == listed | set(ELSEWHERE)


def test_contrasts_and_their_temperature_change_the_weights(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    items = encoders.items_of(tiny_bert, 12)
    before = encoders.weights_of(encoders.fresh(tiny_bert))
    made: list[dict[str, torch.Tensor]] = [before]
    for temperature in (0.1, 0.5):
        settings = replace(
            default_settings("contrastive"),
            learning_rate=1e-3,
            batch_items=12,
            temperature=temperature,
            dropout=0.0,
        )
        model = encoders.open_label_model(
            tiny_bert, encoders.LABELS, is_words=False, dropout=0.0, seed=0
        )
        trainer = ContrastiveTrainer(
            model, items, settings=settings, seed=0, base="b", dtype=torch.float32
        )
        trainer.steps = 3
        loop.run(trainer, folder=tmp_path / str(temperature), label="training")
        trainer.weights.use_best()
        made.append(encoders.weights_of(model))

    query = next(name for name in before if name.endswith("query.weight"))
    assert not torch.equal(made[0][query], made[1][query])
    assert not torch.equal(made[1][query], made[2][query])


def test_length_and_evaluations_of_an_encoder(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    written, gold = encoders.texts(8)
    cuts = [
        text_items(written, gold, cutter=TextCutter(tiny_bert.path, max_tokens=most))
        for most in (8, 24)
    ]
    assert max(len(item) for item in cuts[0][0]) == 8
    assert cuts[0][1] > cuts[1][1] == 0

    counts: list[int] = []
    for evaluations in (1, 3):
        settings = replace(encoders.SETTINGS, epochs=1.0, evaluations=evaluations)
        items = encoders.items_of(tiny_bert)
        folder = tmp_path / str(evaluations)
        model = encoders.fresh(tiny_bert, settings)
        trainer = encoders.trainer_of(model, items, folder, settings, dev=items[:4])
        counts.append(len(train_labels(trainer, folder=folder).dev_losses))
    # The fitted head is the first.
    assert counts == [2, 4]


def test_a_generator_is_served_with_its_own_template_alone(
    tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ours = ChatTemplate(tiny_model.chat_template).sha256
    made = write_model(
        generators.fresh(tiny_model),
        tiny_model,
        tmp_path / "out",
        name="tuned",
        record={"task": "qa", "template_sha256": ours, "prompt_version": "qa-1"},
    )
    assert served_template(made, prompt_version="qa-1").sha256 == ours
    with pytest.raises(ModelLoadError, match="with the prompts qa-1, not with qa-2"):
        served_template(made, prompt_version="qa-2")

    file = made.path / "chat_template.jinja"
    reworded = file.read_text().replace("<|im_start|>", "<|im_start|> ")
    rehashed(made.path, lambda: file.write_text(reworded))

    other = open_model(str(made.path), kind="generator", offline=True)
    with pytest.raises(ModelLoadError, match="not the one that it was trained with"):
        served_template(other, prompt_version="qa-1")


def rehashed(folder: Path, change: Callable[[], object]) -> None:
    """Change a file as a person would who does not know of hashes of files."""
    manifest = read_json(folder / MANIFEST)
    change()
    manifest.pop("files", None)
    write_json(folder / MANIFEST, manifest)
