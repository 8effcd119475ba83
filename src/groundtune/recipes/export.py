"""The job `export`: a tuned model in the form that another program opens.

Whatever is written is opened again by the program that it is for, and compared with the
trained model on held-out rows; only then does the folder appear.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from groundtune.core.protocols import silent
from groundtune.recipes.exporting.compare import (
    ANSWER_LIMITS,
    LABEL_LIMITS,
    ROUNDED_ANSWER_LIMITS,
    ROUNDED_LABEL_LIMITS,
    refuse_different,
)
from groundtune.recipes.exporting.request import Wish, check_wish, open_tuned
from groundtune.recipes.exporting.rows import held_prompts, held_texts
from groundtune.recipes.exporting.targets import write_target
from groundtune.recipes.exporting.trial import try_answers, try_labels
from groundtune.store.files import explained, write_json, write_lock
from groundtune.store.folders import publish_folder, remove_folder
from groundtune.tune.pretrained import require_tune_extra

if TYPE_CHECKING:
    from pathlib import Path

    from groundtune.core.protocols import Progress
    from groundtune.recipes.exporting.request import Target
    from groundtune.tune.exports.merged import Precision

RECORD = "export.json"
"""File of an export that says what it is and how it was checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What `export --json` prints, and an export's folder keeps."""

    model: str
    """Name and hash of what was exported."""
    task: str
    to: str
    int8: bool
    precision: str
    """Of the weights of `merged`."""
    out: str
    files: dict[str, int]
    """Bytes of each."""
    checked_in: str
    """Program and version that opened it again."""
    rows: str
    """Where the rows come from that it was tried on: "test", "dev", or a file."""
    figures: dict[str, float | int | None]
    """How far it is from the trained model; see `exporting.compare`."""
    limits: dict[str, float]
    """What it had to keep."""


def export(
    model: str,
    *,
    to: Target,
    out: Path,
    is_int8: bool = False,
    precision: Precision = "as-trained",
    base: str = "",
    check: Path | None = None,
    column: str = "",
    progress: Progress = silent,
) -> ExportReport:
    """Write a tuned model for another program; whole and checked, or not at all.

    Args:
        model: Folder that `tune` made.
        to: "merged" or "adapter" for transformers and peft, "onnx", "openvino", or
            "gguf" for llama.cpp.
        out: Folder to make; an export that stands there is replaced.
        is_int8: Keep weights in 8 bits; for onnx, openvino and gguf.
        precision: Of the weights of "merged".
        base: What an adapter stands on; found by itself where it was not moved.
        check: Rows to try the export on; the model's own held-out ones if not given.
        column: Of the texts or prompts in `check`; found by its name if not given.
        progress: Told of each step.

    Raises:
        ConfigError: The model cannot be exported so, or `out` holds something else.
        DataError: There are no rows to try it on.
        MissingExtraError: The extras `tune` and `export` are needed.
        ModelLoadError: The folder is no tuned model, is unsafe or damaged.
        StoreError: It cannot be written, or does not answer as the trained model.
    """
    require_tune_extra()
    tuned = open_tuned(model)
    wish = Wish(to=to, is_int8=is_int8, precision=precision, base=base)
    check_wish(tuned, wish, out, record=RECORD)
    is_rounded = is_int8 or precision == "bfloat16"
    folder = tuned.folder
    if folder.kind == "generator":
        held = held_prompts(folder, check, column=column)
        limits = ROUNDED_ANSWER_LIMITS if is_rounded else ANSWER_LIMITS
    else:
        held = held_texts(folder, check, column=column, is_words=tuned.is_words)
        limits = ROUNDED_LABEL_LIMITS if is_rounded else LABEL_LIMITS
    made = out.with_name(f".{out.name}.new")
    with write_lock(out.with_name(f".{out.name}.lock")):
        remove_folder(made)
        try:
            with explained(made):
                made.mkdir(parents=True)
            progress(f"writing {to}", 0, None)
            write_target(tuned, wish, made)
            attempt = try_answers if folder.kind == "generator" else try_labels
            figures, checked_in = attempt(tuned, wish, made, held, progress)
            refuse_different(figures, limits, to=to)
            report = ExportReport(
                model=f"{folder.name}@{folder.weights_sha256[:8]}",
                task=str(tuned.manifest["task"]),
                to=to,
                int8=is_int8,
                precision=precision if to == "merged" else "",
                out=str(out),
                files=_sizes(made),
                checked_in=checked_in,
                rows=held.origin,
                figures=asdict(figures),
                limits={k: v for k, v in asdict(limits).items() if v is not None},
            )
            write_json(made / RECORD, _record(report, check))
            publish_folder(made, out)
        finally:
            remove_folder(made)
    return report


def _sizes(folder: Path) -> dict[str, int]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def _record(report: ExportReport, check: Path | None) -> dict[str, Any]:
    """The report without the places of this machine."""
    told = asdict(report)
    del told["out"]
    return told if check is None else {**told, "rows": check.name}
