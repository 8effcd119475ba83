"""Step 3, in a process of its own: train one adapter and leave a model folder.

The closed-book adapter learns questions and answers without documents; the context
adapter learns to read what the retriever brings. Both start from the same weights.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.prompt import INSTRUCTION, PROMPT_VERSION, PromptBuilder
from groundtune.core.errors import DataError
from groundtune.recipes.comparison.reading import reading_style
from groundtune.recipes.tracking import emitted
from groundtune.store.models import open_model
from groundtune.store.tuned import checkpoint_folder
from groundtune.systems.trained import LEARNED_RANKING
from groundtune.tune import attention
from groundtune.tune.dataset import Pack, pack_examples
from groundtune.tune.distributed import team
from groundtune.tune.examples import (
    Evidence,
    Writer,
    closed_book_examples,
    context_examples,
)
from groundtune.tune.export import write_model
from groundtune.tune.exports.prompts import held_out_prompts
from groundtune.tune.modify import add_adapter
from groundtune.tune.pretrained import (
    choose_device,
    choose_dtype,
    load,
    require_tune_extra,
)
from groundtune.tune.train import train

if TYPE_CHECKING:
    from groundtune.augment.prompt import PromptStyle
    from groundtune.config.training import ContextSettings, TrainSettings
    from groundtune.core.values import QaCase
    from groundtune.recipes.child import Channel

_MOST_ROUNDS = 20
"""Redraws of the context examples: other distractors and orders for each epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterJob:
    """What to train on what. Paths as text: it crosses to another process."""

    kind: Literal["closed-book", "context"]
    base: str
    out: str
    train: tuple[QaCase, ...]
    dev: tuple[QaCase, ...]
    settings: TrainSettings
    reading: ContextSettings
    evidence: dict[str, Evidence] = field(default_factory=dict[str, Evidence])
    """By case id; the context adapter's alone."""
    ranking: str = ""
    """File of the query adapter by which its sentences were ranked; empty: none."""
    seed: int = 0
    is_tracked: bool = False
    """Whether steps are handed out as they are made."""


def train_adapter(job: AdapterJob, channel: Channel) -> dict[str, Any]:
    """Train, merge, write; return the record that stands in the model's manifest.

    Interrupted and called again, it goes on from its last checkpoint.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        DataError: Nothing to train on.
        StoreError: The model cannot be written.
    """
    require_tune_extra()
    out = Path(job.out)
    base = open_model(job.base, kind="generator", offline=True)
    channel.progress(f"{job.kind} adapter: preparing", 0, None)
    device = choose_device()
    dtype = choose_dtype(device)
    attention.register()
    model = load(base, dtype=dtype, attention=attention.GROUPED).to(device)
    model = add_adapter(model, job.settings, seed=job.seed)
    writer = _writer(base, style=_style(job))
    packs, settings, left_out = _training_packs(job, writer)
    dev = _packs(job, writer, job.dev, seed=job.seed)[0] if job.dev else []

    def progress(_: str, done: int, total: int | None) -> None:
        channel.progress(f"{job.kind} adapter: training", done, total)

    checkpoint = checkpoint_folder(out)
    trained = train(
        model,
        packs,
        dev=dev,
        settings=settings,
        folder=checkpoint,
        seed=job.seed,
        progress=progress,
        observe=emitted(channel) if job.is_tracked else None,
    )
    if not team().is_main:
        return {}
    state = trained.state
    record: dict[str, Any] = {
        "task": "qa",
        "adapter": job.kind,
        "prompt_version": PROMPT_VERSION,
        "template_sha256": ChatTemplate(base.chat_template).sha256,
        "style": asdict(_style(job)),
        "training": {
            "settings": asdict(job.settings),
            "seed": job.seed,
            "dtype": str(dtype).removeprefix("torch."),
            "device": device.type,
            "steps": state.step,
            "best_step": state.best_step,
            "tokens": state.tokens,
            "questions_left_out": left_out,
            "dev_losses": state.dev_losses,
            "train_losses": [round(loss, 4) for loss in state.train_losses],
        },
    }
    channel.progress(f"{job.kind} adapter: merging", 0, None)
    files: dict[str, str | bytes] = dict(held_out_prompts(dev, base.tokenizer()))
    if job.ranking:
        files[LEARNED_RANKING] = Path(job.ranking).read_bytes()
    write_model(model, base, out, name=out.name, record=record, files=files)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return {**record, "train_seconds": state.seconds}


def _style(job: AdapterJob) -> PromptStyle:
    """How the model is asked, now and ever after."""
    if job.kind == "closed-book":
        return INSTRUCTION
    return reading_style(job.reading)


def _writer(base: Any, *, style: PromptStyle) -> Writer:  # noqa: ANN401
    tokenizer = base.tokenizer()
    template = ChatTemplate(base.chat_template, where=base.name)
    builder = PromptBuilder(template, tokenizer, style=style)
    return Writer(builder, tokenizer, end_token=_end_token(base.config))


def _end_token(config: dict[str, Any]) -> int:
    end = config["eos_token_id"]
    return int(end[0] if isinstance(end, list) else end)


def _packs(
    job: AdapterJob, writer: Writer, cases: tuple[QaCase, ...], *, seed: int
) -> tuple[list[Pack], int]:
    if job.kind == "closed-book":
        examples = closed_book_examples(cases, writer=writer)
    else:
        reading = job.reading
        # As many as stand beside the right one at inference, where that is sentences.
        most = max(reading.distractors, (reading.sentences or 0) - 1)
        examples = context_examples(
            cases,
            job.evidence,
            writer=writer,
            settings=replace(reading, distractors=most),
            seed=seed,
        )
    if not examples:
        raise DataError(
            f"no case is of use for the {job.kind} adapter",
            fix='give cases "answers", and "source" or "evidence" for the context one',
            where="training cases",
        )
    made = pack_examples(examples, pack_tokens=job.settings.pack_tokens)
    return made.packs, made.too_long


def _training_packs(
    job: AdapterJob, writer: Writer
) -> tuple[list[Pack], TrainSettings, int]:
    """Packs and settings of the whole training; context epochs are drawn anew."""
    packs, left_out = _packs(job, writer, job.train, seed=job.seed)
    settings = job.settings
    if job.kind == "closed-book":
        return packs, settings, left_out
    size = sum(len(pack) for pack in packs)
    tokens = min(settings.max_tokens, math.ceil(settings.epochs * size))
    for number in range(1, min(math.ceil(tokens / size), _MOST_ROUNDS)):
        more, _ = _packs(job, writer, job.train, seed=job.seed + 1000 * number)
        packs += more
    # The rounds are the epochs: one pass over all of them, cut at the token bound.
    return packs, replace(settings, epochs=1.0, max_tokens=tokens), left_out
