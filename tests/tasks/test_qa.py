"""What a tuned model is taught to say, and how an abstention is recognised."""

from __future__ import annotations

import pytest

from groundtune.core.values import QaCase
from groundtune.tasks.qa import NOT_IN_DOCUMENTS, is_abstention, target

CASE = QaCase(id="1", question="Who?", answers=("Ada Lovelace", "Ada"))
UNANSWERABLE = QaCase(id="2", question="Who?", answers=(), answerable=False)


def test_targets() -> None:
    assert target(CASE, citation_number=3) == "Ada Lovelace [3]"
    assert target(CASE, citation_number=None) == "Ada Lovelace"
    assert target(UNANSWERABLE, citation_number=None) == NOT_IN_DOCUMENTS
    assert target(UNANSWERABLE, citation_number=2) == NOT_IN_DOCUMENTS


@pytest.mark.parametrize(
    "text",
    [
        NOT_IN_DOCUMENTS,
        "not in the documents",
        "**Not in the document.** I looked.",
        "  NOT  IN THE\nDOCUMENTS! [1]",
        "It's not in the provided documents.",
        "The answer is not given in the passages.",
    ],
)
def test_abstentions(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada Lovelace [1]",
        "The seal is not in the documents room but in the vault.",
        "Not in the river.",
        "not in the documentary",
    ],
)
def test_answers(text: str) -> None:
    assert not is_abstention(text)
