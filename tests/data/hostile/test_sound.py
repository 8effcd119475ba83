"""The sandbox keeps nobody from reading a sound document of any format."""

from __future__ import annotations

from pathlib import Path

from groundtune.data.formats import READERS
from groundtune.data.sandbox import Sandbox


def test_sound_documents_are_read(
    good_documents: dict[str, bytes], tmp_path: Path
) -> None:
    texts: dict[str, str] = {}
    with Sandbox() as box:
        for kind, raw in good_documents.items():
            path = tmp_path / f"a.{kind}"
            path.write_bytes(raw)
            texts[kind] = box.read(path, name=path.name).text
        child = box.pid

        assert box.read(tmp_path / "a.txt", name="a").text
        assert box.pid == child, "one child read them all"

    assert {Path(f"a{suffix}").suffix[1:] for suffix in READERS} - texts.keys() == {
        "text",
        "markdown",
        "htm",
        "xhtml",
        "ndjson",
    }
    assert all(len(text) > 5 for text in texts.values())
