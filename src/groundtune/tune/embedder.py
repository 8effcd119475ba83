"""Training an embedder: questions near their right passages, far from wrong ones.

The loss is cross-entropy over similarities (multiple negatives ranking): the right
passage of a question against its hard negatives and against all passages of the other
questions in the step. A passage that is right for the question as well is masked. The
order of the data is a plan made beforehand (`pairs.plan_batches`); `loop` does the
rest.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import ModelLoadError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.protocols import silent
from groundtune.store.files import explained
from groundtune.store.folders import publish_folder, remove_folder
from groundtune.store.models import MANIFEST, write_manifest
from groundtune.store.tuned import checkpoint_folder, finished
from groundtune.tune.distributed import team
from groundtune.tune.loop import Step, TrainedWeights, WeightGroup, run
from groundtune.tune.pairs import plan_batches
from groundtune.tune.pretrained import choose_device, choose_dtype, load_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from groundtune.config.embedding import EmbedderSettings
    from groundtune.core.protocols import Progress
    from groundtune.store.models import ModelFolder
    from groundtune.tune.pairs import Pair, Pool

_WEIGHT_DECAY = 0.01
_FORWARD_TEXTS = 16
"""Texts of about equal length in one forward pass: little padding, little memory."""


def train_embedder(
    base: ModelFolder,
    pairs: Sequence[Pair],
    *,
    pools: Sequence[Pool],
    settings: EmbedderSettings,
    out: Path,
    seed: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, and leave the best weights as a model folder at `out`.

    Every few steps the texts of each pool are ranked; the weights that rank best are
    kept, and where none rank better than the base, those are the base's own.

    Args:
        base: A BERT embedder with safetensors.
        pairs: At least two.
        pools: Held-out questions; without any the last weights are taken.
        settings: How to train.
        out: Folder to write; checkpoints stand beside it until it is done.
        seed: Of the order of the pairs.
        progress: Told of each step.

    Returns:
        What the manifest of the model says of the training.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: The base cannot be trained.
        StoreError: The model or a checkpoint cannot be written.
    """
    trainer = EmbedderTrainer(base, pairs, pools, settings, seed)
    if (written := finished(out, plan=trainer.plan)) is not None:
        return {key: written[key] for key in ("base", "plan", "training")}
    folder = checkpoint_folder(out)
    state = run(
        trainer,
        folder=folder,
        label="training the embedder",
        progress=progress,
        evaluate_first=True,
    )
    record: dict[str, Any] = {
        "base": f"{base.name}@{base.weights_sha256[:8]}",
        "plan": trainer.plan,
        "training": {
            "settings": asdict(settings),
            "seed": seed,
            "pairs": len(pairs),
            "steps": state.step,
            "best_step": state.best_step,
            "reciprocal_rank": [[at, 1 - loss] for at, loss in state.dev_losses],
            "losses": [round(loss, 4) for loss in state.train_losses],
            "seconds": round(state.seconds, 1),
        },
    }
    _write(trainer.best_weights(), base, out, record)
    remove_folder(folder)
    return record


class EmbedderTrainer:
    """See `loop.Trainer`."""

    def __init__(
        self,
        base: ModelFolder,
        pairs: Sequence[Pair],
        pools: Sequence[Pool],
        settings: EmbedderSettings,
        seed: int,
    ) -> None:
        team().require_alone("each question of a step is compared with all passages")
        self._pairs, self._pools, self._settings = pairs, pools, settings
        self._encoder = Encoder(base, settings)
        self._model = self._encoder.model
        # Few pairs would wreck the words that they do not hold.
        self._model.embeddings.word_embeddings.requires_grad_(requires_grad=False)
        named = [
            (name, weight)
            for name, weight in self._model.named_parameters()
            if weight.requires_grad and not name.startswith("pooler.")
        ]
        self.weights = TrainedWeights([WeightGroup(named, weight_decay=_WEIGHT_DECAY)])
        self._order = plan_batches(
            pairs,
            epochs=settings.epochs,
            batch_pairs=settings.batch_pairs,
            most=settings.max_pairs,
            seed=seed,
        )
        assert self._order, "two pairs at least"
        self.seed = seed
        self.steps = len(self._order)
        self.evaluate_every = max(1, -(-self.steps // settings.evaluations))
        self.patience = settings.patience
        self.plan = fingerprint(
            {
                "base": base.weights_sha256,
                "pairs": [asdict(pair) for pair in pairs],
                "pools": [asdict(pool) for pool in pools],
                "settings": asdict(settings),
                "seed": seed,
                "dtype": str(self._encoder.dtype),
            }
        )

    def rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to nothing."""
        warm = max(1, round(self._settings.warmup_share * self.steps))
        rise = (step + 1) / warm
        fall = (self.steps - step) / max(1, self.steps - warm)
        return self._settings.learning_rate * min(1.0, rise, fall)

    def backward(self, step: int) -> Step:
        """The loss is the mean over the step's questions."""
        import torch

        pairs = [self._pairs[index] for index in self._order[step]]
        epoch = sum(len(batch) for batch in self._order[:step]) // len(self._pairs)
        texts = [pair.positive for pair in pairs]
        for pair in pairs:
            count = len(pair.negatives)
            texts.extend(
                pair.negatives[(epoch * self._settings.negatives + turn) % count]
                for turn in range(min(self._settings.negatives, count))
            )
        # The same passage twice would be a right and a wrong answer at once.
        candidates = list(dict.fromkeys(texts))
        queries_Q_D = self._encoder([pair.query for pair in pairs])
        texts_T_D = self._encoder(candidates)
        scores_Q_T = queries_Q_D @ texts_T_D.T / self._settings.temperature
        place = {text: number for number, text in enumerate(candidates)}
        masked_Q_T = torch.zeros_like(scores_Q_T, dtype=torch.bool)
        for row, pair in enumerate(pairs):
            others = [place[text] for text in pair.also_right if text in place]
            masked_Q_T[row, others] = True
        target_Q = torch.tensor([place[pair.positive] for pair in pairs])
        target_Q = target_Q.to(scores_Q_T.device)
        masked_Q_T[torch.arange(len(pairs)), target_Q] = False
        scores_Q_T = scores_Q_T.masked_fill(masked_Q_T, float("-inf"))
        loss = torch.nn.functional.cross_entropy(scores_Q_T, target_Q)
        loss.backward()
        return Step(float(loss.detach()), 0)

    def dev_loss(self) -> float | None:
        """How far the pools are from being ranked right."""
        return 1.0 - self._reciprocal_rank() if self._pools else None

    def best_weights(self) -> dict[str, torch.Tensor]:
        """All weights of the model, the trained ones at their best."""
        weights = dict(self._model.state_dict()) | self.weights.best()
        return {name: w.detach().cpu().contiguous() for name, w in weights.items()}

    def _reciprocal_rank(self) -> float:
        """Mean over the pools, the first right text of each counting."""
        import torch

        texts = list(
            dict.fromkeys(t for pool in self._pools for t in (*pool.right, *pool.wrong))
        )
        place = {text: number for number, text in enumerate(texts)}
        with torch.no_grad():
            texts_T_D = self._encoder(texts)
            queries_Q_D = self._encoder([pool.query for pool in self._pools])
        total = 0.0
        for query_D, pool in zip(queries_Q_D, self._pools, strict=True):
            right = texts_T_D[[place[text] for text in pool.right]] @ query_D
            wrong = texts_T_D[[place[text] for text in pool.wrong]] @ query_D
            # A tie counts against the right one.
            total += 1.0 / (1 + int((wrong >= right.max()).sum()))
        return total / len(self._pools)


class Encoder:
    """Texts to unit vectors, as the embedder in service makes them, with gradients."""

    def __init__(self, base: ModelFolder, settings: EmbedderSettings) -> None:
        import torch
        from tokenizers import Tokenizer

        self.device = choose_device()
        self.dtype = choose_dtype(self.device)
        # Without dropout: nothing is drawn, and attention has its fast kernel.
        self.model: Any = load_encoder(base).to(self.device).eval()
        self._takes_first = _takes_first(base)
        self._ids: dict[str, list[int]] = {}
        self._tokenizer: Any = Tokenizer.from_file(str(base.path / "tokenizer.json"))
        self._tokenizer.no_padding()
        limit = int(base.config.get("max_position_embeddings", settings.max_tokens))
        self._tokenizer.enable_truncation(min(limit, settings.max_tokens))
        self._torch = torch

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """One unit row for each text."""
        torch = self._torch
        fresh = [text for text in dict.fromkeys(texts) if text not in self._ids]
        for text, found in zip(fresh, self._tokenizer.encode_batch(fresh), strict=True):
            self._ids[text] = list(found.ids)
        order = sorted(range(len(texts)), key=lambda i: len(self._ids[texts[i]]))
        parts: list[torch.Tensor] = []
        for start in range(0, len(order), _FORWARD_TEXTS):
            batch = [self._ids[texts[i]] for i in order[start : start + _FORWARD_TEXTS]]
            parts.append(self._forward(batch))
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back.to(self.device)]

    def _forward(self, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        torch = self._torch
        width = max(len(ids) for ids in batch)
        ids_B_T = torch.zeros(len(batch), width, dtype=torch.long)
        mask_B_T = torch.zeros(len(batch), width, dtype=torch.long)
        for row, ids in enumerate(batch):
            ids_B_T[row, : len(ids)] = torch.tensor(ids)
            mask_B_T[row, : len(ids)] = 1
        mask_B_T = mask_B_T.to(self.device)
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.dtype == torch.bfloat16,
        ):
            states = self.model(
                input_ids=ids_B_T.to(self.device), attention_mask=mask_B_T
            ).last_hidden_state
        states = states.float()
        if self._takes_first:
            pooled = states[:, 0]
        else:
            weight = mask_B_T[..., None].float()
            pooled = (states * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(pooled, dim=-1)


def _takes_first(base: ModelFolder) -> bool:
    """Whether the first token stands for the text, rather than the mean of all."""
    file = base.path / "1_Pooling" / "config.json"
    if not file.exists():
        return False
    raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    modes = {
        key
        for key, value in raw.items()
        if key.startswith("pooling_mode_") and value is True
    }
    if modes == {"pooling_mode_cls_token"}:
        return True
    if modes <= {"pooling_mode_mean_tokens"}:
        return False
    raise ModelLoadError(
        f"pooling by {' and '.join(sorted(modes))} is not supported",
        fix="use a model with mean or cls pooling",
        where=str(file),
    )


def _write(
    weights: dict[str, torch.Tensor],
    base: ModelFolder,
    out: Path,
    record: dict[str, Any],
) -> None:
    """A folder like the base's, with other weights."""
    from safetensors.torch import save_file

    made = out.with_name(f".{out.name}.new")
    remove_folder(made)
    with explained(made):
        shutil.copytree(
            base.path,
            made,
            ignore=shutil.ignore_patterns("*.safetensors", "*.onnx", MANIFEST),
        )
        save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    write_manifest(
        made,
        name=f"{base.name}-tuned",
        kind="embedder",
        licence=base.licence,
        more=record,
    )
    publish_folder(made, out)
