"""A reply to a customer, made of a draft: its wording, and the facts of policies.

A draft comes in pieces, and every sentence of it is checked once it is whole, so that
what may stand can be shown at once and need not be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundtune.core.values import Citation
from groundtune.data.sentences import sentence_spans
from groundtune.generate.citations import ground
from groundtune.generate.stated import bare, blanks, is_item, unvouched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from groundtune.core.values import Hit

_STOPS = (".", "!", "?", "…", ":", '"', ")")


class CheckedReply:
    """A draft that is checked line by line while it is written."""

    def __init__(
        self,
        deciding: Sequence[str],
        policies: Sequence[Hit],
        *,
        asked: str,
        look_up: Callable[[str], tuple[str, Hit] | None],
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        """Begin with nothing said.

        Args:
            deciding: Sentences of policies to say word for word.
            policies: Passages that vouch; those that fill a place come to them.
            asked: What the customer said, which may be repeated.
            look_up: What the policies give for a label, and where.
            on_text: Called with each sentence that stands.
        """
        self.text = ""
        self.policies = list(policies)
        self.filled: list[Citation] = []
        self.left_out = 0
        self._deciding = list(deciding)
        self._asked = asked
        self._look_up = look_up
        self._on_text = on_text
        self._open = ""
        self._waiting = ""
        self._seen: set[str] = set()

    def add(self, piece: str) -> None:
        """Take what was written; a sentence is checked once the next one begins."""
        self._open += piece
        *lines, last = self._open.split("\n")
        for line in lines:
            self._take_line(line)
        if not is_item(last):
            spans = sentence_spans(last)
            for span in spans[:-1]:
                self._take(last[span.start : span.end], " ")
            last = last[spans[-1].start :] if spans else last
        self._open = last

    def finish(self) -> None:
        """Check what is left, and say what the policies say if it was not said yet."""
        self._take_line(self._open)
        self._open = ""
        self._say_policies()

    def _take_line(self, line: str) -> None:
        if is_item(line):
            self._take(line.strip(), "\n")
            return
        for span in sentence_spans(line):
            self._take(line[span.start : span.end], " ")

    def _take(self, sentence: str, gap: str) -> None:
        key = _key(sentence)
        filled = self._filled(sentence)
        if key in self._seen or not self._may_stand(filled):
            self.left_out += key not in self._seen
            self._waiting = ""
        elif filled.endswith(":"):
            # What announces a list is said together with its first item.
            self._waiting = filled
        else:
            if self._waiting:
                self._say(self._waiting, " ")
                self._waiting = ""
            # Steps that are left out leave gaps in a count.
            self._say(f"- {bare(filled)}" if is_item(filled) else filled, gap)
            self._say_policies()
        self._seen.add(key)

    def _may_stand(self, line: str) -> bool:
        """Whether the policies bear a line out, as far as it states anything.

        The steps of a list are instructions: each has to stand in a policy.
        """
        sources = [hit.passage.text for hit in self.policies]
        if unvouched(line, sources, asked=self._asked):
            return False
        return not is_item(line) or not ground(bare(line), self.policies).unsupported

    def _filled(self, line: str) -> str:
        """The line with what the policies give for each place left open."""
        for written, label in blanks(line):
            found = self._look_up(label)
            if found is None:
                continue
            value, hit = found
            passage = hit.passage
            if passage.id not in {one.passage.id for one in self.policies}:
                self.policies.append(hit)
            if f"{written}." in line:
                value = value.removesuffix(".")
            line = line.replace(written, value)
            start = passage.start + passage.text.index(value)
            self.filled.append(
                Citation(
                    document=passage.document,
                    start=start,
                    end=start + len(value),
                    text=value,
                )
            )
        return line

    def _say_policies(self) -> None:
        """The policies' own words, after the first sentence of the draft."""
        while self._deciding:
            sentence = self._deciding.pop(0)
            if _key(sentence) not in self._seen:
                self._say(sentence, " ")

    def _say(self, sentence: str, gap: str) -> None:
        # What ends without a stop would run into the next sentence, and nothing could
        # bear out the two of them together.
        if gap == " " and not self.text.endswith(_STOPS):
            gap = "\n\n"
        piece = f"{gap}{sentence}" if self.text else sentence
        self.text += piece
        self._seen.add(_key(sentence))
        if self._on_text is not None:
            self._on_text(piece)


def _key(sentence: str) -> str:
    return " ".join(sentence.casefold().split())
