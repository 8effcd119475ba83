"""The page and the card of a model that writes, beside what needs no training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from groundtune.core.fingerprint import canonical_json, text_sha256
from groundtune.recipes.present import PAGE
from groundtune.recipes.tuning_page.card import write_model_card
from groundtune.recipes.tuning_page.content import text_content
from groundtune.recipes.tuning_page.page import write_tuning_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from groundtune.recipes.tuning_page.tuned import TunedModel
    from groundtune.tune.text_examples import TextCase


def present_texts(
    folder: Path,
    *,
    task: str,
    measure: str,
    train: Sequence[TextCase],
    test: Sequence[TextCase],
    predicted: Sequence[str],
    base: str,
    method: str,
    baselines: Mapping[str, Sequence[str]],
    dev: Sequence[TextCase] = (),
    history: Sequence[Mapping[str, float]] = (),
    settings: Mapping[str, Any] | None = None,
    licence: str = "",
    limits: Sequence[str] = (),
    basis: Literal["test", "dev"] = "test",
    seed: int = 0,
) -> TunedModel:
    """Write the page and the card of a model for a task that writes.

    Args:
        folder: The model's own; its name is the model's.
        task: One of `systems.writer.WRITTEN_TASKS`.
        measure: The primary one, such as `bleu`.
        train: What it learnt from.
        test: At least one case that it did not see.
        predicted: What it writes to each of `test`.
        base: The pre-trained model.
        method: How it was tuned, such as `LoRA, rank 16`.
        baselines: What each baseline says to each of `test`, by its name.
        dev: Cases that chose among weights; only counted.
        history: See `tuning_page.plots`.
        settings: Hyper-parameters.
        licence: Of the weights.
        limits: What else the card should warn of.
        basis: `dev` where there are no test cases and dev cases stand in as `test`.
        seed: Where resampling starts.

    Raises:
        StoreError: A file could not be written.
    """
    told: dict[str, Any] = {}
    for side, cases in (("training", train), ("dev", dev), (basis, test)):
        if cases:
            told[f"{side} cases"] = len(cases)
            told[f"{side} sha256"] = text_sha256(
                "\n".join(canonical_json(case._asdict()) for case in cases)
            )
    model = text_content(
        name=folder.resolve().name,
        task=task,
        measure=measure,
        asked=[case.asked for case in test],
        references=[case.accepted for case in test],
        predicted=predicted,
        ids=[case.id for case in test],
        groups=[case.group or case.id for case in test],
        baselines=baselines,
        history=history,
        settings={"base model": base, "method": method, **(settings or {})},
        data=told,
        basis=basis,
        seed=seed,
    )
    write_tuning_page(folder / PAGE, model)
    write_model_card(
        folder, model, base=base, method=method, licence=licence, limits=limits
    )
    return model
