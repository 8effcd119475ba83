"""Forecasts of learning curves, checked by holding out the largest training.

For each data set: frozen MiniLM, the head that `tune --strategy head` fits, nested
training sizes (each half of the next), three draws a size. The forecast sees every size
but the largest; printed are what the largest then scored, the forecast with its 80 %
interval, and whether it holds. Two tasks where more data does not help come last: there
the forecast is to be refused. Usage:

    python benchmarks/learning_curves.py DATA [--draws 3] [--sizes 6]

DATA holds the folders `sst2`, `trec6`, `banking77`, `bitext_customer_support`, `wnut17`
and `pubmedqa`. Of WNUT-17 it is asked whether a sentence names anything: one label a
sentence, made from its tags. Of PubMedQA only the question is shown, which does not say
whether the answer is yes, no or maybe.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from groundtune.core.fingerprint import text_sha256
from groundtune.measure.learning_curve import CurvePoint, Forecast, forecast
from groundtune.recipes.ingest import DEFAULT_EMBEDDER
from groundtune.retrieve.embed import open_named_embedder
from groundtune.tune.encoder.probe import PULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]

ROUNDS = 200
"""Steps of the search for a head, as in `tune`."""


class Labelled(NamedTuple):
    """A text with its label."""

    text: str
    label: str


class Split(NamedTuple):
    """What is learnt from, and what is measured on."""

    train: list[Labelled]
    test: list[Labelled]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sizes", type=int, default=6)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    tasks: dict[str, Callable[[Path], Split]] = {
        "SST-2": sst2,
        "TREC-6": trec6,
        "Banking77": banking77,
        "Bitext intents": bitext,
        "WNUT-17, names anything": wnut17,
        "SST-2, labels shuffled": shuffled,
        "PubMedQA, question alone": pubmedqa,
    }
    sys.stdout.write(
        "| task | trained on | measured | forecast | 80 % interval | holds | s |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    for name, read in tasks.items():
        began = time.perf_counter()
        split = read(chosen.data)
        largest, found, told = check(split, draws=chosen.draws, sizes=chosen.sizes)
        seconds = f"{time.perf_counter() - began:.0f}"
        cells = [name, f"{len(split.train):,}", f"{largest:.4f}", *told, seconds]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        if found.refused:
            sys.stdout.write(f"    {found.why}\n")
        sys.stdout.flush()


def check(
    split: Split, *, draws: int, sizes: int
) -> tuple[float, Forecast, tuple[str, str, str]]:
    """Train at every size, and forecast the largest from the others."""
    labels = sorted({case.label for case in split.train})
    number = {label: place for place, label in enumerate(labels)}
    train_N_D, test_N_D = embedded(split.train), embedded(split.test)
    train_N = np.array([number[case.label] for case in split.train])
    test_N = np.array([number.get(case.label, -1) for case in split.test])
    whole = len(train_N)
    points: list[CurvePoint] = []
    for halvings in range(sizes - 1, 0, -1):
        for seed in range(draws):
            order = np.random.default_rng(seed).permutation(whole)
            part = order[: whole >> halvings]
            right = scored(train_N_D[part], train_N[part], test_N_D, test_N)
            points.append(
                CurvePoint(
                    cases=len(part),
                    score=float(np.mean(right)),
                    seed=seed,
                    scores=right,
                )
            )
    largest = float(np.mean(scored(train_N_D, train_N, test_N_D, test_N)))
    found = forecast(points, at=[whole], rng=np.random.default_rng(0))
    if found.refused:
        return largest, found, ("refused", "", "")
    value, low, high = next(rest for n, *rest in found.curve if n == whole)
    held = "yes" if low <= largest <= high else "no"
    return largest, found, (f"{value:.4f}", f"[{low:.4f}, {high:.4f}]", held)


def scored(
    train_N_D: Floats, gold_N: Ints, test_N_D: Floats, test_N: Ints
) -> tuple[float, ...]:
    """Fit the head of `tune.encoder.probe` to vectors; 1 for each test case got right.

    The loss is that of the probe: mean cross-entropy, weights pulled towards 0.
    """
    seen = np.unique(gold_N)
    features_N_D = torch.from_numpy(train_N_D)
    places_N = torch.from_numpy(np.searchsorted(seen, gold_N))
    weight_L_D = torch.zeros(len(seen), train_N_D.shape[1], requires_grad=True)
    bias_L = torch.zeros(len(seen), requires_grad=True)
    search = torch.optim.LBFGS(
        [weight_L_D, bias_L], max_iter=ROUNDS, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        logits_N_L = torch.nn.functional.linear(features_N_D, weight_L_D, bias_L)
        fit = torch.nn.functional.cross_entropy(logits_N_L, places_N)
        whole = fit + 0.5 * PULL * (weight_L_D**2).sum()
        whole.backward()
        return whole

    search.step(loss)
    with torch.no_grad():
        logits_N_L = torch.from_numpy(test_N_D) @ weight_L_D.T + bias_L
    told_N = seen[logits_N_L.argmax(dim=1).numpy()]
    return tuple((told_N == test_N).astype(float).tolist())


def embedded(cases: list[Labelled]) -> Floats:
    """Vectors of texts, at the scale of the states that a head is fitted to."""
    embedder = open_named_embedder(DEFAULT_EMBEDDER)
    vectors_N_D = embedder.encode([case.text for case in cases])
    # A head sees states with a variance of about 1, not vectors of length 1.
    return vectors_N_D * np.float32(np.sqrt(vectors_N_D.shape[1]))


def sst2(data: Path) -> Split:
    """Sentences of reviews, good or bad."""
    return Split(
        *(
            [
                Labelled(text, label)
                for label, _, text in (
                    line.partition(" ")
                    for line in lines(data / "sst2" / f"stsa.binary.{side}")
                )
            ]
            for side in ("train", "test")
        )
    )


def shuffled(data: Path) -> Split:
    """SST-2 with the labels of training dealt out anew: nothing is to be learnt."""
    split = sst2(data)
    order = np.random.default_rng(0).permutation(len(split.train))
    labels = [split.train[place].label for place in order]
    dealt = [
        Labelled(case.text, label)
        for case, label in zip(split.train, labels, strict=True)
    ]
    return Split(dealt, split.test)


def trec6(data: Path) -> Split:
    """Questions by what they ask for."""
    return Split(
        *(
            [
                Labelled(text, label.partition(":")[0])
                for label, _, text in (
                    line.partition(" ")
                    for line in lines(
                        data / "trec6" / f"TREC.{side}.raw", encoding="latin-1"
                    )
                )
            ]
            for side in ("train", "test")
        )
    )


def banking77(data: Path) -> Split:
    """What a customer of a bank wants."""
    return Split(
        *(
            [
                Labelled(row["text"], row["category"])
                for row in table(data / "banking77" / f"{side}.csv")
            ]
            for side in ("train", "test")
        )
    )


def bitext(data: Path) -> Split:
    """What a customer of a shop wants; a fifth, chosen by text, is to measure on."""
    path = next((data / "bitext_customer_support").glob("*.csv"))
    cases = dict.fromkeys(
        Labelled(row["instruction"].strip(), row["intent"]) for row in table(path)
    )
    sides: tuple[list[Labelled], list[Labelled]] = ([], [])
    for case in cases:
        sides[int(text_sha256(case.text), 16) % 5 == 0].append(case)
    return Split(*sides)


def wnut17(data: Path) -> Split:
    """Whether a sentence names a person, a place or the like."""
    names = ("wnut17train.conll", "emerging.test.annotated")
    return Split(*(list(sentences(data / "wnut17" / name)) for name in names))


def pubmedqa(data: Path) -> Split:
    """Questions of studies, with the answer that the study gave."""
    with (data / "pubmedqa" / "ori_pqal.json").open(encoding="utf-8") as file:
        found = json.load(file)
    sides: tuple[list[Labelled], list[Labelled]] = ([], [])
    for number, one in found.items():
        case = Labelled(one["QUESTION"], one["final_decision"])
        sides[int(text_sha256(number), 16) % 3 == 0].append(case)
    return Split(*sides)


def sentences(path: Path) -> Iterator[Labelled]:
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line.strip()]
        if rows:
            tagged = any(row[1].strip() != "O" for row in rows)
            yield Labelled(
                " ".join(row[0] for row in rows), "names" if tagged else "nothing"
            )


def lines(path: Path, *, encoding: str = "utf-8") -> list[str]:
    return path.read_text(encoding=encoding).splitlines()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
