"""An answer that goes round in circles is cut where it begins to repeat itself.

Small models do: greedy decoding, once back at a sentence, writes the same ones again.
"""

from __future__ import annotations

from groundtune.data.sentences import sentence_spans

_LEAST_WORDS = 3
"""Shorter sentences, such as "It does.", may well be said twice."""


def without_echo(text: str) -> str:
    """The text up to where a sentence comes for the second time.

    A last sentence that was not finished counts where an earlier one begins with it.

    Examples:
        >>> without_echo("A bed costs 24 crowns. Sheets cost three. A bed costs 24")
        'A bed costs 24 crowns. Sheets cost three.'
        >>> without_echo("Yes. Yes. It does.")
        'Yes. Yes. It does.'
    """
    seen: list[str] = []
    spans = sentence_spans(text)
    for number, span in enumerate(spans):
        words = text[span.start : span.end].casefold().split()
        said = " ".join(words)
        is_last = number == len(spans) - 1
        if len(words) >= _LEAST_WORDS and any(
            said == other or (is_last and other.startswith(said)) for other in seen
        ):
            return text[: span.start].rstrip()
        seen.append(said)
    return text
