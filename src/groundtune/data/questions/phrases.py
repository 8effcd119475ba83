"""What may stand in a question: subjects that mean something without their sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from groundtune.data.questions.drafts import content_words, one_line, words_of

if TYPE_CHECKING:
    from groundtune.core.values import Document

_POINTING = (
    "above another any anything both each either everything former he her here him "
    "his i it its latter many me most my neither next none nothing one ones other "
    "others our own same she several some somebody someone something such that "
    "their them then there these they this those we what which who whoever you your "
    "below following previous first second third last only all every no few more "
    "less if when while although because since as for with at by from on to but so "
    "however therefore thus also "
)
_POINTS_ELSEWHERE = frozenset(_POINTING.split())
"""A subject that begins with one of these, or is one, leans on what was said before."""

_ADVERBS_TEXT = (
    "currently even usually often generally normally today now finally later "
    "typically additionally furthermore moreover here's there's alternatively instead "
    "similarly obviously please note sometimes again once yes well perhaps maybe "
    "historically traditionally fortunately unfortunately"
)
_BEFORE = frozenset(_ADVERBS_TEXT.split())
_VAGUE_TEXT = (
    "answer reason problem question result example idea point difference purpose "
    "goal way thing rest case issue section chapter document page manual solution "
    "fact list table argument option following approach change feature value "
    "advantage disadvantage part step alternative effect trick catch syntax item "
    "method function class object module attribute parameter type name line program "
    "package file user system data code output number string first last "
)
_VAGUE = frozenset(_VAGUE_TEXT.split())
"""Nouns that say which one is meant only together with a name, or with what follows."""

_LINKS = re.compile(r"https?://|www\.|[\[\]{}<>|\\=]|``|\u00b6")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_NUMBERING = re.compile(
    r"^(?:(?:chapter|section|part|appendix|step)\s+)?(?:\d+|[A-Z])(?:\.\d+)*[.):]?\s+",
    re.IGNORECASE,
)
_MOST_SUBJECT_WORDS = 7
_JOINED_TEXT = (
    "that which who whom if when not and or there here it they we you is are "
)
_JOINED = frozenset(_JOINED_TEXT.split())
_LEANING = re.compile(
    r"\b(?:this|these|those|such|above|below|following|it|its|they|their|them|here|he|"
    r"she|we|our|you|your|former|latter|same|previous|next)\b",
    re.IGNORECASE,
)
_EMPTY_PRAISE = re.compile(
    r"\b(?:bit|important|good|great|nice|matter|lot|pain|problem|question|idea|decision|"
    r"complicated|possible|necessary|useful|different|simple|easy|best|reason|example|"
    r"ones?|key moment)\b",
    re.IGNORECASE,
)


def plain_heading(text: str) -> str:
    """A heading without its marks and number.

    Examples:
        >>> plain_heading("## 1.2. What is free software?")
        'What is free software?'
        >>> plain_heading("Chapter 3. Choosing")
        'Choosing'
    """
    bare = one_line(text.lstrip("# ").rstrip("#=-~* \n\u00b6"))
    return _NUMBERING.sub("", bare, count=1)


def subject_of(text: str, document: Document | None = None) -> str | None:
    """`text` as a subject, or None where it means nothing without its sentence.

    Args:
        text: The words before the verb.
        document: Where it stands: tells names from words that begin a sentence.

    Examples:
        >>> subject_of("The Debian Project")
        'the Debian Project'
        >>> subject_of("This") is None
        True
    """
    subject = one_line(text).strip(" ,:;\u201c\u201d\"'")
    bare = _ARTICLE.sub("", subject)
    words = words_of(bare)
    if not words or _means_nothing(subject, bare, words):
        return None
    first, _, rest = subject.partition(" ")
    if _ARTICLE.match(subject):
        return f"{first.lower()} {rest}"
    return (
        subject
        if _is_name(first, document)
        else first.lower() + subject[1:][len(first) - 1 :]
    )


def _means_nothing(subject: str, bare: str, words: list[str]) -> bool:
    """Whether a subject leans on its sentence, or is no subject at all."""
    return (
        len(words) > _MOST_SUBJECT_WORDS
        or words[0] in _POINTS_ELSEWHERE
        or words[0] in _BEFORE
        or not content_words(bare)
        or re.match(r"[A-Za-z][a-z]+ing\b", subject) is not None
        # A second part after a comma or a bracket belongs to another construction.
        or re.search(r"[,;:()?!`\u2014]|\.\s", subject) is not None
        or not is_clean(subject)
        or bool(_JOINED & set(words))
        or (len(words) == 1 and words[0] in _VAGUE)
    )


def _is_name(word: str, document: Document | None) -> bool:
    """Whether a word that begins a sentence has its capital elsewhere, too."""
    if not re.fullmatch(r"[A-Z][a-z]+", word) or document is None:
        return True
    if re.search(rf"[a-z,] {word}\b", document.text):
        return True
    # Things in the plural begin sentences, and names seldom end like them.
    return not word.endswith("s") and not re.search(
        rf"\b{word.lower()}\b", document.text
    )


def is_named(subject: str) -> bool:
    """Whether a subject names one thing wherever it is read: it is a name or a code.

    Examples:
        >>> is_named("the Debian Project"), is_named("the package")
        (True, False)
    """
    bare = _ARTICLE.sub("", subject)
    return any(
        word[0].isupper()
        or any(mark.isdigit() or mark in "-_./+" for mark in word)
        or any(mark.isupper() for mark in word[1:])
        for word in bare.split()
    )


def in_context(subject: str, document: Document) -> str:
    """What must be added for a subject to be understood: nothing, or the page's name.

    Returns:
        An ending for a question, such as ` according to "Ferry"`; empty where the
        subject is a name.
    """
    title = plain_heading(document.title)
    if is_named(subject) or not title or len(title) > 60:
        return ""
    return f', according to "{title}"'


def is_clean(text: str) -> bool:
    """Whether a text is prose: no links, markup or code marks."""
    return not _LINKS.search(text)


def without_article(text: str) -> str:
    """A noun phrase without its article.

    Examples:
        >>> without_article("the price of a ticket")
        'price of a ticket'
    """
    return _ARTICLE.sub("", text)


def leans(text: str) -> bool:
    """Whether a text points at something outside of it.

    Examples:
        >>> leans("the solution for this group"), leans("a set of servers")
        (True, False)
    """
    return bool(_LEANING.search(text))


def says_little(text: str) -> bool:
    """Whether a definition is a remark rather than one.

    Examples:
        >>> says_little("an important decision"), says_little("a set of servers")
        (True, False)
    """
    return len(words_of(text)) <= 6 and bool(_EMPTY_PRAISE.search(text))
