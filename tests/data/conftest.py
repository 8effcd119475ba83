"""PDFs and tokenizers that the tests of this room share."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Protocol

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from groundtune.core.values import Span

if TYPE_CHECKING:
    from collections.abc import Sequence


class MakePdf(Protocol):
    """Pages of lines to the bytes of a PDF; a line that begins with `#` is large."""

    def __call__(
        self, pages: Sequence[Sequence[str]], *, password: str | None = None
    ) -> bytes: ...


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    def make(pages: Sequence[Sequence[str]], *, password: str | None = None) -> bytes:
        stream = io.BytesIO()
        locked = StandardEncryption(password) if password else None
        canvas = Canvas(stream, pagesize=A4, encrypt=locked, invariant=1)
        for lines in pages:
            height = 780.0
            for line in lines:
                size = 18 if line.startswith("#") else 10
                canvas.setFont("Helvetica", size)
                canvas.drawString(60, height, line.removeprefix("# "))
                height -= 36 if line.startswith("#") or not line else 12
            canvas.showPage()
        canvas.save()
        return stream.getvalue()

    return make


class WordTokenizer:
    """One token for at most six letters of a word, one for each other mark."""

    _TOKEN = re.compile(r"\w{1,6}|[^\w\s]")

    def encode(self, text: str) -> list[int]:
        return [len(match.group()) for match in self._TOKEN.finditer(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join("x" * size for size in ids)

    def offsets(self, text: str) -> list[Span]:
        return [Span(*match.span()) for match in self._TOKEN.finditer(text)]


@pytest.fixture(scope="session")
def tokenizer() -> WordTokenizer:
    return WordTokenizer()
