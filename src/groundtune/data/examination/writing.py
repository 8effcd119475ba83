"""How the texts are written: characters, markup, placeholders, secrets, refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from groundtune.data.examination.diagnosis import Diagnosis, Spot, by_share, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from groundtune.data.examination.diagnosis import Cell, Severity

_DIGITS = "0123456789"


class _Check(NamedTuple):
    kind: str
    pattern: re.Pattern[str]
    message: str
    fix: str
    answers_only: bool = False
    severity: Severity | None = None
    """None: the share of the rows decides."""
    accept: Callable[[str], bool] = bool
    """Asked about each match."""
    is_secret: bool = False
    """Not shown again in a report."""
    may_be_meant: bool = False
    """Whether it is how the data is written where many rows have it."""
    needs: str = ""
    """A text without any of these characters is not searched."""


def _is_card(text: str) -> bool:
    """Whether digits are a card number by their check digit."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [2 * d - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _is_account(text: str) -> bool:
    """Whether letters and digits are an IBAN by their check digits."""
    plain = re.sub(r"\s", "", text)
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


_CHECKS = (
    _Check(
        "control_characters",
        re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
        "texts hold control characters",
        "remove them, and read the source in its own encoding",
    ),
    _Check(
        "replacement_characters",
        re.compile("\ufffd"),
        "texts hold characters that were lost when they were decoded",
        "read the source again in its own encoding",
    ),
    _Check(
        "mojibake",
        # The second byte of UTF-8, read as Latin-1 or as cp1252.
        re.compile(r"Ã[\x80-\xbf\u0192\u0160\u0178\u0152]|Â[\xa0-\xbf]|â€|ðŸ"),
        "texts are UTF-8 that was read as Latin-1",
        "read the source as UTF-8 and write the file again",
    ),
    _Check(
        "invisible_characters",
        re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\u00ad]"),
        "texts hold characters that cannot be seen",
        "remove zero-width spaces, byte order marks and direction marks",
    ),
    _Check(
        "html",
        re.compile(
            r"</?(?:p|br|div|span|a|b|i|em|strong|li|ul|ol|td|tr|table|h[1-6]|img|"
            r"script|style)\b[^<>]*>|&(?:amp|lt|gt|quot|nbsp|apos|#\d{2,5}|"
            r"#x[0-9a-f]{2,4});",
            re.IGNORECASE,
        ),
        "texts hold left-overs of HTML",
        "take the text out of the markup, and entities such as &amp; as characters",
        may_be_meant=True,
        needs="<&",
    ),
    _Check(
        "placeholder_text",
        re.compile(
            r"(?:n/?a|null|none|nan|undefined|tbd|to-?do|x{3,}|lorem ipsum\b.*|"
            r"(?:your|insert) (?:text|answer|response)(?: here)?|[-._?*#@]+)",
            re.IGNORECASE | re.DOTALL,
        ),
        "texts are placeholders for a text",
        "write them, or delete the rows",
    ),
    _Check(
        "unfilled_slots",
        re.compile(
            r"\{\{[^{}]{1,60}\}\}|\[(?:insert|your|name of)\b[^\]]{0,40}\]|"
            r"<(?:name|company|insert[^<>]{0,40})>|\$\{\w+\}",
            re.IGNORECASE,
        ),
        "texts have slots that nobody filled in",
        "fill them in; slots in every row are learned as they are",
        may_be_meant=True,
        needs="{[<$",
    ),
    _Check(
        "refusal",
        re.compile(
            r"\bas an ai\b|\bas a (?:large )?language model|\bi(?:'m| am) sorry, but "
            r"(?:as an|i (?:can(?:no|')t|am unable to|am not able to) (?:assist|help "
            r"with that|fulfil|provide|comply|answer))|\bi can(?:no|')t (?:assist|"
            r"comply|fulfil)",
            re.IGNORECASE,
        ),
        "answers refuse to answer",
        "write a real answer, or delete the rows: a model learns to refuse",
        answers_only=True,
    ),
    _Check(
        "template_tokens",
        re.compile(
            r"<\|[a-z0-9_]{2,30}\|>|</?s>|\[/?INST\]|<</?SYS>>|"
            r"<(?:start|end)_of_turn>|^### (?:response|instruction|input):",
            re.IGNORECASE | re.MULTILINE,
        ),
        "texts hold marks of a chat template",
        "remove them: the template adds its own, and these would end or start a turn",
        severity="error",
        needs="<[#",
    ),
    _Check(
        "secrets",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|"
            r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{20,}|"
            r"\bxox[baprs]-[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.|"
            r"(?i:\b(?:password|passwd|api[_ ]?key|secret)\s*[:=]\s*(?=\S*\d)\S{6,})"
        ),
        "texts hold what looks like a password or key",
        "remove it: a model repeats what it was trained on",
        severity="warning",
        is_secret=True,
    ),
    _Check(
        "card_numbers",
        re.compile(r"(?<![\d.])[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?![\d.])"),
        "texts hold what looks like the number of a payment card",
        "replace it: a model repeats what it was trained on",
        severity="warning",
        accept=_is_card,
        is_secret=True,
        needs=_DIGITS,
    ),
    _Check(
        "account_numbers",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
        "texts hold what looks like a bank account",
        "replace it: a model repeats what it was trained on",
        severity="warning",
        accept=_is_account,
        is_secret=True,
        needs=_DIGITS,
    ),
    _Check(
        "personal_data",
        re.compile(
            r"[\w.+-]+@[\w-]+\.[\w.]*\w|\b\d{3}-\d{2}-\d{4}\b|"
            r"(?<![\w.-])\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}(?!\w)|"
            r"(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"
        ),
        "texts hold an e-mail address, a telephone or identity number",
        "replace them where they are real: a model repeats what it was trained on",
        is_secret=True,
        needs="@" + _DIGITS,
    ),
)
_WHOLE = frozenset({"placeholder_text"})
"""Checks whose pattern must be the whole text."""


def check_writing(
    cells: Sequence[Cell], *, rows: int, is_tokens: bool
) -> Iterator[Diagnosis]:
    """Look at every text.

    Args:
        cells: The texts of a file.
        rows: How many rows they come from.
        is_tokens: Whether each is one word: then a mark alone is no placeholder.
    """
    letters = [frozenset(cell.text) for cell in cells]
    for check in _CHECKS:
        if is_tokens and check.kind in {"placeholder_text", "template_tokens"}:
            continue
        find = check.pattern.fullmatch if check.kind in _WHOLE else check.pattern.search
        spots: list[Spot] = []
        for cell, held in zip(cells, letters, strict=True):
            if check.answers_only and not cell.is_answer:
                continue
            if check.needs and held.isdisjoint(check.needs):
                continue
            match = find(cell.text)
            if match is not None and check.accept(match.group()):
                detail = "" if check.is_secret else shown(_around(cell.text, match))
                spots.append(Spot(cell.where, cell.column, detail))
        if spots:
            places = {spot.where for spot in spots}
            yield Diagnosis(
                kind=check.kind,
                severity=check.severity
                or by_share(len(places), rows, may_be_meant=check.may_be_meant),
                message=f"{len(spots)} {check.message}",
                fix=check.fix,
                spots=tuple(spots),
            )


def _around(text: str, match: re.Match[str]) -> str:
    """The match with a little of what stands before and after it."""
    start, end = max(0, match.start() - 20), match.end() + 20
    return (
        f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
    )
