"""Judges of claims: a trained verdict model, a generator as published, and a rule.

Each sees the same evidence (see `fact_checker`). The rule needs no training and no
generator; it is the fallback, and says so.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from groundtune.augment.prompt import PROMPT_VERSION, PromptBuilder, PromptStyle
from groundtune.core.errors import ModelLoadError
from groundtune.core.values import Hit, Passage
from groundtune.data.claims import fact_label
from groundtune.data.opposites import cues
from groundtune.store.files import read_json
from groundtune.systems.fact_checker import Verdict
from groundtune.tasks.fact_check import LABELS, NAME, TEMPLATE, claim_text, pair_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from groundtune.core.protocols import Engine
    from groundtune.core.values import FactLabel
    from groundtune.store.models import ModelFolder
    from groundtune.systems.fact_checker import Evidence, Sentence
    from groundtune.systems.labeller import Labeller

    Floats = npt.NDArray[np.float64]

DECISION = "verdict.json"
"""In the folder of a verdict model: how its logits become a verdict."""

_ALONE = 0.5
"""A sentence decides by itself where it gives the label this much of the share that all
sentences of its document give together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is added to a model's logits before the largest one decides.

    Fitted to dev claims: a model is trained on pairs, of which far more decide nothing
    than of claims.
    """

    refuted: float = 0.0
    not_enough: float = 0.0

    def shares(self, logits_P_L: Floats) -> Floats:
        """Shares of the labels for each pair, `(P, L)`."""
        shifted = logits_P_L + np.array([0.0, self.refuted, self.not_enough])
        shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def best(self, logits_P_L: Floats) -> int:
        """The pair that is surest that the claim is decided."""
        return int(self.shares(logits_P_L)[:, LABELS.index("NOT_ENOUGH_INFO")].argmin())

    def verdict(self, logits_P_L: Floats) -> FactLabel:
        """The label of a claim, from the logits of its pairs."""
        return LABELS[int(self.shares(logits_P_L)[self.best(logits_P_L)].argmax())]


def write_fields(decision: Decision) -> dict[str, Any]:
    """A decision as `verdict.json` holds it."""
    return {"template": TEMPLATE, **asdict(decision)}


def read_decision(folder: Path) -> Decision:
    """How the model of a folder decides.

    Raises:
        ModelLoadError: It was trained with another template, or not to its end.
    """
    file = folder / DECISION
    if not file.exists():
        raise ModelLoadError(
            f"{DECISION} is missing",
            fix="train it with groundtune tune fact_check, to its end",
            where=str(folder),
        )
    fields = read_json(file)
    if fields.pop("template", None) != TEMPLATE:
        raise ModelLoadError(
            "trained to read claims in another form",
            fix="train it again with this version of groundtune",
            where=str(file),
        )
    return Decision(
        refuted=float(fields["refuted"]), not_enough=float(fields["not_enough"])
    )


class TunedJudge:
    """A verdict model that was trained on pairs of claim and evidence."""

    def __init__(self, labeller: Labeller, decision: Decision) -> None:
        self._labeller, self._decision = labeller, decision
        # The folder's order of labels is its own.
        self._order = [labeller.labels.index(label) for label in LABELS]
        self.check = f"verdict model {labeller.name}"

    def logits(self, claim: str, evidence: Sequence[Sequence[str]]) -> Floats:
        """Logits of each piece of evidence, in the order of `LABELS`: `(P, L)`."""
        texts = [pair_text(claim, sentences) for sentences in evidence]
        return self._labeller.text_logits(texts).astype(np.float64)[:, self._order]

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """See `Judge.judge`: the document decides that is surest."""
        logits_P_L = self.logits(claim, [one.texts for one in evidence])
        best = self._decision.best(logits_P_L)
        shares_L = self._decision.shares(logits_P_L)[best]
        place = int(shares_L.argmax())
        scores = dict(zip(LABELS, (float(share) for share in shares_L), strict=True))
        if LABELS[place] == "NOT_ENOUGH_INFO":
            return Verdict(label=LABELS[place], scores=scores)
        return Verdict(
            label=LABELS[place],
            scores=scores,
            deciding=self._deciding(claim, evidence[best], place, shares_L[place]),
        )

    def refutes(self, claim: str, sentences: Sequence[str]) -> bool:
        """See `SideJudge.refutes`: what speaks for a third label does not count."""
        supported, refuted, _ = self.logits(claim, [sentences])[0].tolist()
        return refuted + self._decision.refuted > supported

    def _deciding(
        self, claim: str, evidence: Evidence, place: int, whole: float
    ) -> tuple[Sentence, ...]:
        """The sentences that give the label by themselves, else the likeliest one."""
        alone = self.logits(claim, [[text] for text in evidence.texts])
        shares_P = self._decision.shares(alone)[:, place]
        kept = [
            sentence
            for sentence, share in zip(evidence.sentences, shares_P, strict=True)
            if share >= _ALONE * whole
        ]
        return tuple(kept) or (evidence.sentences[int(shares_P.argmax())],)


class ClaimJudge:
    """A model that was trained on claims alone: the arm `tuned`."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._order = [labeller.labels.index(label) for label in LABELS]

    def labels(self, claims: Sequence[str]) -> list[FactLabel]:
        """The label of each claim."""
        logits = self._labeller.text_logits([claim_text(claim) for claim in claims])
        return [LABELS[int(row[self._order].argmax())] for row in logits]


class RuleJudge:
    """Compares wording: a transparent rule, without training.

    The sentence most like the claim decides, if it is like it enough and shares its
    words. It refutes where it is negated and the claim is not, points the other way, or
    has other numbers; else it supports.
    """

    check = "rule on wording, untuned"

    def __init__(self, *, likeness: float = 0.65, shared: float = 0.3) -> None:
        self._likeness, self._shared = likeness, shared

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """See `Judge.judge`. The scores are 1 and 0: a rule knows no doubt."""
        sentences = [one for each in evidence for one in each.sentences]
        best = max(sentences, key=lambda one: one.likeness)
        found = cues(claim, best.text)
        label: FactLabel
        if best.likeness < self._likeness or found.shared < self._shared:
            label = "NOT_ENOUGH_INFO"
        elif (
            found.negated
            or found.other_direction > found.same_direction
            or found.numbers_missing == 1.0
        ):
            label = "REFUTED"
        else:
            label = "SUPPORTED"
        scores: dict[FactLabel, float] = dict.fromkeys(LABELS, 0.0)
        scores[label] = 1.0
        is_open = label == "NOT_ENOUGH_INFO"
        return Verdict(label=label, scores=scores, deciding=() if is_open else (best,))


ASKED = PromptStyle(
    name="verdict",
    with_evidence=(
        "Decide whether the passages support the claim. Reply with one word: SUPPORTED "
        "if they say that it is true, REFUTED if they say that it is false, UNKNOWN if "
        "they do not say."
    ),
    closed_book=(
        "Decide whether the claim is true. Reply with one word: SUPPORTED if it is "
        "true, REFUTED if it is false, UNKNOWN if you do not know."
    ),
    lead="The claim is",
)
"""How a generator is asked for a verdict."""
_ANSWER_TOKENS = 8
_SAID = re.compile(r"[a-z_]+", re.IGNORECASE)
_NOT = frozenset({"not", "n't", "isn't", "never"})


class EngineJudge:
    """A generator as published, asked with the evidence in its prompt, or without."""

    def __init__(self, engine: Engine, builder: PromptBuilder) -> None:
        self._engine, self._builder = engine, builder
        self.check = f"generator {engine.name} as published"

    def judge(self, claim: str, evidence: Sequence[Evidence]) -> Verdict:
        """See `Judge.judge`. The scores are 1 and 0: only words come back."""
        label = self.asked(claim, evidence)
        scores: dict[FactLabel, float] = dict.fromkeys(LABELS, 0.0)
        scores[label] = 1.0
        deciding: tuple[Sentence, ...] = ()
        if label != "NOT_ENOUGH_INFO":
            sentences = [one for each in evidence for one in each.sentences]
            deciding = (max(sentences, key=lambda one: one.likeness),)
        return Verdict(label=label, scores=scores, deciding=deciding)

    def asked(self, claim: str, evidence: Sequence[Evidence] | None) -> FactLabel:
        """What it says of a claim; without evidence, from its weights alone.

        Raises:
            GenerationError: It failed.
        """
        hits = None if evidence is None else [_hit(one) for one in evidence]
        budget = self._engine.context_length - _ANSWER_TOKENS
        prompt = self._builder.build(
            f"Is this claim true? {claim}", hits, budget=budget
        )
        made = self._engine.generate(prompt.tokens, max_tokens=_ANSWER_TOKENS)
        return said(made.text)


def said(text: str) -> FactLabel:
    """The verdict that a generator's words mean; none of the labels: undecided.

    Examples:
        >>> said(" SUPPORTED."), said("not true"), said("hard to say")
        ('SUPPORTED', 'REFUTED', 'NOT_ENOUGH_INFO')
    """
    words = [match.group().casefold() for match in _SAID.finditer(text)]
    for place, word in enumerate(words):
        label = fact_label(word)
        if label is None or (word in {"yes", "no"} and place):
            continue
        is_turned = any(before in _NOT for before in words[max(0, place - 2) : place])
        if is_turned and label == "SUPPORTED":
            return "REFUTED"
        return "NOT_ENOUGH_INFO" if is_turned else label
    return "NOT_ENOUGH_INFO"


def _hit(evidence: Evidence) -> Hit:
    first, last = evidence.sentences[0], evidence.sentences[-1]
    passage = Passage(
        id=f"{evidence.document}:{first.start}",
        document=evidence.document,
        start=first.start,
        end=last.end,
        text=" ".join(evidence.texts),
    )
    return Hit(passage=passage, score=evidence.likeness)


def open_judge(folder: ModelFolder, decision: Decision | None = None) -> TunedJudge:
    """Open a folder that `tune fact_check` made.

    Args:
        folder: Of the model.
        decision: How its logits become a verdict; None: as the folder says.

    Raises:
        ModelLoadError: It is another kind of model, or was not trained to its end.
    """
    from groundtune.systems.labeller import open_labeller

    labeller = open_labeller(str(folder.path))
    if labeller.task != NAME:
        raise ModelLoadError(
            f"trained for {labeller.task}",
            fix="name a folder that groundtune tune fact_check made",
            where=str(folder.path),
        )
    return TunedJudge(labeller, decision or read_decision(folder.path))


def open_engine_judge(
    model: str, *, runtime: str = "openvino", cache: Path | None = None
) -> EngineJudge:
    """Open a generator as a judge.

    Raises:
        ModelLoadError: It cannot be opened.
    """
    from groundtune.systems.generators import open_generator

    engine, template = open_generator(
        model, prompt_version=PROMPT_VERSION, runtime=runtime, cache=cache
    )
    return EngineJudge(engine, PromptBuilder(template, engine.tokenizer, style=ASKED))
