"""Questions about what happened, and how many or how much: dates, doers, counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.questions.phrases import leans, subject_of
from groundtune.data.questions.sentence import ABOUT, CUT, NUMBER, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundtune.data.questions.drafts import Draft
    from groundtune.data.questions.sentence import Sentence

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|"
    "December"
)
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:(?:early|late|mid)[- ])?(?:(?:the )?{_DAY} (?:of )?)?(?:{_MONTHS})"
    rf"(?: {_DAY})?(?:,? {_YEAR})?|(?:(?:early|late|mid)[- ])?{_YEAR}"
)
_TIME = r"\d{1,2}(?:[:.]\d\d)?(?: ?[ap]\.?m\.?)?(?: o'clock)?|noon|midnight"
_SCALE = r"(?: (?:hundred|thousand|million|billion))?"
_ADVERB = r"(?:first |originally |officially |finally |initially |also |usually )?"
_PARTICIPLE = r"[a-z]+(?:ed|en|wn|ght|und|lt|ut|id|de|nt|one|un)"
_NAME = (
    r"[A-Z][\w.'\u2019-]*(?: (?:of|de|van|von|and|the|for|[A-Z][\w.'\u2019-]*)){0,6}"
)
_STOPS = re.compile(
    r"\s+(?:for|in|on|at|to|and|or|that|which|who|with|by|from|per|of|as|but|than|"
    r"when|if|while|a|an|the|is|are|can|each|every|, .*)\b.*$"
)
_BASE_FORMS = {
    "has": "have",
    "goes": "go",
    "does": "do",
    "began": "begin",
    "left": "leave",
}

_WHEN_PASSIVE = re.compile(
    rf"^(?P<subject>[^,]+?) (?P<be>was|were) {_ADVERB}(?P<verb>{_PARTICIPLE})"
    rf"(?P<rest>(?: [^,;:()]+?)?) (?:in|on|since) (?P<date>{_DATE})\b(?! [A-Z])"
)


def _when_done(sentence: Sentence) -> Iterator[Draft]:
    """`The Debian Project was created by Ian Murdock in 1993`."""
    found = _WHEN_PASSIVE.match(sentence.text)
    if not found or len(found["rest"].split()) > 6:
        return
    be, verb = found["be"], found["verb"] + found["rest"]
    unit = "In which year" if re.fullmatch(_YEAR, found["date"]) else "On what date"
    yield from made(
        sentence,
        subject_of(found["subject"], sentence.document),
        (
            f"When {be} {{s}} {verb}",
            f"{unit} {be} {{s}} {verb}",
            f"What is the date on which {{s}} {be} {verb}",
        ),
        answer=found["date"],
        rule="date",
    )


_BY = re.compile(
    rf"^(?P<subject>[^,]+?) (?P<be>is|was|are|were) {_ADVERB}(?P<verb>{_PARTICIPLE}) "
    rf"by (?P<who>{_NAME})(?=$|[,;(]| (?:in|on|at|and|from|under|with|who|to)\b)"
)


def _by_whom(sentence: Sentence) -> Iterator[Draft]:
    """`Linux is written by Linus Torvalds`."""
    found = _BY.match(sentence.text)
    if not found:
        return
    be, verb = found["be"], found["verb"]
    who = re.sub(r" (?:of|de|van|von|and|the|for)$", "", found["who"])
    yield from made(
        sentence,
        subject_of(found["subject"], sentence.document),
        (
            f"By whom {be} {{s}} {verb}",
            f"Who {be} {{s}} {verb} by",
            f"What is the name of those by whom {{s}} {be} {verb}",
        ),
        answer=who,
        rule="name",
    )


_WHEN_ACTIVE = re.compile(
    r"^(?P<subject>[^,]+?) (?P<verb>opens?|closes?|starts?|begins?|ends?|leaves?|"
    r"arrives?|departs?|expires?|began|started|ended|opened|closed|left|appeared) "
    rf"(?:again )?(?:at|on|in) (?P<time>(?:{_TIME}|{_DATE})(?:,? {_YEAR})?)(?=$|[,;]| )"
)


def _when_happens(sentence: Sentence) -> Iterator[Draft]:
    """`The first ferry leaves at 6:40`."""
    found = _WHEN_ACTIVE.match(sentence.text)
    if not found:
        return
    subject = subject_of(found["subject"], sentence.document)
    helper, base = _helped(found["verb"])
    if not _fits(helper, subject):
        return
    asked = "At what time" if re.fullmatch(_TIME, found["time"]) else "On what date"
    yield from made(
        sentence,
        subject,
        (
            f"When {helper} {{s}} {base}",
            f"{asked} {helper} {{s}} {base}",
            f"What is the time at which {{s}} {found['verb']}",
        ),
        answer=found["time"],
        rule="date",
    )


_COUNTING = (
    "has|have|had|includes?|contains?|holds?|supports?|covers?|provides?|offers?|"
    "needs?|requires?|runs on|comes with|uses?|allows?|employs?|consists of|"
    "comprises?|accepts?"
)
_COUNT = re.compile(
    rf"^(?P<subject>[^,]+?) (?:now |currently |also )?(?P<verb>{_COUNTING}) "
    rf"(?P<number>(?:{ABOUT})?(?:{NUMBER}){_SCALE}) (?P<thing>[a-z].*)$"
)


def _how_many(sentence: Sentence) -> Iterator[Draft]:
    """`Debian includes more than 59100 software packages`."""
    found = _COUNT.match(sentence.text)
    if not found:
        return
    thing = _STOPS.sub("", CUT.sub("", found["thing"]))
    if not thing.endswith("s") or len(thing.split()) > 4 or thing in _EMPTY_THINGS:
        return
    subject = subject_of(found["subject"], sentence.document)
    helper, base = _helped(found["verb"])
    if not _fits(helper, subject):
        return
    yield from made(
        sentence,
        subject,
        (
            f"How many {thing} {helper} {{s}} {base}",
            f"What number of {thing} {helper} {{s}} {base}",
            f"{{s}} {found['verb']} how many {thing}",
        ),
        answer=found["number"],
        rule="count",
    )


_FIRST_NUMBER = re.compile(
    rf"^(?P<number>(?:{ABOUT})?(?:{NUMBER}){_SCALE}) "
    r"(?P<thing>(?:[a-z-]+ ){0,2}[a-z-]+s(?: of [a-z]+)?) "
    r"(?P<rest>(?:can |may |must |will |have |are |were )?[a-z]+ [^,;:()]+)$",
    re.IGNORECASE,
)
_MOST_REST_WORDS = 14


def _how_many_do(sentence: Sentence) -> Iterator[Draft]:
    """`Three wardens live on the island from March to October`."""
    found = _FIRST_NUMBER.match(sentence.text)
    if not found or found["thing"] in _EMPTY_THINGS:
        return
    rest = CUT.sub("", found["rest"])
    if leans(rest) or len(rest.split()) > _MOST_REST_WORDS:
        return
    yield from made(
        sentence,
        found["thing"],
        (
            f"How many {{s}} {rest}",
            f"What number of {{s}} {rest}",
            f"What is the number of {{s}} that {rest}",
        ),
        answer=found["number"],
        rule="count",
    )


_EMPTY_THINGS = frozenset(
    ("kinds", "types", "sorts", "ways", "things", "parts", "forms", "arguments", "uses")
)
_AMOUNT = re.compile(
    rf"^(?P<subject>[^,]+?) (?P<verb>costs?|lasts?|takes?|weighs?|measures?) "
    rf"(?P<amount>(?:{ABOUT})?(?:{NUMBER}){_SCALE} "
    rf"(?:[a-z]+s|day|hour|kg|km|m|cm|euro|%)(?: (?:and|to|or) "
    rf"(?:{NUMBER}) [a-z]+)?(?: (?:a|per) [a-z]+)?)(?=$|[,;]| )"
)
_ASKED_BY = {"cost": "much", "last": "long", "take": "long"}


def _how_much(sentence: Sentence) -> Iterator[Draft]:
    """`A ticket costs 30 crowns a day`."""
    found = _AMOUNT.match(sentence.text)
    if not found:
        return
    subject = subject_of(found["subject"], sentence.document)
    helper, base = _helped(found["verb"])
    if not _fits(helper, subject):
        return
    asked = f"How {_ASKED_BY.get(base, 'much')}"
    yield from made(
        sentence,
        subject,
        (
            f"{asked} {helper} {{s}} {base}",
            f"What {helper} {{s}} {base}",
            f"{{s}} {found['verb']} how {_ASKED_BY.get(base, 'much')}",
        ),
        answer=found["amount"],
        rule="amount",
    )


def _fits(helper: str, subject: str | None) -> bool:
    """Whether a verb without an ending follows something that may be plural."""
    return helper != "do" or (subject is not None and subject.endswith("s"))


def _helped(verb: str) -> tuple[str, str]:
    """The helping verb of a question, and what becomes of the verb beside it."""
    first, _, rest = verb.partition(" ")
    if first in ("had", "began", "left") or first.endswith("ed"):
        past = {"had": "have", "started": "start", "ended": "end", "opened": "open"}
        base = past.get(first) or _BASE_FORMS.get(first) or first[:-1]
        base = "appear" if first == "appeared" else base
        return "did", f"{base} {rest}".strip()
    if first in _BASE_FORMS:
        return "does", f"{_BASE_FORMS[first]} {rest}".strip()
    if first.endswith("s"):
        return "does", f"{first[:-1]} {rest}".strip()
    return "do", verb


EVENT_RULES = (
    _when_done,
    _by_whom,
    _when_happens,
    _how_many,
    _how_many_do,
    _how_much,
)
