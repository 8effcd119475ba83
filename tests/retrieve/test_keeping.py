"""States of documents, mass deletes, verify, rebuild, backups, tags, maintenance."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from groundtune.config.splitter import SplitterSettings
from groundtune.core.errors import ConfigError, DataError, StoreError
from groundtune.data.read import UnreadableDocument
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.maintenance import Caps, maintain, spot_check
from groundtune.retrieve.query_adapter import (
    QUERY_ADAPTERS,
    QueryAdapter,
    load_query_adapter,
)
from groundtune.retrieve.rebuild import rebuild
from groundtune.retrieve.restore import restore
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.snapshot import backup, tag, tags, untag
from groundtune.retrieve.source import Source
from groundtune.retrieve.states import read_states
from groundtune.retrieve.verify import verify
from groundtune.store.files import read_json
from groundtune.store.folders import remove_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from groundtune.core.protocols import Embedder
    from groundtune.core.values import Document

    Make = Callable[..., Document]
    Open = Callable[..., KnowledgeBase]

LAMPS = "Lamps are filled with walnut oil on every third evening of the dry season."
TIDES = "Tides are two hours later each day, which the harbour master writes on slate."
NONE = timedelta(milliseconds=1)
"""The engine warns of zero."""
NOTHING_KEPT = Caps(keep=NONE, keep_at_least=NONE)


@pytest.fixture
def filled(kb: KnowledgeBase, document: Make) -> KnowledgeBase:
    many = [document(f"d{n}", f"{n} {LAMPS}", f"{n} {TIDES}") for n in range(4)]
    kb.update(many, delete_missing=False)
    return kb


def names(kb: KnowledgeBase) -> list[str]:
    return [known.id for known in kb.documents()]


def first_text(kb: KnowledgeBase, query: str) -> str:
    assert kb.embedder is not None
    return HybridRetriever(kb, kb.embedder).search(query, k=1)[0].passage.text


def test_states_tell_what_became_of_each_document(
    kb: KnowledgeBase, document: Make, tmp_path: Path
) -> None:
    file = tmp_path / "a.md"
    file.write_text(LAMPS)
    broken = UnreadableDocument("b.pdf", DataError("encrypted", fix="decrypt it"))
    source = Source(files={"a.md": file, "b.pdf": tmp_path / "b.pdf"})

    kb.update([document("a.md", LAMPS), broken], delete_missing=False, source=source)

    states = read_states(kb.path)
    assert (states["a.md"].state, states["b.pdf"].state) == ("indexed", "failed")
    assert states["b.pdf"].reason == "encrypted (fix: decrypt it)"
    assert (states["a.md"].file, states["a.md"].bytes) == (str(file), len(LAMPS))

    kb.update([document("b.pdf", TIDES)], delete_missing=False)
    assert read_states(kb.path)["b.pdf"].state == "indexed"
    kb.remove(["a.md"])
    assert read_states(kb.path).keys() == {"b.pdf"}


def test_lost_states_are_written_again(filled: KnowledgeBase, document: Make) -> None:
    before = read_states(filled.path)
    (filled.path / "documents.jsonl").unlink()

    filled.update([document("d0", f"0 {LAMPS}", f"0 {TIDES}")], delete_missing=False)

    assert read_states(filled.path) == before


def test_mass_delete_is_done_only_if_agreed_to(
    kb: KnowledgeBase, document: Make
) -> None:
    many = [document(f"d{n:02}", f"{n} {LAMPS}") for n in range(30)]
    kb.update(many, delete_missing=False)
    asked: list[tuple[int, int]] = []

    def refuse(going: int, held: int) -> bool:
        asked.append((going, held))
        return False

    few, new = many[:5], document("new", TIDES)
    with pytest.raises(ConfigError, match="25 of 30 documents") as stop:
        kb.update([*few, new], delete_missing=True, source=Source(confirm=refuse))
    assert asked == [(25, 30)]
    assert "--yes" in stop.value.fix
    # The rest was done.
    assert len(names(kb)) == 31
    assert first_text(kb, "harbour master") == TIDES

    some = kb.update(
        [*many[:12], new], delete_missing=True, source=Source(confirm=refuse)
    )
    assert (some.deleted, len(asked)) == (18, 1)

    def agree(_going: int, _held: int) -> bool:
        return True

    agreed = kb.update([new], delete_missing=True, source=Source(confirm=agree))
    assert (agreed.deleted, names(kb)) == (12, ["new"])


def test_damaged_stored_text_is_written_again_by_ingest(
    filled: KnowledgeBase, document: Make
) -> None:
    file = filled.blob_path(filled.documents()[0].content)
    file.write_text("torn")
    with pytest.raises(StoreError, match="'d0' is missing or damaged"):
        filled.document_text("d0")
    damage = verify(filled.path).damage
    assert [d.where for d in damage] == [str(file)]
    assert "ingest it again" in damage[0].fix

    filled.update([document("d0", f"0 {LAMPS}", f"0 {TIDES}")], delete_missing=False)

    assert filled.document_text("d0").startswith("0 Lamps")
    assert verify(filled.path).is_whole


def test_verify_finds_a_flipped_bit_and_rebuild_mends_it(
    filled: KnowledgeBase, embedder: Embedder, open_words: Open
) -> None:
    assert verify(filled.path).is_whole
    (data, *_) = sorted((filled.path / "lance").rglob("data/*.lance"))
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 4
    data.write_bytes(raw)

    report = verify(filled.path)
    assert str(data) in {damage.where for damage in report.damage}
    assert all("kb rebuild" in damage.fix for damage in report.damage)
    with pytest.raises(StoreError, match="is damaged"):
        open_words(filled.path)

    made = rebuild(filled.path, embedder=embedder)

    assert (made.documents, made.passages) == (4, 8)
    assert verify(filled.path).is_whole
    again = open_words(filled.path)
    assert first_text(again, f"2 {LAMPS}") == f"2 {LAMPS}"


def test_rebuild_takes_on_another_embedder_and_splitter(
    filled: KnowledgeBase, other_embedder: Callable[..., Embedder], document: Make
) -> None:
    other = other_embedder(name="other@1", dim=32)
    whole = SplitterSettings(target=100, maximum=120, minimum=2)
    reader = KnowledgeBase.open(filled.path)

    report = rebuild(filled.path, embedder=other, splitter=whole)

    assert (report.documents, report.passages) == (4, 4)
    # Who had it open goes on with what they opened.
    assert len(reader.passages("d1")) == 2
    made = KnowledgeBase.create_or_open(filled.path, embedder=other)
    assert made.stamp.splitter == whole
    assert made.update([document("new", TIDES)], delete_missing=False).added == 1
    assert first_text(made, "harbour master on slate") == TIDES
    assert verify(filled.path).is_whole
    reader.refresh()
    assert len(reader.passages("d1")) == 1


def test_rebuild_that_fails_changes_nothing(
    filled: KnowledgeBase, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_texts: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as broken:
        broken.setattr(embedder, "encode", fail)
        with pytest.raises(RuntimeError):
            rebuild(filled.path, embedder=embedder)
    filled.blob_path(filled.documents()[0].content).unlink()
    with pytest.raises(StoreError, match="damaged: d0"):
        rebuild(filled.path, embedder=embedder)

    assert [p.name for p in filled.path.glob("lance*")] == ["lance"]
    assert len(KnowledgeBase.open(filled.path).passages("d3")) == 2


@pytest.mark.parametrize(
    "field",
    [
        "parser",
        *(
            pytest.param(other, marks=pytest.mark.slow)
            for other in ("splitter", "analysis", "normalisation")
        ),
    ],
)
def test_other_versions_are_refused_until_rebuilt(
    filled: KnowledgeBase, embedder: Embedder, open_words: Open, field: str
) -> None:
    file = filled.path / "kb.json"
    raw = read_json(file)
    if field == "splitter":
        raw["splitter"]["version"] = "s0"
    else:
        raw[field] = 0
    file.write_text(json.dumps(raw))

    with pytest.raises(StoreError) as stop:
        KnowledgeBase.create_or_open(filled.path, embedder=embedder)
    assert stop.value.fix == f"groundtune kb rebuild {filled.path}"
    rebuild(filled.path, embedder=embedder)

    assert len(open_words(filled.path).documents()) == 4


def test_older_layout_is_taken_over_by_rebuild(
    filled: KnowledgeBase, embedder: Embedder, open_words: Open
) -> None:
    file = filled.path / "kb.json"
    raw = read_json(file)
    kept = {name: raw[name] for name in ("embedder", "dim", "splitter")}
    file.write_text(json.dumps({"format": 1, **kept}))
    (filled.path / "documents.jsonl").unlink()

    with pytest.raises(StoreError, match="layout 1"):
        KnowledgeBase.open(filled.path)
    rebuild(filled.path, embedder=embedder)

    assert first_text(open_words(filled.path), f"3 {TIDES}") == f"3 {TIDES}"


def test_backup_is_a_base_and_restores_what_was(
    filled: KnowledgeBase, document: Make, open_words: Open, tmp_path: Path
) -> None:
    (filled.path / "embedder").mkdir()
    (filled.path / "embedder" / "config.json").write_text("tuned for this base")
    adapter = QueryAdapter(np.eye(4, dtype=np.float32))
    learned = adapter.save(filled.path, embedder="words@0")
    made = backup(filled, tmp_path / "copy")
    assert (made.documents, made.passages) == (4, 8)
    remove_folder(filled.path / QUERY_ADAPTERS)
    (filled.path / "embedder" / "config.json").write_text("tuned again")
    filled.update([document("d0", TIDES)], delete_missing=True)

    copy = open_words(tmp_path / "copy")
    assert first_text(copy, f"1 {LAMPS}") == f"1 {LAMPS}"
    restore(tmp_path / "copy", tmp_path / "new")
    assert verify(tmp_path / "new").is_whole
    with pytest.raises(StoreError, match="here already"):
        restore(tmp_path / "copy", filled.path)
    assert names(open_words(filled.path)) == ["d0"]
    restore(tmp_path / "copy", filled.path, replace_base=True)

    again = open_words(filled.path)
    assert names(again) == ["d0", "d1", "d2", "d3"]
    assert again.document_text("d0").startswith("0 Lamps")
    model = filled.path / "embedder" / "config.json"
    assert model.read_text() == "tuned for this base"
    assert load_query_adapter(filled.path, learned, embedder="words@0")
    assert verify(filled.path).is_whole
    assert again.update([document("e", TIDES)], delete_missing=False).added == 1
    with pytest.raises(StoreError, match="something is here"):
        backup(again, tmp_path / "copy")


def test_damaged_backup_is_not_restored(filled: KnowledgeBase, tmp_path: Path) -> None:
    backup(filled, tmp_path / "copy")
    (file, *_) = (tmp_path / "copy" / "documents").iterdir()
    file.write_text(file.read_text().replace("walnut", "peanut"))

    with pytest.raises(StoreError, match="not what was written"):
        restore(tmp_path / "copy", tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_tag_outlives_clean_up_and_rebuild(
    filled: KnowledgeBase, document: Make, embedder: Embedder, open_words: Open
) -> None:
    tag(filled, "run-1")
    with pytest.raises(StoreError, match="something is here"):
        tag(filled, "run-1")
    with pytest.raises(ConfigError, match="no name for a tag"):
        tag(filled, "../../away")
    for n in range(3):
        filled.update([document("d0", f"{n} {TIDES}")], delete_missing=True)
    maintain(filled, caps=NOTHING_KEPT)
    rebuild(filled.path, embedder=embedder)

    (kept,) = tags(filled.path).values()
    old = KnowledgeBase.open(kept.path, embedder=embedder)
    assert (names(old), kept.documents) == (["d0", "d1", "d2", "d3"], 4)
    assert first_text(old, f"1 {LAMPS}") == f"1 {LAMPS}"
    assert verify(kept.path).is_whole
    untag(filled.path, "run-1")
    assert tags(filled.path) == {}
    assert verify(filled.path).is_whole


def test_maintenance_deletes_old_versions_and_keeps_every_passage(
    filled: KnowledgeBase, document: Make, open_words: Open
) -> None:
    for n in range(4):
        filled.update([document(f"e{n}", f"{n} {TIDES}")], delete_missing=False)
    before = {name: filled.passages(name) for name in names(filled)}

    report = maintain(filled, caps=NOTHING_KEPT)

    assert report.versions[1] < report.versions[0]
    assert report.fragments[1] == 1
    assert report.bytes[1] < report.bytes[0]
    again = open_words(filled.path)
    assert {name: again.passages(name) for name in names(again)} == before
    assert spot_check(again) == []
    assert len((filled.path / "ledger.jsonl").read_text().splitlines()) == 1
    assert verify(filled.path).is_whole


def test_maintenance_runs_by_itself_where_it_is_due(
    filled: KnowledgeBase, document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "groundtune.retrieve.maintenance.DEFAULT_CAPS",
        replace(NOTHING_KEPT, versions=4),
    )
    for n in range(3):
        filled.update([document("e", f"{n} {TIDES}")], delete_missing=False)

    versions = filled.path / "lance" / "passages.lance" / "_versions"
    assert len(list(versions.glob("*.manifest"))) <= 4
    assert verify(filled.path).is_whole


def test_folder_of_another_place_is_no_move(
    filled: KnowledgeBase, document: Make
) -> None:
    report = filled.update(
        [document("copy", f"0 {LAMPS}", f"0 {TIDES}")],
        delete_missing=False,
        source=Source(elsewhere=frozenset({"d0"})),
    )

    assert (report.added, report.moved) == (1, 0)
    assert "d0" in names(filled)
