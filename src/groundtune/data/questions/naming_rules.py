"""Questions about what something is: definitions, names, places, purposes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.questions.drafts import content_words, words_of
from groundtune.data.questions.phrases import is_named, says_little, subject_of
from groundtune.data.questions.sentence import ABOUT, CLAUSE, CUT, NUMBER, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.data.questions.drafts import Draft
    from groundtune.data.questions.sentence import Sentence

_CALLED = re.compile(
    r"^(?P<subject>[^,]+?) (?P<be>is|are|was|were|will be) "
    r"(?:also |commonly |usually )?"
    r"(?P<called>called|named|known as|referred to as|codenamed) "
    r"(?!(?:following|after|as|by|for|to|in|on|with|from|when|if|once|only|at|using|"
    r"automatically|before|during|like|because|again|that|this|it|so)\b)"
    r"(?P<name>[\"\u201c\u2018']?[\w.+/-]+(?: [\w.+/-]+){0,3}[\"\u201d\u2019']?)"
    r"(?=$|[,;(])"
)


def _what_name(sentence: Sentence) -> Iterator[Draft]:
    """`The next stable distribution will be called bookworm`."""
    found = _CALLED.match(sentence.text)
    if not found:
        return
    be, _, rest = found["be"].partition(" ")
    called = f"{rest} {found['called']}".strip()
    yield from made(
        sentence,
        subject_of(found["subject"], sentence.document),
        (
            f"What {be} {{s}} {called}",
            f"By what name {be} {{s}} {f'{rest} known'.strip()}",
            "What is the name given to {s}",
        ),
        answer=re.sub(r" (?:and|or|but|which|who|that) .*", "", found["name"]),
        rule="name",
    )


_STANDS_FOR = re.compile(
    r"^(?:The \w+ )?[\"\u201c]?(?P<short>[A-Z][\w.+-]{1,9})[\"\u201d]?,? "
    r"(?:stands for|is short for|is an (?:acronym|abbreviation) (?:of|for)) "
    r"(?P<long>[^,;:()]+)"
)
_SHORTENED = re.compile(
    r"\b(?P<long>[A-Z][\w'\u2019-]*"
    r"(?:(?: (?:of|and|for|the))? [A-Z][\w'\u2019-]*){1,6}) "
    r"\((?P<short>[A-Z]{2,7})\)"
)


def _stands_for(sentence: Sentence) -> Iterator[Draft]:
    """`The Filesystem Hierarchy Standard (FHS)`, or `FHS stands for ..`."""
    pairs = [
        (found["short"], found["long"])
        for found in [_STANDS_FOR.match(sentence.text)]
        if found
    ]
    for found in _SHORTENED.finditer(sentence.text):
        long = _of_initials(found["long"], found["short"])
        if long:
            pairs.append((found["short"], long))
    for short, long in pairs:
        yield from made(
            sentence,
            short,
            (
                "What does {s} stand for",
                "What is {s} short for",
                "What is the long form of {s}",
            ),
            answer=long.strip(" \"'\u201c\u201d"),
            rule="abbreviation",
        )


def _of_initials(long: str, short: str) -> str | None:
    """The last words of `long` whose initials are `short`."""
    words = long.split()
    for first in range(len(words)):
        part = words[first:]
        initials = "".join(word[0] for word in part if word[0].isupper())
        if part[0][0].isupper() and initials == short:
            return " ".join(part)
    return None


_IS = re.compile(
    r"^(?P<subject>[^,]+?) (?P<be>is|are) (?P<what>(?:an?|the|one of the) [a-z].+)$"
)
_MEASURE = {
    "high": "What is the height of {s}",
    "tall": "What is the height of {s}",
    "long": "What is the length of {s}",
    "wide": "What is the width of {s}",
    "deep": "What is the depth of {s}",
    "thick": "What is the thickness of {s}",
    "old": "What is the age of {s}",
}
_MEASURED = re.compile(
    r"^(?P<subject>[^,]+?) (?P<be>is|are) "
    rf"(?P<what>(?:{ABOUT})?(?:{NUMBER}) [a-z]+) (?P<how>{'|'.join(_MEASURE)})\b"
)
_VALUE = re.compile(
    r"^(?P<subject>[Tt]he [^,]+?) (?P<be>is|are) "
    rf"(?P<what>(?:{ABOUT})?(?:{NUMBER})\b.*)$"
)


def _what_is(sentence: Sentence) -> Iterator[Draft]:
    """`Linux is the kernel of a Unix-like operating system`."""
    found = _IS.match(sentence.text)
    if found:
        subject = subject_of(found["subject"], sentence.document)
        if subject is None or len(words_of(subject)) > (7 if is_named(subject) else 4):
            return
        what = _shortened(found["what"])
        if len(content_words(what)) < 2 or says_little(what):
            return
        be = found["be"]
        yield from made(
            sentence,
            subject,
            (
                f"What {be} {{s}}",
                f"How {be} {{s}} defined",
                "What would you call {s} in a few words"
                if be == "is"
                else "What sort of things are {s}",
            ),
            answer=what,
            rule="definition",
        )
    elif found := _MEASURED.match(sentence.text):
        be, how = found["be"], found["how"]
        yield from made(
            sentence,
            subject_of(found["subject"], sentence.document),
            (f"How {how} {be} {{s}}", f"{{s}} {be} how {how}", _MEASURE[how]),
            answer=found["what"],
            rule="value",
        )
    elif found := _VALUE.match(sentence.text):
        be = found["be"]
        yield from made(
            sentence,
            subject_of(found["subject"], sentence.document),
            (f"What {be} {{s}}", f"How much {be} {{s}}", f"{{s}} {be} what"),
            answer=re.sub(r" and (?:has|is|was) .*", "", CUT.sub("", found["what"])),
            rule="value",
        )


def _shortened(what: str) -> str:
    """A definition without its second half, where it is long."""
    what = CUT.sub("", what)
    if len(words_of(what)) > 12:
        what = CLAUSE.sub("", what)
    return what


_PLACE = re.compile(
    r"^(?P<subject>[^,]+?) (?P<be>is|are|can be|was|were) (?:usually |normally )?"
    r"(?P<verb>located|stored|found|installed|kept|placed|published|listed|held) "
    r"(?:in|at|under|on|inside|within) (?P<place>[^,;:()]+)"
)


def _where(sentence: Sentence) -> Iterator[Draft]:
    """`The log files are kept in /var/log`."""
    found = _PLACE.match(sentence.text)
    if not found or not is_named(found["place"].strip()):
        return
    be, _, rest = found["be"].partition(" ")
    done = f"{rest} {found['verb']}".strip()
    yield from made(
        sentence,
        subject_of(found["subject"], sentence.document),
        (
            f"Where {be} {{s}} {done}",
            f"In what place {be} {{s}} {done}",
            f"What is the place where {{s}} {be} {done}",
        ),
        answer=CLAUSE.sub("", found["place"]),
        rule="place",
    )


_PURPOSE = re.compile(
    r"^(?P<subject>[^,]+?) (?P<be>is|are|can be) (?:often |usually |mainly )?"
    r"(?P<verb>used|intended|meant|designed) (?P<link>to|for) (?P<what>[^;:()]+)$"
)


def _what_for(sentence: Sentence) -> Iterator[Draft]:
    """`The dpkg-deb program is used to build packages`."""
    found = _PURPOSE.match(sentence.text)
    if not found:
        return
    subject = subject_of(found["subject"], sentence.document)
    if subject is None or not is_named(subject):
        return
    be, _, rest = found["be"].partition(" ")
    done = f"{rest} {found['verb']}".strip()
    what = found["what"]
    yield from made(
        sentence,
        subject,
        (
            f"What {be} {{s}} {done} for",
            f"For what purpose {be} {{s}} {done}",
            "What purpose does {s} have" if be != "are" else "What purpose do {s} have",
        ),
        answer=what if len(words_of(what)) <= 12 else CUT.sub("", what),
        rule="purpose",
    )


NAMING_RULES = (_what_name, _stands_for, _what_is, _where, _what_for)
