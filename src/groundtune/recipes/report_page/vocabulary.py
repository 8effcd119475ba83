"""What cases, arms and evidence of each task are called on a report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words of a task."""

    cases: str
    """What is asked."""
    facts: str
    """What goes out of date."""
    changing: str
    """What calls for another comparison once it is different, beside the model."""
    groups: str
    """What cases stand or fall together by."""
    right: str
    """What stands before the answers that count as right."""
    arms: Mapping[str, str]
    """What each arm is."""
    deeds: Mapping[str, str]
    """What to do, by the arm that is taken."""
    has_documents: bool
    """Whether evidence is passages of documents; else it is solved cases."""


_QUESTIONS = Vocabulary(
    cases="questions",
    facts="facts",
    changing="the documents or the questions",
    groups="documents",
    right="Accepted:",
    arms={
        "plain": "the model as published, without your documents",
        "rag": "the model as published, with passages found in your documents",
        "tuned": "a model trained on your cases, answering without the documents",
        "both": "a model trained to read, with passages found in your documents",
    },
    deeds={
        "plain": "Use the model as published: without your documents, without "
        "training.",
        "rag": "Give the model passages found in your documents; do not train it.",
        "tuned": "Train the model on your cases; it answers without the documents.",
        "both": "Train the model to read, and give it passages found in your "
        "documents.",
    },
    has_documents=True,
)

_LABELS = Vocabulary(
    cases="texts",
    facts="labels",
    changing="the labels or the texts",
    groups="groups",
    right="Right:",
    arms={
        "plain": "the model as published, which knows the labels by name alone",
        "rag": "what the most similar of your labelled examples say",
        "tuned": "a model trained on your labelled examples",
        "both": "a trained model, weighed with the most similar labelled examples",
    },
    deeds={
        "plain": "Use the model as published: without your examples, without training.",
        "rag": "Look up the most similar labelled examples; do not train.",
        "tuned": "Train the model on your labelled examples.",
        "both": "Train the model, and let the most similar labelled examples have a "
        "say.",
    },
    has_documents=False,
)


def _written(*, cases: str, made: str, asked_to: str) -> Vocabulary:
    """Of a task that writes; `made` is what was written before, `asked_to` the job."""
    return Vocabulary(
        cases=cases,
        facts=made,
        changing=f"the {cases} or the {made}",
        groups="groups",
        right="Accepted:",
        arms={
            "plain": f"the model as published, asked to {asked_to}",
            "rag": f"the most similar of your {made}, shown to the model or taken over",
            "tuned": f"a model trained on your {made}",
            "both": f"a trained model, with the most similar of your {made}",
        },
        deeds={
            "plain": f"Use the model as published: without your {made}, without "
            "training.",
            "rag": f"Look up the most similar of your {made}; do not train.",
            "tuned": f"Train the model on your {made}.",
            "both": f"Train the model, and look up the most similar of your {made}.",
        },
        has_documents=False,
    )


_TASKS = {
    "qa": _QUESTIONS,
    "dialogue": replace(
        _QUESTIONS,
        cases="conversations",
        changing="the documents or the conversations",
    ),
    "fact_check": replace(
        _QUESTIONS, cases="claims", changing="the documents or the claims"
    ),
    "sentiment": _LABELS,
    "classification": _LABELS,
    "ner": replace(
        _LABELS, cases="sentences", changing="the kinds of names or the sentences"
    ),
    "translation": _written(
        cases="sentences", made="translations", asked_to="translate"
    ),
    "support": _written(cases="conversations", made="answers", asked_to="answer"),
    "summarization": _written(cases="texts", made="summaries", asked_to="sum up"),
}


def words_of(task: str) -> Vocabulary:
    """The words of a task; of one that is not known, those of questions."""
    return _TASKS.get(task, replace(_QUESTIONS, cases="cases"))
