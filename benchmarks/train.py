"""Training: groundtune against Trainer of transformers, SFTTrainer of TRL, and SetFit.

    full    MiniLM on TREC-6 (5,452 questions, 6 labels), every weight, 5 epochs
    frozen  the same with four of six layers frozen; Trainer also freezes the embeddings
    lora    SmolLM2 on English to German (Multi30k), one epoch of LoRA
    few     MiniLM on 8 questions a label of TREC-6

Same texts, same epochs, same examples a step on both sides; other settings of a peer
are its defaults, and what is not stands in peers/train_NAME.py. Each training runs in a
process of its own, in an environment of its own (the first run makes them); the systems
take turns, so that a busy machine slows all of them. Time is that of training alone:
libraries and model are loaded and texts are tokens. Peak memory is that of the whole
process. A round is a seed, and for `few` another draw. Usage:

    python benchmarks/train.py DATA [--only full,frozen,lora,few] [--rounds 3] [--quick]

DATA holds the folders `trec6` and `multi30k`. `--quick` cuts texts and rounds: enough
to see that all works, not to compare quality.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.texts import TextPromptBuilder, translation_instruction
from groundtune.core.values import LabelCase, Message
from groundtune.data.labelled import read_labelled
from groundtune.data.stratify import split_stratified
from groundtune.store.catalog import DEFAULT_GENERATOR
from groundtune.store.models import open_model
from peers.children import OURS
from peers.command import environments_folder, model_folder, run
from peers.environments import interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Rows = list[list[str]]

LIMIT_SECONDS = 3600
"""For one training."""
EPOCHS = 5
BATCH = 16
LABEL_RATE = 1e-4
"""Trainer's; groundtune's own default is the same."""
FROZEN = 4
LORA_BATCH = 8
LORA_RATE = 1e-3
RANK, ALPHA = 16, 32
SHOTS = 8
DEV_SHARE = 0.1
KINDS = ("full", "frozen", "lora", "few")
LOG_LINES = 15


class Peer(NamedTuple):
    """What one kind of training is compared with."""

    name: str
    module: str
    environment: str
    frozen: bool = False


class Target(NamedTuple):
    """A figure of ours over the peer's, and where it should stand."""

    figure: str
    """`speed` (the peer's seconds over ours), `memory`, or `quality` (points)."""
    peer: str
    at_least: float | None = None
    at_most: float | None = None


TRAINER, TRAINER_FROZEN = "Trainer", "Trainer, frozen"
PEERS: Mapping[str, tuple[Peer, ...]] = {
    "full": (Peer(TRAINER, "train_transformers", "trl"),),
    "frozen": (
        Peer(TRAINER, "train_transformers", "trl"),
        Peer(TRAINER_FROZEN, "train_transformers", "trl", frozen=True),
    ),
    "lora": (Peer("SFTTrainer", "train_trl", "trl"),),
    "few": (Peer("SetFit", "train_setfit", "setfit"),),
}
TARGETS: Mapping[str, tuple[Target, ...]] = {
    "full": (
        Target("speed", TRAINER, at_least=2),
        Target("quality", TRAINER, at_least=-0.5),
    ),
    "frozen": (
        Target("speed", TRAINER, at_least=4),
        Target("speed", TRAINER_FROZEN, at_least=4),
        Target("quality", TRAINER_FROZEN, at_least=-0.5),
    ),
    "lora": (
        Target("speed", "SFTTrainer", at_least=2),
        Target("memory", "SFTTrainer", at_most=0.5),
        Target("quality", "SFTTrainer", at_least=-0.5),
    ),
    "few": (
        Target("speed", "SetFit", at_least=3),
        Target("quality", "SetFit", at_least=0),
    ),
}


def main() -> None:
    chosen = arguments()
    kinds = [kind for kind in KINDS if kind in chosen.only]
    environments = {peer.environment for kind in kinds for peer in PEERS[kind]}
    root = environments_folder(chosen.envs)
    pythons = {name: interpreter(name, root=root) for name in sorted(environments)}
    pythons[OURS] = Path(sys.executable)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for number in range(chosen.rounds):
        for kind in kinds:
            job = job_of(kind, chosen, seed=number)
            for peer in turns(kind, found, number):
                reply = trained(peer, kind, job, pythons=pythons, chosen=chosen)
                system = found.setdefault(kind, {}).setdefault(peer.name, [])
                system.append(reply)
                print(
                    f"round {number + 1}, {kind}, {peer.name}: "
                    f"{reply['seconds']:.1f} s, {reply['quality']:.2f} %, "
                    f"{reply['peak_mb']:.0f} MB",
                    file=sys.stderr,
                )
    figures = {
        kind: {name: figures_of(rows) for name, rows in systems.items()}
        for kind, systems in found.items()
    }
    if chosen.json:
        print(json.dumps(figures, indent=2))
        return
    for kind, systems in figures.items():
        show(kind, systems, rounds=chosen.rounds, threads=chosen.threads)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with trec6 and multi30k")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=list(KINDS),
        help=f"of {','.join(KINDS)}; default: all",
    )
    parser.add_argument("--rounds", type=int, default=3, help="medians count")
    parser.add_argument("--pairs", type=int, default=800, help="for lora")
    parser.add_argument("--quick", action="store_true", help="few texts, one round")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--label-rate", type=float, default=LABEL_RATE)
    parser.add_argument("--lora-rate", type=float, default=LORA_RATE)
    parser.add_argument(
        "--envs",
        type=Path,
        help="folder of the peers' environments; default: in groundtune's cache",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    chosen = parser.parse_args()
    if unknown := set(chosen.only) - set(KINDS):
        parser.error(f"no kind {unknown.pop()!r}; there are {', '.join(KINDS)}")
    if chosen.quick:
        chosen.rounds, chosen.pairs = 1, 48
    return chosen


def turns(
    kind: str, found: dict[str, dict[str, list[dict[str, float]]]], number: int
) -> list[Peer]:
    """Who trains in this round, in an order that changes from round to round."""
    all_of_kind = [Peer(OURS, "train_groundtune", OURS), *PEERS[kind]]
    if number % 2:
        all_of_kind.reverse()
    # Frozen layers are also compared with the full training, which has just been run.
    known = found.get("full", {}).get(TRAINER, [])
    if kind == "frozen" and len(known) > number:
        found.setdefault(kind, {}).setdefault(TRAINER, []).append(known[number])
        return [peer for peer in all_of_kind if peer.name != TRAINER]
    return all_of_kind


def trained(
    peer: Peer,
    kind: str,
    job: dict[str, Any],
    *,
    pythons: Mapping[str, Path],
    chosen: argparse.Namespace,
) -> dict[str, float]:
    """Have one system train, in a process of its own.

    Raises:
        SystemExit: It failed or took too long; shows the end of its log.
    """
    freezes = kind == "frozen" and (peer.name == OURS or peer.frozen)
    count = str(chosen.threads)
    settings = {
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), count),
        # Everything is on disk, and nothing is to be told about this run.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    worker = Path(__file__).resolve().parent / "peers" / "train_worker.py"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        written = {**job, "out": folder, "frozen": FROZEN if freezes else 0}
        file.write_text(json.dumps(written), encoding="utf-8")
        try:
            done = subprocess.run(
                [pythons[peer.environment], worker, peer.module, file, count],
                capture_output=True,
                text=True,
                timeout=LIMIT_SECONDS,
                check=False,
                env={**os.environ, **settings},  # noqa: TID251 (and PATH, and caches)
            )
        except subprocess.TimeoutExpired as error:
            raise SystemExit(f"{peer.name} took over {LIMIT_SECONDS} s") from error
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-LOG_LINES:])
        raise SystemExit(f"{peer.name} failed (exit {done.returncode}):\n{said}")
    reply: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**reply, "examples": len(job["train"]) * job["epochs"], **job["counts"]}


def job_of(kind: str, chosen: argparse.Namespace, *, seed: int) -> dict[str, Any]:
    """What all systems of a kind are told; see peers/train_worker.py."""
    job: dict[str, Any] = {"kind": kind, "seed": seed, "counts": {}}
    if kind == "lora":
        return {**job, **lora_job(chosen)}
    cases = [
        cast("LabelCase", case)
        for case in read_labelled(
            chosen.data / "trec6" / "TREC.train.all", task="classification"
        ).cases
    ]
    tested = read_labelled(
        chosen.data / "trec6" / "TREC.test.all", task="classification"
    ).cases
    labels = sorted({case.label for case in cases})
    job |= {
        "model": str(model_folder()),
        "labels": labels,
        "rate": chosen.label_rate,
        "epochs": 1 if chosen.quick or kind == "few" else EPOCHS,
        "batch": BATCH,
        "test": rows_of(cast("Sequence[LabelCase]", tested)),
        "dev": [],
    }
    if kind == "few":
        rng = np.random.default_rng(seed)
        few: list[LabelCase] = []
        for label in labels:
            own = [case for case in cases if case.label == label]
            drawn = rng.choice(len(own), SHOTS, replace=False)
            few += [own[int(number)] for number in drawn]
        return {**job, "train": rows_of(few)}
    train, dev = split_stratified(cases, shares=(1 - DEV_SHARE, DEV_SHARE), seed=seed)
    if chosen.quick:
        train, dev = train[:: len(train) // 320], dev[::10]
    return {**job, "train": rows_of(train), "dev": rows_of(dev)}


def rows_of(cases: Sequence[LabelCase]) -> Rows:
    return [[case.text, case.label] for case in cases]


def lora_job(chosen: argparse.Namespace) -> dict[str, Any]:
    model = open_model(DEFAULT_GENERATOR, kind="generator")
    instruction = translation_instruction("en", "de")
    template = ChatTemplate(model.chat_template, where=model.name)
    builder = TextPromptBuilder(template, model.tokenizer(), instruction=instruction)
    end = model.config["eos_token_id"]

    def pairs(side: str, count: int) -> Rows:
        sides: list[list[str]] = []
        for language in ("en", "de"):
            file = chosen.data / "multi30k" / f"{side}.{language}.gz"
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                sides.append([line.strip() for line in lines][:count])
        return [list(pair) for pair in zip(*sides, strict=True)]

    def tokens(row: list[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        prompt = builder.build((Message("user", row[0]),))
        return prompt.tokens, (*builder.answer(row[1]), int(end))

    train = pairs("train", chosen.pairs)
    sizes = [len(prompt) + len(answer) for prompt, answer in map(tokens, train)]
    head = len(builder.build((Message("user", train[0][0]),)).head)
    pack = head + round(LORA_BATCH / 2 * (statistics.mean(sizes) - head))
    judged = [
        tokens(row) for row in pairs("test_2016_flickr", 24 if chosen.quick else 200)
    ]
    return {
        "model": str(model.path),
        "instruction": instruction,
        "rate": chosen.lora_rate,
        "rank": RANK,
        "alpha": ALPHA,
        "epochs": 1,
        "batch": LORA_BATCH,
        # Ours puts four texts behind one head, and two such packs make a step.
        "pack_tokens": pack,
        "batch_tokens": 2 * pack,
        "train": train,
        "dev": pairs("val", 16 if chosen.quick else 64),
        "test": [],
        "labels": [],
        "judged": judged,
        "counts": {"tokens": sum(sizes)},
    }


def figures_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Medians over the rounds; quality is a mean."""
    figures = {
        key: round(statistics.median(row[key] for row in rows), 2)
        for key in ("seconds", "cpu_seconds", "peak_mb", "steps")
    }
    rates = [row["examples"] / row["seconds"] for row in rows]
    figures["examples_per_second"] = round(statistics.median(rates), 2)
    if "tokens" in rows[0]:
        per_second = [row["tokens"] / row["seconds"] for row in rows]
        figures["tokens_per_second"] = round(statistics.median(per_second), 1)
    figures["quality"] = round(statistics.mean(row["quality"] for row in rows), 2)
    figures["worst"] = round(min(row["quality"] for row in rows), 2)
    return figures


def show(
    kind: str, systems: Mapping[str, dict[str, float]], *, rounds: int, threads: int
) -> None:
    print(f"\n{kind}: {threads} threads, median of {rounds} rounds, mean quality")
    print(
        f"{'':<16} {'seconds':>8} {'CPU s':>8} {'examples/s':>10} {'tokens/s':>9} "
        f"{'steps':>6} {'peak MB':>8} {'quality %':>9} {'worst':>6}"
    )
    for name, row in systems.items():
        tokens = row.get("tokens_per_second")
        print(
            f"{name:<16} {row['seconds']:>8.1f} {row['cpu_seconds']:>8.1f} "
            f"{row['examples_per_second']:>10.1f} "
            f"{'' if tokens is None else f'{tokens:.1f}':>9} {row['steps']:>6.0f} "
            f"{row['peak_mb']:>8.0f} {row['quality']:>9.2f} {row['worst']:>6.2f}"
        )
    for target in TARGETS[kind]:
        print(verdict(target, systems))


def verdict(target: Target, systems: Mapping[str, dict[str, float]]) -> str:
    """A line that holds our figure against the peer's."""
    ours, theirs = systems[OURS], systems[target.peer]
    if target.figure == "speed":
        value = theirs["seconds"] / ours["seconds"]
    elif target.figure == "memory":
        value = ours["peak_mb"] / theirs["peak_mb"]
    else:
        value = ours["quality"] - theirs["quality"]
    low, high = target.at_least, target.at_most
    met = (low is None or value >= low) and (high is None or value <= high)
    bound = f"at least {low}" if low is not None else f"at most {high}"
    return (
        f"{target.figure} against {target.peer}: {value:.2f} "
        f"({bound}: {'met' if met else 'missed'})"
    )


if __name__ == "__main__":
    run(main)
