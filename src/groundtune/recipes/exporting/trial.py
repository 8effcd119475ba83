"""The trained model and its export are asked the same, and what came of it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from groundtune.core.errors import DataError
from groundtune.generate.engines import end_tokens
from groundtune.recipes.exporting.compare import compare_answers, compare_labels
from groundtune.recipes.exporting.request import find_base
from groundtune.recipes.exporting.runtimes import (
    Answered,
    Asked,
    llama_cpp_answers,
    onnx_answers,
    onnx_labels,
    openvino_answers,
    openvino_labels,
)
from groundtune.recipes.exporting.targets import LABEL_GRAPH, ONNX, gguf_file
from groundtune.tune.encoder.dataset import TextCutter, text_items, word_items
from groundtune.tune.exports.trained import (
    Peft,
    greedy_answers,
    label_logits,
    same_tokens,
)

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.recipes.exporting.compare import AnswerFigures, LabelFigures
    from groundtune.recipes.exporting.request import Tuned, Wish
    from groundtune.recipes.exporting.rows import Held
    from groundtune.tune.encoder.dataset import Item

ANSWER_TOKENS = 12
"""Length of the answers that are compared."""
_PROGRAMS = {
    "merged": "transformers",
    "adapter": "peft",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "gguf": "xllamacpp",
}


def try_labels(
    tuned: Tuned, wish: Wish, made: Path, held: Held, progress: Progress
) -> tuple[LabelFigures, str]:
    """Figures of a label model's export, and what opened it."""
    is_words = tuned.is_words
    items = _items(tuned, held)
    progress("asking the trained model", 0, None)
    trained = label_logits(tuned.folder.path, items, is_words=is_words)
    progress("asking the export", 0, None)
    if wish.to == "onnx":
        exported = onnx_labels(made / ONNX, items, is_words=is_words)
    elif wish.to == "openvino":
        exported = openvino_labels(made / LABEL_GRAPH, items, is_words=is_words)
    else:
        exported = label_logits(_opened(tuned, wish, made), items, is_words=is_words)
    names = [str(label) for label in tuned.manifest["labels"]]
    figures = compare_labels(trained, exported, names=names, gold=held.gold)
    return figures, _program(wish)


def try_answers(
    tuned: Tuned, wish: Wish, made: Path, held: Held, progress: Progress
) -> tuple[AnswerFigures, str]:
    """Figures of a generator's export, and what opened it.

    Raises:
        DataError: Every prompt is too long for the model.
    """
    asked = _asked(tuned, held)
    trained = greedy_answers(
        tuned.folder.path,
        asked.prompts,
        max_tokens=asked.max_tokens,
        ends=asked.ends,
        progress=progress,
    )
    if wish.to == "onnx":
        answers = onnx_answers(made / ONNX, asked, progress)
        found = Answered(answers, same_tokens(made, asked.texts, asked.prompts))
    elif wish.to == "openvino":
        found = openvino_answers(made, asked, progress)
    elif wish.to == "gguf":
        found = llama_cpp_answers(gguf_file(tuned, wish, made), asked, progress)
    else:
        answers = greedy_answers(
            _opened(tuned, wish, made),
            asked.prompts,
            max_tokens=asked.max_tokens,
            ends=asked.ends,
            progress=progress,
        )
        found = Answered(answers, same_tokens(made, asked.texts, asked.prompts))
    figures = compare_answers(trained, found.answers, same_prompts=found.same_prompts)
    program = "openvino-genai" if wish.to == "openvino" else None
    return figures, _program(wish, program)


def _opened(tuned: Tuned, wish: Wish, made: Path) -> Path | Peft:
    if wish.to == "adapter":
        return Peft(made, find_base(tuned, wish).path)
    return made


def _program(wish: Wish, name: str | None = None) -> str:
    chosen = name or _PROGRAMS[wish.to]
    return f"{chosen} {version(chosen)}"


def _items(tuned: Tuned, held: Held) -> list[Item]:
    longest = int(tuned.manifest["template"]["max_tokens"])
    cutter = TextCutter(tuned.folder.path, max_tokens=longest)
    if tuned.is_words:
        nothing = [[0] * len(words) for words in held.texts]
        return word_items(held.texts, nothing, cutter=cutter)
    return text_items(held.texts, [0] * len(held.texts), cutter=cutter)[0]


def _asked(tuned: Tuned, held: Held) -> Asked:
    folder = tuned.folder
    tokenizer = folder.tokenizer()
    room = int(folder.config["max_position_embeddings"]) - ANSWER_TOKENS
    pairs = [(text, tokenizer.encode(text)) for text in held.texts]
    fitting = [(text, ids) for text, ids in pairs if 0 < len(ids) <= room]
    if not fitting:
        raise DataError(
            f"none of the {len(pairs)} prompts fits into {room} tokens",
            fix="name a file of shorter prompts with --check",
            where=held.origin,
        )
    texts, prompts = zip(*fitting, strict=True)
    return Asked(
        texts=texts,
        prompts=prompts,
        max_tokens=ANSWER_TOKENS,
        ends=end_tokens(folder),
        config=folder.config,
    )
