"""What is known of each document: queued, read, indexed, or failed and why.

A log of lines in KB/documents.jsonl, of which the last one for a name counts. The table
of passages is the truth about what is indexed; this file remembers what the table
cannot: where a document came from, what was still to do when a run was stopped, and
what could not be read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from groundtune.core.errors import DataError, StoreError
from groundtune.store.files import JsonLinesLog, read_json_lines, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundtune.retrieve.schema import StoredDocument

STATES = "documents.jsonl"
State = Literal["queued", "read", "indexed", "failed"]
UNFINISHED: tuple[State, ...] = ("queued", "read", "failed")
"""What `ingest --retry-failed` takes up again."""

_GONE = "gone"
_SPARE_LINES = 1_000
_GROWTH = 4


class DocumentState(NamedTuple):
    """What is known of one document, or of a file that gave none."""

    document: str
    state: State
    reason: str = ""
    """Why it failed."""
    content: str = ""
    """As in `StoredDocument`; empty where nothing of it was ever stored."""
    source: str = ""
    file: str = ""
    """Where it was read from on this machine; empty where not known."""
    bytes: int = 0
    """Size of that file."""


class DocumentStates:
    """The log of one knowledge base, held by the process that writes to it."""

    def __init__(self, kb_path: Path) -> None:
        """Open the log for adding lines.

        Raises:
            StoreError: It is damaged or cannot be written.
        """
        self._path = kb_path / STATES
        # Before it is opened: a damaged log is told about, not added to.
        self._known = read_states(kb_path)
        self._log = JsonLinesLog(self._path)
        self._lines = 0

    def close(self) -> None:
        """Release the file."""
        self._log.close()

    def get(self, name: str) -> DocumentState | None:
        """What is known of a document."""
        return self._known.get(name)

    def agree_with(self, stored: Mapping[str, StoredDocument]) -> None:
        """Correct what a crash between a commit and its line left behind.

        Raises:
            StoreError: The disk refused.
        """
        wrong = [
            state.document
            for state in self._known.values()
            if state.state == "indexed" and state.document not in stored
        ]
        self.forget(wrong)
        self.put(self._agreeing(known) for known in stored.values())

    def put(self, states: Iterable[DocumentState]) -> None:
        """Note states; when this returns they survive a power cut.

        Raises:
            StoreError: The disk refused.
        """
        new = [s for s in states if s != self._known.get(s.document)]
        if not new:
            return
        self._log.append(*(_line(state) for state in new))
        self._known.update((state.document, state) for state in new)
        self._lines += len(new)
        self._shorten()

    def forget(self, names: Iterable[str]) -> None:
        """Note that documents are no longer there.

        Raises:
            StoreError: The disk refused.
        """
        gone = [name for name in names if name in self._known]
        if gone:
            self._log.append(*({"document": name, "state": _GONE} for name in gone))
            for name in gone:
                del self._known[name]

    def _agreeing(self, known: StoredDocument) -> DocumentState:
        """What the log should say of a stored document."""
        state = self._known.get(known.id) or DocumentState(known.id, "indexed")
        if state.state == "failed":
            # The file may have failed since, and its earlier version is kept.
            return state._replace(content=known.content, source=known.source)
        return state._replace(
            state="indexed", reason="", content=known.content, source=known.source
        )

    def _shorten(self) -> None:
        if self._lines <= _GROWTH * len(self._known) + _SPARE_LINES:
            return
        self._log.close()
        try:
            write_states(self._path.parent, self._known.values())
        finally:
            self._log = JsonLinesLog(self._path)
        self._lines = 0


def read_states(kb_path: Path) -> dict[str, DocumentState]:
    """What is known of each document, by its id.

    Raises:
        StoreError: The log is damaged.
    """
    file = kb_path / STATES
    found: dict[str, DocumentState] = {}
    try:
        for line in read_json_lines(file):
            name = str(line["document"])
            if line["state"] == _GONE:
                found.pop(name, None)
            elif line["state"] not in get_args(State):
                raise KeyError(line["state"])
            else:
                found[name] = DocumentState(**line)
    except (DataError, KeyError, TypeError, OSError) as error:
        raise StoreError(
            f"the states of documents are damaged: {error}",
            fix="delete this file: the next ingest writes it anew",
            where=str(file),
        ) from error
    return found


def write_states(kb_path: Path, states: Iterable[DocumentState]) -> None:
    """Replace the log by one line for each document.

    Raises:
        StoreError: The disk refused; the old log stands.
    """
    lines = (json.dumps(_line(state), ensure_ascii=False) + "\n" for state in states)
    write_atomic(kb_path / STATES, "".join(lines))


def files_elsewhere(kb_path: Path) -> frozenset[str]:
    """Documents whose files are still where they were read from.

    Raises:
        StoreError: The log is damaged.
    """
    return frozenset(
        state.document
        for state in read_states(kb_path).values()
        if state.file and Path(state.file).is_file()
    )


def _line(state: DocumentState) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in state._asdict().items() if value}
