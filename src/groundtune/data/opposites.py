"""Words that turn a statement round, and statements turned round by rule.

English only: directions (`increases`, `reduces`), negations and numbers. Used to make
refuted claims out of supported ones for training, and to compare a claim with a
sentence word by word. Pure text; what is made of it stands in `recipes.checking`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each line: verbs of one direction | verbs of the other, in their dictionary form.
# Partners stand at the same place; past the end of a side its last verb is the partner.
_VERBS = """
increase raise heighten | decrease lower lessen
increase elevate | reduce lower
grow expand boost | shrink contract curb
promote enhance facilitate | inhibit impair hinder
strengthen stimulate accelerate | weaken suppress slow
activate induce cause trigger initiate | inactivate prevent prevent block terminate
improve benefit help | worsen harm hurt
upregulate | downregulate
gain win | lose lose
allow permit enable | forbid prohibit prevent
accept support confirm | reject oppose contradict
include contain | exclude lack
maintain preserve protect | disrupt destroy damage
attract recruit | repel expel
require need | preclude preclude
succeed | fail
open start begin | close stop end
"""
_ADJECTIVES = """
higher lower
high low
greater smaller
larger smaller
more less
increased decreased
elevated reduced
better worse
positive negative
positively negatively
longer shorter
long short
older younger
earlier later
early late
faster slower
stronger weaker
strong weak
deeper shallower
wider narrower
heavier lighter
hotter colder
warm cold
most least
many few
major minor
presence absence
present absent
with without
above below
before after
always never
all no
every no
susceptible resistant
susceptibility resistance
sensitive resistant
beneficial harmful
effective ineffective
efficient inefficient
sufficient insufficient
necessary unnecessary
essential dispensable
dependent independent
possible impossible
able unable
likely unlikely
similar different
same different
common rare
frequent infrequent
activation inhibition
activator inhibitor
upregulation downregulation
overexpression knockdown
gain loss
growth decline
improvement deterioration
protective harmful
safe unsafe
free paid
public private
permanent temporary
mandatory optional
maximum minimum
first last
inside outside
up down
"""
_DOWNWARD = """
lower low smaller less fewer decreased reduced worse negative negatively shorter short
weaker weak least few minor absence absent without below never no resistant resistance
harmful ineffective inefficient insufficient unnecessary dispensable independent
impossible unable unlikely different rare infrequent inhibition inhibitor downregulation
knockdown knockout loss decline deterioration unsafe deficient deficiency depletion
ablation silencing reduction decrease suppression impairment inhibitory defect defective
attenuated attenuate attenuates abolish abolished abolishes abrogate abrogated
"""
"""Beside the verbs of the second side: words that point down."""
_NEGATIONS = """
not no never neither nor cannot without none lack lacks lacking fail fails failed n't
nothing unaffected
"""
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|may|might|will|would|should|must|has|have|had|does|"
    r"do|did)\b(?!\s+not\b)",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:(do|does|did)\s+not\s+(\w+)|(cannot)\b|(?<=\w)\s+(not)\b)", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\d+(?:[.,]\d+)*%?")
_NUMBER = re.compile(r"(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w'/-])")
_VOWELS = "aeiou"


class Turned(NamedTuple):
    """A statement that says the opposite, and what was done to it."""

    text: str
    how: str
    """`direction`, `negation` or `number`."""


def turned(claim: str) -> list[Turned]:
    """Statements that contradict `claim`, by rule: the surest first, perhaps none.

    Examples:
        >>> [one.text for one in turned("Aspirin reduces fever.")]
        ['Aspirin increases fever.', 'Aspirin does not reduce fever.']
        >>> turned("The gate is not open.")[0].text
        'The gate is open.'
    """
    found: list[Turned] = []
    if (text := _without_negation(claim)) is not None:
        return [Turned(text, "negation")]
    if (text := _other_direction(claim)) is not None:
        found.append(Turned(text, "direction"))
    if (text := _with_negation(claim)) is not None:
        found.append(Turned(text, "negation"))
    if (text := _other_number(claim)) is not None:
        found.append(Turned(text, "number"))
    return found


def _other_direction(claim: str) -> str | None:
    for match in _WORD.finditer(claim):
        other = OPPOSITES.get(match.group().casefold())
        if other is not None:
            made = _cased(match.group(), other)
            return claim[: match.start()] + made + claim[match.end() :]
    return None


def _without_negation(claim: str) -> str | None:
    match = _NEGATED.search(claim)
    if match is None:
        return None
    if match[1]:
        verb = match[2].casefold()
        forms = _forms(verb)
        made = {"do": verb, "does": forms[1], "did": forms[2]}[match[1].casefold()]
    elif match[3]:
        made = _cased(match[3], "can")
    else:
        made = ""
    return claim[: match.start()] + made + claim[match.end() :]


def _with_negation(claim: str) -> str | None:
    match = _AUXILIARY.search(claim)
    if match is not None:
        return f"{claim[: match.end()]} not{claim[match.end() :]}"
    for match in _WORD.finditer(claim):
        stem = _THIRD_PERSON.get(match.group().casefold())
        if stem is not None and match.start() > 0:
            return f"{claim[: match.start()]}does not {stem}{claim[match.end() :]}"
    return None


def _other_number(claim: str) -> str | None:
    for match in _NUMBER.finditer(claim):
        whole = match.group().replace(",", "")
        is_share = claim[match.end() : match.end() + 1] == "%"
        # A small bare number is often part of a name, such as "T helper 2 cells".
        if whole.count(".") > 1 or not (is_share or "." in whole or len(whole) > 1):
            continue
        value = float(whole)
        is_year = "." not in whole and 1500 <= value <= 2100
        if is_year:
            other = value - 7
        elif is_share and value > 30:
            other = round(value / 3, 1)
        else:
            other = value * 3 or 5.0
        made = f"{other:.0f}" if other == round(other) else f"{other:g}"
        return claim[: match.start()] + made + claim[match.end() :]
    return None


def _cased(model: str, word: str) -> str:
    return word.capitalize() if model[:1].isupper() else word


def _forms(verb: str) -> tuple[str, str, str, str]:
    """A regular verb and its -s, -ed and -ing."""
    irregular = {
        "lose": ("lose", "loses", "lost", "losing"),
        "win": ("win", "wins", "won", "winning"),
        "grow": ("grow", "grows", "grew", "growing"),
        "shrink": ("shrink", "shrinks", "shrank", "shrinking"),
        "hurt": ("hurt", "hurts", "hurt", "hurting"),
        "begin": ("begin", "begins", "began", "beginning"),
        "forbid": ("forbid", "forbids", "forbade", "forbidding"),
        "stop": ("stop", "stops", "stopped", "stopping"),
        "permit": ("permit", "permits", "permitted", "permitting"),
        "expel": ("expel", "expels", "expelled", "expelling"),
        "repel": ("repel", "repels", "repelled", "repelling"),
        "have": ("have", "has", "had", "having"),
        "be": ("be", "is", "was", "being"),
    }
    if verb in irregular:
        return irregular[verb]
    if verb.endswith("e"):
        return verb, f"{verb}s", f"{verb}d", f"{verb[:-1]}ing"
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        return verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"
    ending = "es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s"
    return verb, f"{verb}{ending}", f"{verb}ed", f"{verb}ing"


def _pairs() -> Iterator[tuple[str, str]]:
    for line in _VERBS.strip().split("\n"):
        one, other = (side.split() for side in line.split("|"))
        for side, partners in ((one, other), (other, one)):
            for place, verb in enumerate(side):
                partner = partners[min(place, len(partners) - 1)]
                yield from zip(_forms(verb), _forms(partner), strict=True)
    for line in _ADJECTIVES.strip().split("\n"):
        first, second = line.split()
        yield first, second
        yield second, first


def _opposites() -> dict[str, str]:
    found: dict[str, str] = {}
    for word, other in _pairs():
        found.setdefault(word, other)
    # Turned round, they say nothing that could be wrong.
    for word in ("no", "first", "last", "all", "every", "with", "early", "late"):
        found.pop(word, None)
    return found


def _directions() -> dict[str, int]:
    found: dict[str, int] = dict.fromkeys(_DOWNWARD.split(), -1)
    for line in _VERBS.strip().split("\n"):
        for side, sign in zip(line.split("|"), (1, -1), strict=True):
            for verb in side.split():
                for form in _forms(verb):
                    found.setdefault(form, sign)
    for line in _ADJECTIVES.strip().split("\n"):
        for word, sign in zip(line.split(), (1, -1), strict=True):
            found.setdefault(word, sign)
    return found


OPPOSITES = _opposites()
"""Word to the word that says the opposite, in the same form."""
DIRECTIONS = _directions()
"""Word to 1 (up, more, with) or -1 (down, less, without)."""
_THIRD_PERSON = {_forms(verb)[1]: verb for verb in re.findall(r"[a-z]+", _VERBS)}


class Cues(NamedTuple):
    """How the wording of a claim compares with that of a text."""

    shared: float
    """Share of the claim's content words that stand in the text."""
    same_direction: float
    """Words of direction in the claim that the text has, or others of their sign."""
    other_direction: float
    """Words of direction in the claim whose opposite the text has instead."""
    sign: float
    """1 where claim and text point the same way in all, -1 where not, 0: neither."""
    negated: float
    """1 where one of them is negated and the other is not."""
    claim_negated: float
    numbers_missing: float
    """Share of the claim's numbers that the text does not have; 0 without numbers."""


def cues(claim: str, text: str) -> Cues:
    """Compare the words of a claim with those of a text."""
    ours, theirs = _words(claim), _words(text)
    known = set(theirs)
    stems = {_stem(word) for word in theirs}
    content = [word for word in ours if len(word) > 3 and word not in DIRECTIONS]
    shared = [word for word in content if _stem(word) in stems]
    same = other = 0
    up = sum(DIRECTIONS.get(word, 0) > 0 for word in theirs)
    down = sum(DIRECTIONS.get(word, 0) < 0 for word in theirs)
    sign = 1
    directed = False
    for word in ours:
        direction = DIRECTIONS.get(word, 0)
        if not direction:
            continue
        directed = True
        sign *= direction
        if word in known:
            same += 1
        elif OPPOSITES.get(word) in known:
            other += 1
        else:
            same += (up if direction > 0 else down) > 0
            other += (down if direction > 0 else up) > 0
    text_sign = -1 if down % 2 else 1
    ours_no, theirs_no = _is_negated(ours), _is_negated(theirs)
    numbers = [word for word in ours if word[0].isdigit()]
    missing = sum(word not in known for word in numbers)
    return Cues(
        shared=len(shared) / max(1, len(content)),
        same_direction=float(same),
        other_direction=float(other),
        sign=float(sign * text_sign) if directed else 0.0,
        negated=float(ours_no != theirs_no),
        claim_negated=float(ours_no),
        numbers_missing=missing / max(1, len(numbers)),
    )


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _WORD.finditer(text)]


def _is_negated(words: list[str]) -> bool:
    negations = _NEGATIONS.split()
    return any(word in negations or word.endswith("n't") for word in words)


def _stem(word: str) -> str:
    """What two forms of a word have in common, roughly."""
    return word[: max(4, len(word) - 3)] if len(word) > 4 else word
