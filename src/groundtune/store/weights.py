"""Reading the weights of a model folder as numpy arrays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.core.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]


class SafetensorsFile:
    """Reads tensors of a .safetensors file as float32, bfloat16 included.

    numpy has no bfloat16, so the library's own numpy reader refuses such files.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                if length > path.stat().st_size:
                    msg = "the header is longer than the file"
                    raise ValueError(msg)
                self._entries: dict[str, Any] = json.loads(stream.read(length))
            self._raw = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
        except (OSError, ValueError) as error:
            raise ModelLoadError(
                f"not a safetensors file: {error}",
                fix="copy it again from where it came from",
                where=str(path),
            ) from error
        self._path = path
        self.metadata: dict[str, str] = self._entries.pop("__metadata__", {})

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Names of the tensors, sorted."""
        return sorted(self._entries)

    def read(self, name: str) -> Floats:
        """One tensor as float32, in its own shape.

        Raises:
            ModelLoadError: It is not there, or not of floating point.
        """
        entry = self._entries.get(name)
        kinds = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
        if entry is None or entry["dtype"] not in kinds:
            state = "missing" if entry is None else f"of type {entry['dtype']}"
            raise ModelLoadError(
                f"the tensor {name} is {state}",
                fix="use a folder with float32, float16 or bfloat16 weights",
                where=str(self._path),
            )
        start, end = entry["data_offsets"]
        flat = np.frombuffer(self._raw[start:end].tobytes(), kinds[entry["dtype"]])
        if entry["dtype"] == "BF16":
            # bfloat16 is the upper half of a float32.
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        return flat.astype(np.float32).reshape(entry["shape"])
