"""The tokenizer of a model folder, read from its tokenizer.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.errors import ModelLoadError
from groundtune.core.values import Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FileTokenizer:
    """A `core.protocols.Tokenizer` over a tokenizer.json.

    Truncation and padding that the file may ask for are switched off: lengths here
    are true lengths.
    """

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._inner = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelLoadError(
                f"not a tokenizer: {error}",
                fix="copy tokenizer.json again from where the model came from",
                where=str(path),
            ) from error
        self._inner.no_truncation()
        self._inner.no_padding()

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`."""
        return self._inner.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokenizer.decode`."""
        return self._inner.decode(list(ids), skip_special_tokens=True)

    def offsets(self, text: str) -> list[Span]:
        """See `Tokenizer.offsets`."""
        found = self._inner.encode(text, add_special_tokens=False).offsets
        return [Span(start, end) for start, end in found]

    def special(self, token: str) -> int | None:
        """Id of a token by its exact name, None where the model has no such token."""
        return self._inner.token_to_id(token)

    def spell(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens written out."""
        return self._inner.decode(list(ids), skip_special_tokens=False)
