"""Lengths in tokens where a model's own tokenizer is not here: an upper estimate.

An estimate that is too low loses an answer, one that is too high loses a passage. So it
is high: `docs/remote.md` has what was measured.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.core.values import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECE = r"""
      [ ]?[A-Za-z]{1,%d}     # a part of a word, with the space before it
    | [ ]?[0-9]{1,2}
    | \n+                    # an empty line is one token nearly everywhere
    | [^\S\n]{1,4}           # white space of an indentation
    | [ ]?[^\w\s]            # a sign
    | .                      # a letter of another script
"""
PROMPT_LETTERS = 3
"""Letters a token in a prompt, which must fit: German in an English tokenizer."""
PASSAGE_LETTERS = 4
"""Letters a token in a passage, which would only become shorter than it has to."""
_MARK = b"\1"
"""Stands before the bytes of a piece, so that a number keeps its leading zeros."""
_CONTINUED = 0
"""Further tokens of one piece."""
_ONE_TOKEN_BYTES = 2
"""Letters of more bytes than that count as two tokens."""


class EstimatedTokenizer:
    """A `core.protocols.Tokenizer` of no model: it counts, and gives its text back."""

    def __init__(self, letters: int = PROMPT_LETTERS) -> None:
        """Count a token for so many letters of the Latin alphabet."""
        self._pieces = re.compile(_PIECE % letters, re.VERBOSE | re.DOTALL)

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`. There are no special tokens."""
        ids: list[int] = []
        for piece in self._pieces.findall(text):
            raw = piece.encode("utf-8", "surrogatepass")
            ids.append(int.from_bytes(_MARK + raw))
            # Nearly all is ASCII, where a piece is one token.
            if len(raw) > len(piece):
                ids += [_CONTINUED] * (_tokens(piece, raw) - 1)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokenizer.decode`."""
        raw = b"".join(
            number.to_bytes(-(-number.bit_length() // 8))[1:]
            for number in ids
            if number != _CONTINUED
        )
        return raw.decode("utf-8", "surrogatepass")

    def offsets(self, text: str) -> list[Span]:
        """See `Tokenizer.offsets`; tokens of one letter have one span."""
        spans: list[Span] = []
        for found in self._pieces.finditer(text):
            raw = found[0].encode("utf-8", "surrogatepass")
            spans += [Span(*found.span())] * _tokens(found[0], raw)
        return spans


def _tokens(piece: str, raw: bytes) -> int:
    return 2 if len(piece.strip()) == 1 and len(raw.strip()) > _ONE_TOKEN_BYTES else 1
