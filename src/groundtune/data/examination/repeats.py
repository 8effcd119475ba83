"""Texts that occur twice: in one file, with other labels, and in train and test.

Texts are the same if they are so but for case and spaces. Nearly the same are those
that differ in punctuation, or share four fifths of their runs of four letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from groundtune.core.values import (
    EntityCase,
    LabelCase,
    SummaryCase,
    TranslationCase,
)
from groundtune.data.doctor import normalise
from groundtune.data.examination.diagnosis import (
    COMMON,
    RARE,
    Diagnosis,
    Spot,
    shown,
)
from groundtune.data.near import Fingerprint, fingerprints, near_pairs, near_repeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from groundtune.core.values import SupportCase
    from groundtune.data.examination.diagnosis import Severity
    from groundtune.data.labelled import LabelledData

_LEAK_WARNING = 0.01
"""Share of the test: below it, leaks move a score by less than one point."""
_LEAK_ERROR = 0.05
_NEAR_WARNING = 0.25
"""Where people ask alike, a good part of the texts is; above this it is a template."""
_TAG_CONFLICTS = 0.01
"""Share of sentences: people disagree more often on one of 20 tags than on a label."""


_OPEN = frozenset({"ner", "translation", "support", "summarization"})
"""Tasks whose answer is more than the name of a class."""


class Item(NamedTuple):
    """A row as repetitions are looked for."""

    where: str
    key: str
    """Equal for texts that are the same."""
    loose: str
    """Equal also where only punctuation differs."""
    answer: str
    """Label, tags, translation or intent: what is to be learned."""
    group: str


class Prints:
    """Fingerprints of texts, each computed once."""

    def __init__(self) -> None:
        self._known: dict[str, Fingerprint] = {}

    def of(self, items: Iterable[Item]) -> list[Fingerprint]:
        """Fingerprints of the loose texts of items."""
        texts = [item.loose for item in items]
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, fingerprints(new), strict=True)
        return [self._known[text] for text in texts]


class _Columns(NamedTuple):
    text: str
    answer: str


def request_of(case: SupportCase) -> str:
    """What a conversation asks: all before the answer but for the system turn.

    That one is mostly the same in all rows, and would make them alike.
    """
    spoken = [turn for turn in case.messages[:-1] if turn.role != "system"]
    return "\n".join(turn.content for turn in spoken)


def items_of(data: LabelledData) -> list[Item]:
    """The rows of a file as repetitions are looked for."""
    found: list[Item] = []
    for case, where in zip(data.cases, data.places, strict=True):
        if isinstance(case, LabelCase):
            text, answer = case.text, case.label
        elif isinstance(case, EntityCase):
            text, answer = " ".join(case.tokens), " ".join(case.tags)
        elif isinstance(case, TranslationCase):
            text, answer = case.source, case.target
        elif isinstance(case, SummaryCase):
            text, answer = case.document or case.query, case.summaries[0]
        else:
            text = request_of(case)
            answer = case.intent or case.messages[-1].content
        key = " ".join(text.casefold().split())
        found.append(Item(where, key, normalise(text) or key, answer, case.group))
    return found


def _columns(data: LabelledData) -> _Columns:
    roles = data.roles
    names = {
        "ner": ("tokens", "tags"),
        "translation": ("source", "target"),
        "summarization": ("document" if "document" in roles else "query", "summary"),
        "support": ("instruction", "intent" if "intent" in roles else "response"),
    }
    text, answer = names.get(data.task, ("text", "label"))
    shared = roles.get("messages", "")
    return _Columns(roles.get(text, shared), roles.get(answer, shared))


def check_repeats(
    data: LabelledData, items: Sequence[Item], *, prints: Prints
) -> Iterator[Diagnosis]:
    """Repetitions within one file."""
    columns = _columns(data)
    firsts: dict[str, Item] = {}
    same: list[Spot] = []
    differing: list[Spot] = []
    for item in items:
        first = firsts.setdefault(item.key, item)
        if first is item:
            continue
        detail = f"as {first.where}"
        if item.answer == first.answer:
            same.append(Spot(item.where, columns.text, detail))
        else:
            if not _is_free(data):
                detail += f": {shown(item.answer[:40])}, not {shown(first.answer[:40])}"
            differing.append(Spot(item.where, columns.answer, detail))
    if same:
        yield Diagnosis(
            kind="duplicates",
            severity="warning" if len(same) >= COMMON * len(items) else "note",
            message=f"{len(same)} rows repeat another",
            fix="delete them, or let the split keep them on one side, as it does",
            spots=tuple(same),
        )
    if differing:
        yield _differing(data, differing, total=len(items))
    yield from _near(data, items, prints=prints)


def _differing(data: LabelledData, spots: list[Spot], *, total: int) -> Diagnosis:
    """The same text with something else to learn."""
    if _is_free(data):
        return Diagnosis(
            kind="several_answers",
            severity="note",
            message=f"{len(spots)} texts have several answers",
            spots=tuple(spots),
        )
    bound = _TAG_CONFLICTS if data.task == "ner" else RARE
    return Diagnosis(
        kind="conflicting_labels",
        severity="warning" if len(spots) >= bound * total else "note",
        message=f"{len(spots)} rows have the text of another and a different label",
        fix="decide which one is right, and delete the other",
        spots=tuple(spots),
    )


def _is_free(data: LabelledData) -> bool:
    """Whether what is to be learned is a text, which may be written in many ways."""
    is_untold = data.task == "support" and "intent" not in data.roles
    return data.task in {"translation", "summarization"} or is_untold


class _Alike(NamedTuple):
    item: Item
    before: Item
    similarity: float

    def spot(self, column: str) -> Spot:
        detail = f"{self.similarity:.2f} as {self.before.where}"
        return Spot(self.item.where, column, detail)


def _near(
    data: LabelledData, items: Sequence[Item], *, prints: Prints
) -> Iterator[Diagnosis]:
    columns = _columns(data)
    first: dict[str, Item] = {}
    kept: list[Item] = []
    alike: list[_Alike] = []
    by_key: dict[str, Item] = {}
    for item in items:
        by_key.setdefault(item.key, item)
    for item in by_key.values():
        before = first.setdefault(item.loose, item)
        if before is item:
            kept.append(item)
        else:
            alike.append(_Alike(item, before, 1.0))
    for left, right, similarity in near_repeats(prints.of(kept)):
        alike.append(_Alike(kept[right], kept[left], similarity))
    is_free = _is_free(data)
    same = [a for a in alike if is_free or a.item.answer == a.before.answer]
    if same:
        is_much = len(same) >= _NEAR_WARNING * len(items)
        yield Diagnosis(
            kind="near_duplicates",
            severity="warning" if is_much else "note",
            message=f"{len(same)} rows nearly repeat another",
            fix="give what belongs together a group, so that no split divides it",
            spots=tuple(a.spot(columns.text) for a in same),
        )
    conflicts = [a for a in alike if not is_free and a.item.answer != a.before.answer]
    if conflicts:
        yield Diagnosis(
            kind="near_conflicts",
            severity="note",
            message=f"{len(conflicts)} rows nearly repeat one with a different label",
            fix="look whether the words that differ explain it",
            spots=tuple(a.spot(columns.answer) for a in conflicts),
        )


def check_leaks(
    data: LabelledData,
    items: Sequence[Item],
    test: LabelledData,
    test_items: Sequence[Item],
    *,
    prints: Prints,
) -> Iterator[Diagnosis]:
    """What of a test file can be known from the training file."""
    columns = _columns(test)
    total = len(test_items)
    known: dict[str, Item] = {}
    loosely: dict[str, Item] = {}
    groups: dict[str, Item] = {}
    for item in items:
        known.setdefault(item.key, item)
        loosely.setdefault(item.loose, item)
        if item.group:
            groups.setdefault(item.group, item)
    exact = [
        Spot(item.where, columns.text, f"as {known[item.key].where}")
        for item in test_items
        if item.key in known
    ]
    if exact:
        yield Diagnosis(
            kind="test_in_train",
            severity=leak_severity(len(exact), total),
            message=f"{len(exact)} of {total} test texts also stand in train",
            fix="delete them from train: the score would measure memory",
            spots=tuple(exact),
        )
    rest = [item for item in test_items if item.key not in known]
    alike = [
        _Alike(item, loosely[item.loose], 1.0) for item in rest if item.loose in loosely
    ]
    others = [item for item in rest if item.loose not in loosely]
    alike += _near_leaks(items, others, prints=prints, is_open=data.task in _OPEN)
    at = {item.where: number for number, item in enumerate(test_items)}
    near = [
        one.spot(columns.text) for one in sorted(alike, key=lambda a: at[a.item.where])
    ]
    if near:
        yield Diagnosis(
            kind="test_nearly_in_train",
            severity="warning" if len(near) >= _NEAR_WARNING * total else "note",
            message=f"{len(near)} of {total} test texts nearly repeat one in train",
            fix="where they are the same case, delete them from train",
            spots=tuple(near),
        )
    shared = [
        Spot(item.where, test.roles.get("group", ""), f"as {groups[item.group].where}")
        for item in test_items
        if item.group in groups
    ]
    if shared:
        yield Diagnosis(
            kind="group_in_train",
            severity="error",
            message=f"{len(shared)} test rows are of a group that is in train",
            fix="keep each group on one side",
            spots=tuple(shared),
        )
    yield from _unseen(data, items, test, test_items)


def _near_leaks(
    items: Sequence[Item], others: Sequence[Item], *, prints: Prints, is_open: bool
) -> list[_Alike]:
    """Test rows that nearly repeat a row of train, each with the most alike one.

    Two questions of one template with different labels do not give each other away;
    where the answer is a text or a row of tags, it seldom is the same to the letter.
    """

    def matters(left: int, right: int) -> bool:
        return is_open or items[left].answer == others[right].answer

    best: dict[int, tuple[float, int]] = {}
    pairs = near_pairs(prints.of(items), prints.of(others), matters=matters)
    for left, right, similarity in pairs:
        best[right] = max(best.get(right, (0.0, 0)), (similarity, -left))
    return [
        _Alike(others[right], items[-left], similarity)
        for right, (similarity, left) in best.items()
    ]


def _unseen(
    data: LabelledData,
    items: Sequence[Item],
    test: LabelledData,
    test_items: Sequence[Item],
) -> Iterator[Diagnosis]:
    """Labels of the test that nobody could learn."""
    if _is_free(data):
        return

    def classes(item: Item) -> set[str]:
        if test.task != "ner":
            return {item.answer}
        return {tag[2:] for tag in item.answer.split() if tag != "O"}

    learned = {name for item in items for name in classes(item)}
    unseen = [
        Spot(
            item.where,
            _columns(test).answer,
            ", ".join(sorted(classes(item) - learned)),
        )
        for item in test_items
        if classes(item) - learned
    ]
    if unseen:
        yield Diagnosis(
            kind="unseen_labels",
            severity="error",
            message=f"{len(unseen)} test rows have a label that train does not have",
            fix="check the spelling, or add rows of it to train",
            spots=tuple(unseen),
        )


def leak_severity(found: int, total: int) -> Severity:
    """How much it matters that so many of all test cases are known."""
    if found >= _LEAK_ERROR * total:
        return "error"
    return "warning" if found >= _LEAK_WARNING * total else "note"
