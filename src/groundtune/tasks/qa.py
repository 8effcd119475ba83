"""The task `qa`: questions over documents, answered with a citation or not at all.

What the task is made of: the names of its measures, what a tuned model is taught to
say, and how saying "not in the documents" is recognised. The case itself is
`core.values.QaCase`; computing the measures belongs to `measure`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundtune.core.values import QaCase

NAME = "qa"
PRIMARY_MEASURE = "token_f1"
OTHER_MEASURES = (
    "exact_match",
    "answer_contained",
    "citation_precision",
    "citation_recall",
    "abstention",
)
MAX_ANSWER_TOKENS = 48
"""Default bound of an answer: facts and short quotations, citation mark included."""
NOT_IN_DOCUMENTS = "Not in the documents."
"""What a system says when the evidence does not hold the answer."""

_MARKS = re.compile(r"\[\d+\]")
_ABSTENTION = re.compile(
    r"(?:it is |it s |this is |that is |the answer is )?not (?:found |given |stated )?"
    r"in the (?:given |provided )?(?:documents?|evidence|passages?)\b"
)
_NOT_WORDS = re.compile(r"[\W_]+")


def target(case: QaCase, *, citation_number: int | None) -> str:
    """What a tuned model learns to say to `case`.

    Args:
        case: Its preferred answer is the first.
        citation_number: Number, from 1, of the passage that holds the answer as the
            prompt lists it; None where the model is shown no evidence.

    Examples:
        >>> from groundtune.core.values import QaCase
        >>> case = QaCase(id="1", question="Who?", answers=("Ada Lovelace",))
        >>> target(case, citation_number=2)
        'Ada Lovelace [2]'
    """
    if not case.answerable:
        return NOT_IN_DOCUMENTS
    assert case.answers, "an answerable case has answers: its reader checked it"
    if citation_number is None:
        return case.answers[0]
    return f"{case.answers[0]} [{citation_number}]"


def is_abstention(text: str) -> bool:
    """Whether an answer says that the documents do not hold it.

    `NOT_IN_DOCUMENTS` in any case and punctuation, and near wordings at the beginning
    of the answer. An empty answer is no abstention: it is a failure to answer.

    Examples:
        >>> is_abstention("not in the documents")
        True
        >>> is_abstention("Paris [1]")
        False
    """
    plain = unicodedata.normalize("NFKC", _MARKS.sub(" ", text)).casefold()
    words = _NOT_WORDS.sub(" ", plain).strip()
    return _ABSTENTION.match(words) is not None
