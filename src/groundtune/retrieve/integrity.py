"""Files and documents compared with what was written: what a reader checks on opening.

The engine keeps no checksums, so nothing that it reads is believed before it was looked
at here. A full scan is in `verify`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundtune.core.errors import StoreError
from groundtune.retrieve.durable import manifest_path
from groundtune.retrieve.ledger import check_file
from groundtune.retrieve.schema import (
    CATALOGUE_COLUMNS,
    StoredDocument,
    document_key,
)
from groundtune.retrieve.stamp import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from groundtune.retrieve.ledger import Ledger

WHOLE_CHECK_BYTES = 64 << 20
"""Tables up to this size are compared with their hashes on opening, in about 50 ms.
Above, that is done for what carries no hash of its own: the newest manifest, deletions
and the index in use. Each passage is compared with its own hash whenever it is read."""


class FileCheck:
    """Compares files of a folder of tables with the ledger, each of them once."""

    def __init__(self, tables: Path, ledger: Ledger) -> None:
        self._tables = tables
        self._ledger = ledger
        self._checked: set[str] = set()

    def trust(self, files: Iterable[Path]) -> None:
        """Take these for checked: this process has just written and hashed them."""
        self._checked.update(f.relative_to(self._tables).as_posix() for f in files)

    def check(self, name: str) -> None:
        """Compare one acknowledged file with its hash.

        Raises:
            StoreError: It is damaged.
        """
        if name not in self._checked:
            expected = self._ledger.files[name]
            check_file(self._tables, name, expected=expected, content=True)
            self._checked.add(name)

    def check_readable(self, version: int) -> None:
        """Compare what a version needs: see WHOLE_CHECK_BYTES; sizes of all the rest.

        Raises:
            StoreError: A file is damaged.
        """
        files = self._ledger.files
        is_small = sum(found.size for found in files.values()) <= WHOLE_CHECK_BYTES
        head = manifest_path(self._tables / f"{TABLE}.lance", version).name
        for name, expected in files.items():
            kind = name.split("/")[1]
            if (
                name.endswith(f"/{head}")
                or kind == "_deletions"
                or (is_small and kind == "data")
            ):
                self.check(name)
            elif kind == "data" and name not in self._checked:
                check_file(self._tables, name, expected=expected, content=False)


LISTING_COLUMNS = [*CATALOGUE_COLUMNS, "key"]


def list_documents(rows: Any, *, where: Path) -> dict[str, StoredDocument]:  # noqa: ANN401 (pyarrow has no types)
    """The documents of a table, from its LISTING_COLUMNS.

    Raises:
        StoreError: Two versions of a document are visible, or a name is damaged.
    """
    grouped = rows.group_by(LISTING_COLUMNS).aggregate([([], "count_all")])
    found: dict[str, StoredDocument] = {}
    for row in grouped.to_pylist():
        name = row["document"]
        if name in found or row["key"] != document_key(name):
            raise StoreError(
                f"two versions of {name!r} are visible, or its name is damaged",
                fix=f"groundtune kb rebuild {where}",
                where=str(where),
            )
        found[name] = StoredDocument(
            name, row["content"], row["text_hash"], row["source"], row["count_all"]
        )
    return found
