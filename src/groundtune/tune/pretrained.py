"""Step 1 of fine-tuning: open the pre-trained model in the precision that pays."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from groundtune.core.errors import MissingExtraError, ModelLoadError
from groundtune.tune.distributed import team

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from groundtune.store.models import ModelFolder

_GEMM_ROWS, _GEMM_SIZE, _REPEATS = 512, 1024, 8
_WORTH = 1.2
"""bf16 must beat fp32 by this factor: it costs precision, so a draw goes to fp32."""


def require_tune_extra() -> None:
    """Check that the training libraries are there.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
    """
    try:
        import peft  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import transformers  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"fine-tuning needs the module {error.name!r}",
            fix='run: pip install "groundtune[tune]"',
        ) from error


@contextmanager
def peft_quietly() -> Generator[None]:
    """While peft uses names that transformers gave up: no person could mend it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def choose_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """bf16 where it is faster for matrix products, by a short self-test; else fp32.

    Without bf16 instructions a CPU computes bf16 more than twice slower than fp32.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(_GEMM_ROWS, _GEMM_SIZE, generator=generator)
    weights = torch.randn(_GEMM_SIZE, _GEMM_SIZE, generator=generator)

    def best(dtype: torch.dtype) -> float:
        a, b = rows.to(dtype), weights.to(dtype)
        took: list[float] = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            torch.mm(a, b)
            took.append(time.perf_counter() - start)
        return min(took)

    pays = best(torch.float32) > _WORTH * best(torch.bfloat16)
    # Processes that train together compute alike, whatever each of them measured.
    return torch.bfloat16 if team().of_main(float(pays)) else torch.float32


def load(model: ModelFolder, *, dtype: torch.dtype, attention: str = "eager") -> Any:  # noqa: ANN401 (transformers gives no useful type)
    """Open a model folder with transformers, from safetensors, without remote code.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: transformers cannot open the folder.
    """
    require_tune_extra()
    from transformers import AutoModelForCausalLM

    return _open(AutoModelForCausalLM, model, dtype=dtype, attention=attention)


def load_encoder(model: ModelFolder) -> Any:  # noqa: ANN401 (as above)
    """Open an embedding model for training, in fp32.

    Raises:
        MissingExtraError: The extra `tune` is not installed.
        ModelLoadError: It has no safetensors, or transformers cannot open it.
    """
    require_tune_extra()
    import torch
    from transformers import AutoModel

    if model.weights.suffix != ".safetensors":
        raise ModelLoadError(
            "an ONNX export cannot be trained",
            fix="start from a model with safetensors, such as all-minilm-l6-v2",
            where=str(model.path),
        )
    return _open(AutoModel, model, dtype=torch.float32, attention="sdpa")


def _open(kind: Any, model: ModelFolder, *, dtype: torch.dtype, attention: str) -> Any:  # noqa: ANN401 (as above)
    from transformers.utils.logging import (
        disable_progress_bar,
        enable_progress_bar,
        is_progress_bar_enabled,
    )

    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        return kind.from_pretrained(
            model.path,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"transformers cannot open it: {error}",
            fix="check config.json, or pull the model again",
            where=str(model.path),
        ) from error
    finally:
        if shown:
            enable_progress_bar()
