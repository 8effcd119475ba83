"""A collection in BEIR's layout as a folder of text files, which every system reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from groundtune.data.beir import BeirFolder


def write_files(collection: BeirFolder, folder: Path, *, count: int = 0) -> int:
    """Write each document to a file of its own: title, empty line, text.

    Args:
        collection: Where they come from.
        folder: Made, and filled with `ID.txt`.
        count: Only so many, evenly spread over the collection; 0 for all.

    Returns:
        How many were written.
    """
    documents = list(collection.documents())
    wanted = min(count, len(documents)) or len(documents)
    folder.mkdir(parents=True)
    for place in range(wanted):
        document = documents[place * len(documents) // wanted]
        parts = [part for part in (document.title, document.text) if part]
        file = folder / f"{document.id}.txt"
        file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return wanted


def documents_of(files: Iterable[str]) -> list[str]:
    """Documents in the order of their best passage, from the file of each passage."""
    return [name.removesuffix(".txt") for name in dict.fromkeys(files)]
