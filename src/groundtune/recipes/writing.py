"""Training of a model that writes, and its answers, each in a process of its own.

What a task is made of (what is shown, what is to be said) meets here with what trains
it and with what serves it.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.texts import TEXT_PROMPT_VERSION, TextPromptBuilder
from groundtune.config.writing import LONGEST_ROW, MOST_LEFT_OUT, MOST_NEW_TOKENS
from groundtune.core.errors import DataError
from groundtune.core.fingerprint import fingerprint
from groundtune.core.values import SummaryCase, TranslationCase
from groundtune.data.stratify import in_hashed_order
from groundtune.recipes.child import run_in_child
from groundtune.recipes.tracking import emitted
from groundtune.store.files import JsonLinesLog, read_json, read_json_lines
from groundtune.store.models import MANIFEST, open_model
from groundtune.store.tuned import checkpoint_folder, finished
from groundtune.systems.writer import Reply, Writer
from groundtune.tasks import summarization, support, translation
from groundtune.tune import attention
from groundtune.tune.dataset import pack_examples
from groundtune.tune.distributed import team
from groundtune.tune.export import write_model
from groundtune.tune.exports.prompts import held_out_prompts
from groundtune.tune.modify import add_adapter
from groundtune.tune.pretrained import (
    choose_device,
    choose_dtype,
    load,
    require_tune_extra,
)
from groundtune.tune.text_examples import TextCase, longest_answer, text_examples
from groundtune.tune.train import train

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundtune.config.training import TrainSettings
    from groundtune.core.protocols import Progress
    from groundtune.core.values import SupportCase
    from groundtune.recipes.child import Channel
    from groundtune.store.models import ModelFolder
    from groundtune.systems.writer import WriterSpec
    from groundtune.tune.dataset import Example, Pack

BLOCK = 128
"""Cases that are answered together. Blocks are the same in every run, so that answers
are, too, wherever a run was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextJob:
    """What to train on what. Paths as text: it crosses to another process."""

    task: str
    base: str
    out: str
    train: tuple[TextCase, ...]
    dev: tuple[TextCase, ...]
    instruction: str
    settings: TrainSettings
    seed: int
    is_tracked: bool = False
    """Whether steps are handed out as they are made."""

    @property
    def plan(self) -> str:
        """Fingerprint of all that decides the model, but for the base's weights."""
        parts: dict[str, Any] = asdict(self)
        for told in ("out", "is_tracked"):
            del parts[told]
        return fingerprint({**parts, "prompts": TEXT_PROMPT_VERSION})


def text_case(case: TranslationCase | SupportCase | SummaryCase) -> TextCase:
    """What a case shows and what it wants to be said."""
    if isinstance(case, SummaryCase):
        shown, said = summarization.history(case), summarization.target(case)
        return TextCase(case.id, shown, said, case.group, case.summaries[1:])
    if isinstance(case, TranslationCase):
        shown, said = translation.history(case), translation.target(case)
    else:
        shown, said = support.history(case), support.target(case)
    return TextCase(case.id, shown, said, case.group)


def train_text_model(job: TextJob, channel: Channel) -> dict[str, Any]:
    """Train, merge, write; return what stands in the model's manifest.

    Interrupted and called again, it goes on from its last checkpoint; what is done is
    not done again.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        DataError: Too many rows are too long to train on.
        ModelLoadError: The base cannot be trained.
        StoreError: The model cannot be written.
    """
    require_tune_extra()
    out = Path(job.out)
    base = open_model(job.base, kind="generator", offline=True)
    plan = f"{job.plan}-{base.weights_sha256[:8]}"
    if (written := finished(out, plan=plan)) is not None:
        return written
    channel.progress("preparing", 0, None)
    template = ChatTemplate(base.chat_template, where=base.name)
    builder = TextPromptBuilder(template, base.tokenizer(), instruction=job.instruction)
    end_token = _end_token(base)

    def examples(cases: Iterable[TextCase]) -> list[Example]:
        return text_examples(cases, builder=builder, end_token=end_token)

    taught = examples(in_hashed_order(job.train, seed=job.seed))
    packs, left_out = _packs(taught, base, job.settings)
    dev = _packs(examples(job.dev), base, job.settings)[0] if job.dev else []
    began = time.perf_counter()
    device = choose_device()
    dtype = choose_dtype(device)
    attention.register()
    model = load(base, dtype=dtype, attention=attention.GROUPED).to(device)
    model = add_adapter(model, job.settings, seed=job.seed)
    checkpoint = checkpoint_folder(out)
    trained = train(
        model,
        packs,
        dev=dev,
        settings=job.settings,
        folder=checkpoint,
        seed=job.seed,
        progress=channel.progress,
        observe=emitted(channel) if job.is_tracked else None,
    )
    if not team().is_main:
        return {}
    state = trained.state
    record: dict[str, Any] = {
        "task": job.task,
        "plan": plan,
        "prompt_version": TEXT_PROMPT_VERSION,
        "template_sha256": template.sha256,
        "template": {
            "chat": template.source,
            "instruction": job.instruction,
            "max_new_tokens": _most_new_tokens(job.task, taught),
        },
        "training": {
            "settings": asdict(job.settings),
            "seed": job.seed,
            "dtype": str(dtype).removeprefix("torch."),
            "device": device.type,
            "cases": {side: len(getattr(job, side)) for side in ("train", "dev")},
            "rows_left_out": left_out,
            "steps": state.step,
            "best_step": state.best_step,
            "tokens": state.tokens,
            "seconds": round(max(state.seconds, time.perf_counter() - began), 2),
            "dev_losses": [[at, round(loss, 5)] for at, loss in state.dev_losses],
            "train_losses": [round(loss, 4) for loss in state.train_losses],
        },
    }
    channel.progress("merging", 0, None)
    files = held_out_prompts(dev, base.tokenizer())
    write_model(model, base, out, name=out.name, record=record, files=files)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return read_json(out / MANIFEST)


def _end_token(base: ModelFolder) -> int:
    end = base.config["eos_token_id"]
    return int(end[0] if isinstance(end, list) else end)


def _packs(
    examples: Sequence[Example], base: ModelFolder, settings: TrainSettings
) -> tuple[list[Pack], int]:
    """Packs, and how many rows are too long for one.

    Raises:
        DataError: They are more than a few.
    """
    longest = min(LONGEST_ROW, int(base.config["max_position_embeddings"]))
    made = pack_examples(
        examples, pack_tokens=min(settings.pack_tokens, longest), longest=longest
    )
    rows = made.turns + made.too_long
    if made.too_long > MOST_LEFT_OUT * rows:
        raise DataError(
            f"{made.too_long} of {rows} rows have more than {longest} tokens, and an "
            "answer is never cut",
            fix="shorten or divide them; `groundtune doctor` shows which they are",
            where="training data",
        )
    return made.packs, made.too_long


def _most_new_tokens(task: str, taught: Sequence[Example]) -> int:
    """No answer needs more than the longest that was taught."""
    return min(MOST_NEW_TOKENS[task], longest_answer(taught))


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingJob:
    """A system and the blocks of cases that it still has to answer."""

    spec: WriterSpec
    blocks: tuple[tuple[TextCase, ...], ...]


def write_blocks(job: WritingJob, channel: Channel) -> None:
    """Answer each block and emit its replies, `None` where a prompt has no room."""
    channel.progress(f"{job.spec.name}: loading", 0, None)
    writer = Writer(job.spec)
    for block in job.blocks:
        fits = [writer.size(case.turns) <= writer.room for case in block]
        shown = [case.turns for case, ok in zip(block, fits, strict=True) if ok]
        replies = iter(writer.write(shown) if shown else [])
        channel.emit([next(replies) if ok else None for ok in fits])


class Answered(NamedTuple):
    """What a system wrote to the cases of a side, in their order."""

    texts: list[str]
    cut: int
    """Answers that the bound on new tokens ended."""
    failed: int
    """Cases whose prompt has no room: their answer is empty, and counts as such."""
    tokens: int
    seconds: float
    """Of those that were written just now."""


def answered(
    spec: WriterSpec,
    cases: Sequence[TextCase],
    *,
    log: Path,
    progress: Progress,
) -> Answered:
    """Bring a system's answers to completion.

    Args:
        spec: The system.
        cases: What to answer, in the order of the answers.
        log: File of the answers, a line a case; those that stand in it are kept if
            they are this system's to this case.
        progress: Told how many cases are answered.

    Raises:
        GroundtuneError: The system cannot be built, or an answer not be written.
    """
    system = fingerprint(asdict(spec))
    keys = [fingerprint({"system": system, "case": case._asdict()}) for case in cases]
    found: dict[str, Reply | None] = {}
    if log.exists():
        for row in read_json_lines(log):
            made = row["reply"]
            found[row["key"]] = Reply(**made) if made is not None else None
    blocks = [
        range(start, min(start + BLOCK, len(cases)))
        for start in range(0, len(cases), BLOCK)
    ]
    left = [block for block in blocks if any(keys[i] not in found for i in block)]
    seconds = 0.0
    if left:
        waiting = iter(left)
        done = len(cases) - sum(map(len, left))
        lines = JsonLinesLog(log)

        def add(replies: list[Reply | None]) -> None:
            nonlocal done
            block = next(waiting)
            for place, reply in zip(block, replies, strict=True):
                found[keys[place]] = reply
            lines.append(*(_line(cases[i], keys[i], found[keys[i]]) for i in block))
            done += len(block)
            progress(f"answering: {spec.name}", done, len(cases))

        progress(f"answering: {spec.name}", done, len(cases))
        job = WritingJob(
            spec=spec, blocks=tuple(tuple(cases[i] for i in block) for block in left)
        )
        try:
            finished = run_in_child(write_blocks, job, on_item=add, progress=progress)
        finally:
            lines.close()
        seconds = finished.seconds
    replies = [found[key] for key in keys]
    return Answered(
        texts=[one.text if one else "" for one in replies],
        cut=sum(one.is_cut for one in replies if one),
        failed=sum(one is None for one in replies),
        tokens=sum(one.output_tokens for one in replies if one),
        seconds=seconds,
    )


def _line(case: TextCase, key: str, reply: Reply | None) -> dict[str, Any]:
    return {
        "key": key,
        "id": case.id,
        "reference": case.target,
        "reply": reply._asdict() if reply is not None else None,
    }
