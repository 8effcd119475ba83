"""Encoders with heads: what must be equal is equal, and every switch does something."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from groundtune.config.encoder import EncoderSettings, default_settings
from groundtune.core.errors import ConfigError, DataError, ModelLoadError
from groundtune.tune import loop
from groundtune.tune.encoder.contrastive import (
    ContrastiveTrainer,
    contrastive_loss,
    plan_contrasts,
)
from groundtune.tune.encoder.dataset import (
    TextCutter,
    collate,
    hide_words,
    micro_batches,
    plan_steps,
    text_items,
    word_items,
)
from groundtune.tune.encoder.evaluate import case_logits, item_logits
from groundtune.tune.encoder.export import write_label_model
from groundtune.tune.encoder.modify import apply_strategy
from groundtune.tune.encoder.pretrained import LabelModel, open_label_model
from groundtune.tune.encoder.probe import fit_head
from groundtune.tune.encoder.strategy import choose_strategy
from groundtune.tune.encoder.train import LabelTrainer, train_labels
from groundtune.tune.encoder.weights import WORDS as WORD_TABLE
from groundtune.tune.exports.trained import label_logits

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.store.models import ModelFolder
    from groundtune.tune.encoder.dataset import Item

WORDS = (
    "the a card arrived lost my is not late paid where who anna bert oslo rome in of"
)
LABELS = ("late", "lost", "paid")
TAGS = ("O", "B-place", "I-place")
PLAIN = torch.autocast("cpu", enabled=False)

SETTINGS = EncoderSettings(
    learning_rate=5e-3,
    head_rate=5e-3,
    epochs=3.0,
    batch_items=8,
    max_tokens=24,
    dropout=0.1,
    evaluations=3,
    rank=4,
)


def texts(count: int) -> tuple[list[str], list[int]]:
    """Texts whose label is one of their words, and their labels."""
    rng = np.random.default_rng(7)
    words = [word for word in WORDS.split() if word not in LABELS]
    made: list[str] = []
    for number in range(count):
        around = [str(word) for word in rng.choice(words, int(rng.integers(2, 14)))]
        around.insert(int(rng.integers(len(around))), LABELS[number % 3])
        made.append(" ".join(around))
    return made, [number % 3 for number in range(count)]


def sentences(count: int) -> tuple[list[list[str]], list[list[int]]]:
    """Sentences with places in them; some are longer than a window."""
    rng = np.random.default_rng(8)
    words = [word for word in WORDS.split() if word not in {"oslo", "rome"}]
    all_words: list[list[str]] = []
    all_tags: list[list[int]] = []
    for number in range(count):
        size = int(rng.integers(3, 12)) if number % 4 else 50
        sentence = [str(word) for word in rng.choice(words, size)]
        tags = [0] * size
        for place in range(1, size - 1, 6):
            sentence[place : place + 2] = ["oslo", "rome"]
            tags[place : place + 2] = [1, 2]
        all_words.append(sentence)
        all_tags.append(tags)
    return all_words, all_tags


def items_of(
    base: ModelFolder, count: int = 24, *, is_words: bool = False
) -> list[Item]:
    """Texts or sentences as the base's tokens."""
    cutter = TextCutter(base.path, max_tokens=SETTINGS.max_tokens)
    if is_words:
        return word_items(*sentences(count), cutter=cutter)
    return text_items(*texts(count), cutter=cutter)[0]


def fresh(
    base: ModelFolder,
    settings: EncoderSettings = SETTINGS,
    *,
    is_words: bool = False,
    seed: int = 0,
) -> LabelModel:
    """A model with its strategy applied."""
    model = open_label_model(
        base,
        TAGS if is_words else LABELS,
        is_words=is_words,
        dropout=settings.dropout,
        seed=seed,
    )
    apply_strategy(model, settings, seed=seed)
    return model


def trainer_of(
    model: LabelModel,
    items: list[Item],
    folder: Path,
    settings: EncoderSettings = SETTINGS,
    **options: Any,
) -> LabelTrainer:
    """A trainer that scores every dev case as right if its first label is."""
    dev = options.pop("dev", [])

    def score(logits: Any) -> float:
        right = [int(rows[0].argmax()) for rows in logits]
        gold = [int(item.gold_S[0]) for item in dev if not item.first_word]
        return float(np.mean([a == b for a, b in zip(right, gold, strict=True)]))

    return LabelTrainer(
        model,
        items,
        dev=dev,
        dev_cases=len({item.case for item in dev}),
        score=score,
        settings=settings,
        seed=0,
        base="tiny",
        folder=folder,
        dtype=torch.float32,
        mask_id=4,
        **options,
    )


def weights_of(model: LabelModel) -> dict[str, torch.Tensor]:
    """Copies of all weights."""
    return {name: weight.detach().clone() for name, weight in model.named_weights()}


def all_logits(model: LabelModel, items: list[Item]) -> np.ndarray[Any, Any]:
    return np.concatenate(item_logits(model, items, autocast=PLAIN))


def gradients_of(model: LabelModel) -> dict[str, torch.Tensor]:
    return {
        name: weight.grad.to_dense() if weight.grad.is_sparse else weight.grad
        for name, weight in model.named_weights()
        if weight.grad is not None
    }


def calm(**changes: Any) -> EncoderSettings:
    """Settings without dropout: what is compared must differ by rounding alone."""
    return replace(SETTINGS, dropout=0.0, **changes)


def test_padded_equals_unpadded(tiny_bert: ModelFolder) -> None:
    for is_words in (False, True):
        model = fresh(tiny_bert, is_words=is_words)
        items = items_of(tiny_bert, is_words=is_words)

        together = all_logits(model, items)
        alone = np.concatenate([all_logits(model, [item]) for item in items])

        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_two_times_four_equals_eight(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    items = items_of(tiny_bert)
    for settings in (calm(), calm(class_weights="balanced", label_smoothing=0.1)):
        gradients: list[dict[str, torch.Tensor]] = []
        for most in (4096, 60):
            trainer = trainer_of(model := fresh(tiny_bert, settings), items, tmp_path)
            trainer.micro_tokens = most
            trainer.backward(0)
            gradients.append(gradients_of(model))
        widths = [len(item) for item in items]
        assert len(list(micro_batches(range(8), widths, most_tokens=60))) > 1
        for name, gradient in gradients[0].items():
            torch.testing.assert_close(
                gradient, gradients[1][name], rtol=1e-4, atol=1e-6
            )


def test_grouped_equals_ungrouped(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    items = items_of(tiny_bert, 40)
    lengths = [len(item) for item in items]
    plans = [
        plan_steps(lengths, batch_items=8, epochs=1, seed=3, is_grouped=grouped)
        for grouped in (True, False)
    ]

    def padding(plan: list[list[int]]) -> int:
        return sum(
            max(lengths[i] for i in step) * len(step) - sum(lengths[i] for i in step)
            for step in plan
        )

    assert [sorted(i for step in plan for i in step) for plan in plans] == [
        list(range(40))
    ] * 2
    assert padding(plans[0]) < 0.7 * padding(plans[1])
    # The mean of the steps' gradients does not depend on who stood beside whom.
    sums: list[dict[str, torch.Tensor]] = []
    for grouped in (True, False):
        model = fresh(tiny_bert, calm(epochs=1.0))
        trainer = trainer_of(
            model, items, tmp_path, calm(epochs=1.0), is_grouped=grouped
        )
        for step in range(trainer.steps):
            trainer.backward(step)
        sums.append(gradients_of(model))
    for name, gradient in sums[0].items():
        torch.testing.assert_close(gradient, sums[1][name], rtol=1e-3, atol=1e-5)


def test_cached_frozen_layers_equal_uncached(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, frozen_layers=2)
    items = items_of(tiny_bert)
    made: list[dict[str, torch.Tensor]] = []
    for cached in (True, False):
        folder = tmp_path / str(cached)
        model = fresh(tiny_bert, settings)
        trainer = trainer_of(
            model, items, folder, settings, dev=items[:8], is_cached=cached
        )
        train_labels(trainer, folder=folder)
        made.append(weights_of(model))
        assert (folder / "states" / "train.npy").exists() == cached

    for name, weight in made[0].items():
        # Dropout is drawn above the frozen layers alone, so it is drawn alike.
        torch.testing.assert_close(weight, made[1][name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("is_words", [False, True])
def test_resume_equals_no_interruption(
    tiny_bert: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_words: bool,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", float("inf"))
    settings = replace(SETTINGS, unfreeze_epochs=0.7, patience=2)
    items = items_of(tiny_bert, is_words=is_words)

    def trained(folder: Path) -> tuple[dict[str, torch.Tensor], list[float]]:
        model = fresh(tiny_bert, settings, is_words=is_words)
        trainer = trainer_of(model, items, folder, settings, dev=items[:8])
        state = train_labels(trainer, folder=folder)
        return weights_of(model), state.train_losses

    straight, losses = trained(tmp_path / "straight")
    backward = LabelTrainer.backward
    for stop in (2, 5):

        def stopping(trainer: Any, step: int, stop: int = stop) -> Any:
            if step == stop:
                raise KeyboardInterrupt
            return backward(trainer, step)

        monkeypatch.setattr(LabelTrainer, "backward", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "parts")
    monkeypatch.setattr(LabelTrainer, "backward", backward)
    resumed, again = trained(tmp_path / "parts")

    assert again == losses
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "head"},
        {"strategy": "lora"},
        {"strategy": "dora"},
        {"learning_rate": 1e-3},
        {"head_rate": 1e-3},
        {"layer_decay": 0.5},
        {"warmup_share": 0.5},
        {"weight_decay": 0.5},
        {"dropout": 0.3},
        {"label_smoothing": 0.2},
        {"class_weights": "balanced"},
        {"frozen_layers": 1},
        {"frozen_embeddings": True},
        {"unfreeze_epochs": 0.5},
        {"batch_items": 4},
        {"epochs": 2.0},
        {"averaging": 0.0},
        {"word_masking": 0.3},
    ],
)
def test_every_switch_changes_the_weights(
    tiny_bert: ModelFolder, tmp_path: Path, change: dict[str, Any]
) -> None:
    items = items_of(tiny_bert, 22)

    def trained(settings: EncoderSettings) -> dict[str, torch.Tensor]:
        model = fresh(tiny_bert, settings)
        folder = tmp_path / str(hash(settings))
        train_labels(trainer_of(model, items, folder, settings), folder=folder)
        return weights_of(model)

    short = replace(SETTINGS, epochs=1.0)
    before, after = trained(short), trained(replace(short, **change))

    shared = before.keys() & after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in shared)


def test_words_are_hidden_alike_however_a_step_is_split(
    tiny_bert: ModelFolder,
) -> None:
    items = items_of(tiny_bert, 40)
    numbers = list(range(40))

    def hidden(part: list[int], key: tuple[int, int]) -> list[Any]:
        chosen = [items[number] for number in part]
        found = hide_words(chosen, part, share=0.25, mask_id=4, key=key)
        return [item.ids_T for item in found]

    whole = hidden(numbers, (0, 7))
    halves = [*hidden(numbers[:20], (0, 7)), *hidden(numbers[20:], (0, 7))]
    assert all(map(np.array_equal, whole, halves))
    assert not all(map(np.array_equal, whole, hidden(numbers, (0, 8))))
    for ids_T, item in zip(whole, items, strict=True):
        assert list(ids_T[[0, -1]]) == list(item.ids_T[[0, -1]])
    inner = np.concatenate([ids_T[1:-1] for ids_T in whole])
    assert 0.15 < float((inner == 4).mean()) < 0.35


@pytest.mark.slow
def test_rank_and_alpha_change_an_adapter(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    lora = replace(SETTINGS, strategy="lora", epochs=1.0)
    logits: list[Any] = []
    items = items_of(tiny_bert, 8)
    for settings in (lora, replace(lora, rank=2), replace(lora, alpha=4)):
        model = fresh(tiny_bert, settings)
        folder = tmp_path / str(len(logits))
        train_labels(trainer_of(model, items, folder, settings), folder=folder)
        logits.append(all_logits(model, items))

    assert not np.allclose(logits[0], logits[1])
    assert not np.allclose(logits[0], logits[2])


def test_words_that_are_not_used_stay_and_others_move_as_adam_would(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    settings = calm(frozen_layers=0, weight_decay=0.0)
    items = items_of(tiny_bert, 8)
    model = fresh(tiny_bert, settings)
    trainer = trainer_of(model, items, tmp_path, settings)
    table = dict(model.named_weights())[WORD_TABLE]
    before = table.detach().clone()
    reference = torch.nn.Parameter(before.clone())
    adam = torch.optim.Adam([reference], lr=1.0)
    used = sorted({int(i) for item in items for i in item.ids_T})

    for step in range(2):
        # Both steps hold all items, so every used row is used in both.
        trainer.backward(step)
        gradients = gradients_of(model)
        squares = [float(g.square().sum()) for g in gradients.values()]
        reference.grad = gradients[WORD_TABLE] * min(1.0, sum(squares) ** -0.5)
        adam.param_groups[0]["lr"] = 0.01
        adam.step()
        trainer.weights.update(0.01)

    moved = (table != before).any(dim=1).nonzero()[:, 0].tolist()
    assert moved == used
    assert len(used) < len(table)
    torch.testing.assert_close(table.detach(), reference.detach(), rtol=1e-4, atol=1e-5)


def test_what_is_frozen_stays(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    published = weights_of(fresh(tiny_bert))
    cases = {
        "head": replace(SETTINGS, strategy="head"),
        "layers": replace(SETTINGS, frozen_layers=2),
        "words": replace(SETTINGS, frozen_embeddings=True),
    }
    for name, settings in cases.items():
        model = fresh(tiny_bert, settings)
        folder = tmp_path / name
        train_labels(
            trainer_of(model, items_of(tiny_bert), folder, settings), folder=folder
        )
        changed = {n for n, w in weights_of(model).items() if not w.equal(published[n])}

        assert any(n.startswith("head.") for n in changed)
        assert not any("embeddings" in n for n in changed)
        assert any(".layer.2." in n for n in changed) == (name != "head")
        assert any(".layer.0." in n for n in changed) == (name == "words")


def test_layers_open_from_the_top(tiny_bert: ModelFolder, tmp_path: Path) -> None:
    settings = calm(unfreeze_epochs=1.0, epochs=5.0)
    model = fresh(tiny_bert, settings)
    trainer = trainer_of(model, items_of(tiny_bert), tmp_path, settings)
    opened: list[set[int]] = []
    for step in range(0, trainer.steps, 3):
        trainer.backward(step)
        names = [n for n, w in model.named_weights() if w.grad is not None]
        opened.append({int(n.split(".")[3]) for n in names if ".layer." in n})
        for _, weight in model.named_weights():
            weight.grad = None

    assert opened == [set(), {2}, {1, 2}, {0, 1, 2}, {0, 1, 2}]


@pytest.mark.parametrize(
    ("strategy", "kind"),
    [
        ("full", "mean"),
        ("full", "first"),
        ("lora", "words"),
        ("dora", "mean"),
        *(
            pytest.param(strategy, kind, marks=pytest.mark.slow)
            for strategy, kind in (
                ("full", "words"),
                ("lora", "mean"),
                ("lora", "first"),
                ("dora", "first"),
                ("dora", "words"),
            )
        ),
    ],
)
def test_trained_equals_merged_equals_saved_and_reloaded(
    request: pytest.FixtureRequest, tmp_path: Path, strategy: Any, kind: str
) -> None:
    base: ModelFolder = request.getfixturevalue(
        "tiny_bert_first" if kind == "first" else "tiny_bert"
    )
    settings = replace(SETTINGS, strategy=strategy, epochs=1.0)
    items = items_of(base, 50, is_words=kind == "words")
    model = fresh(base, settings, is_words=kind == "words")
    train_labels(trainer_of(model, items, tmp_path, settings), folder=tmp_path)

    made = write_label_model(
        model, base, tmp_path / "out", compared=items, temperature=2.0, record={}
    )

    ours = all_logits(model, items) / 2.0
    theirs = np.concatenate(label_logits(made.path, items, is_words=kind == "words"))
    # The pooling layer stands for a mean to about a part in a thousand.
    exact = 5e-3 if kind == "mean" else 1e-4
    np.testing.assert_allclose(theirs, ours, atol=exact, rtol=exact)
    assert (made.path / "adapter").exists() == (strategy != "full")
    assert not list(made.path.rglob("*.bin"))
    assert (made.kind, made.licence) == ("classifier", "MIT")
    assert list(made.config["id2label"].values()) == list(
        TAGS if kind == "words" else LABELS
    )


@pytest.mark.slow
def test_training_learns_texts_and_words(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    for is_words in (False, True):
        settings = replace(SETTINGS, epochs=12.0, learning_rate=2e-3)
        items = items_of(tiny_bert, 60, is_words=is_words)
        held = items_of(tiny_bert, 90, is_words=is_words)[len(items) :]
        model = fresh(tiny_bert, settings, is_words=is_words)
        folder = tmp_path / str(is_words)
        train_labels(trainer_of(model, items, folder, settings), folder=folder)

        predicted = all_logits(model, held).argmax(axis=1)
        gold = np.concatenate([item.gold_S for item in held])
        assert float((predicted == gold).mean()) > 0.85


def test_memory_that_does_not_do_makes_smaller_batches(
    tiny_bert: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = items_of(tiny_bert)
    through = LabelModel.through

    def small(model: LabelModel, states: Any, mask: Any, **where: Any) -> Any:
        if states.shape[0] * states.shape[1] > 50:
            raise MemoryError
        return through(model, states, mask, **where)

    straight = trainer_of(fresh(tiny_bert, calm()), items, tmp_path / "a", calm())
    expected = straight.backward(0).loss
    monkeypatch.setattr(LabelModel, "through", small)
    trainer = trainer_of(fresh(tiny_bert, calm()), items, tmp_path / "b", calm())
    trainer.try_longest()

    assert trainer.micro_tokens <= 50
    assert trainer.backward(0).loss == pytest.approx(expected, rel=1e-4)

    def never(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(LabelModel, "through", never)
    with pytest.raises(DataError, match="does not fit into memory"):
        trainer.try_longest()


def test_windows_leave_no_word_out(tiny_bert: ModelFolder) -> None:
    cutter = TextCutter(tiny_bert.path, max_tokens=24)
    words, tags = sentences(8)
    words[1] = ["\u200b", "card", "x" * 300]
    tags[1] = [0, 0, 0]

    items = word_items(words, tags, cutter=cutter)

    assert len(items) > len(words)
    assert all(len(item) <= 24 for item in items)
    for number, expected in enumerate(tags):
        own = [item for item in items if item.case == number]
        assert np.concatenate([item.gold_S for item in own]).tolist() == expected
    joined = case_logits(
        items,
        [np.eye(3, dtype=np.float32)[item.gold_S] for item in items],
        cases=len(words),
    )
    assert [rows.argmax(axis=1).tolist() for rows in joined] == tags


def test_contrasts_hold_labels_together() -> None:
    labels = [0] * 9 + [1] * 5 + [2] * 2
    steps = plan_contrasts(labels, batch_items=8, epochs=3, seed=0)

    assert steps == plan_contrasts(labels, batch_items=8, epochs=3, seed=0)
    for step in steps:
        here = [labels[i] for i in step]
        assert all(here.count(label) > 1 for label in set(here))
        assert len(set(here)) > 1
    assert {i for step in steps for i in step} == set(range(len(labels)))


def test_contrastive_loss_is_that_of_its_formula() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((5, 4))
    labels = [0, 0, 1, 1, 2]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = np.exp(unit @ unit.T / 0.5)
    terms: list[float] = []
    for i in range(4):
        others = [j for j in range(5) if j != i]
        (twin,) = [j for j in others if labels[j] == labels[i]]
        terms.append(-np.log(likeness[i, twin] / likeness[i, others].sum()))

    found = contrastive_loss(
        torch.tensor(vectors), torch.tensor(labels), temperature=0.5
    )

    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.slow
def test_contrastive_training_tells_few_texts_apart(
    tiny_bert: ModelFolder, tmp_path: Path
) -> None:
    items = items_of(tiny_bert, 120)
    few, held = items[:24], items[24:]
    settings = replace(
        default_settings("contrastive"), learning_rate=2e-3, batch_items=24
    )
    rights: list[float] = []
    for trains in (False, True):
        model = open_label_model(tiny_bert, LABELS, is_words=False, dropout=0.0, seed=0)
        if trains:
            trainer = ContrastiveTrainer(
                model, few, settings=settings, seed=0, base="b", dtype=torch.float32
            )
            loop.run(trainer, folder=tmp_path, label="training")
            trainer.weights.use_best()
        fit_head(model, few, settings=settings, autocast=PLAIN)
        gold = np.concatenate([item.gold_S for item in held])
        rights.append(float((all_logits(model, held).argmax(axis=1) == gold).mean()))

    assert rights[1] > rights[0]
    assert rights[1] > 0.7


def test_auto_chooses_by_size_and_says_why() -> None:
    found = [
        choose_strategy({"a": n, "b": n, "c": 3 * n}, is_words=False)
        for n in (8, 63, 64, 500)
    ]

    assert [one.strategy for one in found] == ["contrastive"] * 2 + ["full"] * 2
    assert "63 examples a label" in found[1].why
    assert choose_strategy({"a": 1, "b": 1}, is_words=False).strategy == "head"
    assert choose_strategy({"": 9}, is_words=True).strategy == "full"


def test_bad_settings_and_bases_are_refused(tiny_bert: ModelFolder) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.layer_decay"):
        EncoderSettings(layer_decay=0.0)
    with pytest.raises(ConfigError, match="unknown strategy"):
        EncoderSettings(strategy="best")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="does nothing where only a head is trained"):
        EncoderSettings(strategy="head", frozen_layers=2)
    with pytest.raises(ConfigError, match="4 layers are to be frozen of 3"):
        fresh(tiny_bert, replace(SETTINGS, frozen_layers=4))
    other = replace(tiny_bert, config={"model_type": "gpt2"})
    with pytest.raises(ModelLoadError, match="'gpt2'"):
        fresh(other)


def test_a_batch_knows_whose_places_are_whose(tiny_bert: ModelFolder) -> None:
    items = items_of(tiny_bert, 6, is_words=True)
    batch = collate(items)

    first = batch.ids_B_T[batch.rows_S, batch.places_S]
    assert len(first) == sum(len(item.gold_S) for item in items)
    assert batch.mask_B_T[batch.rows_S, batch.places_S].all()
    assert (batch.mask_B_T.sum(axis=1) == [len(item) for item in items]).all()
