"""What goes wrong for a person: one clear error, an exit code, nothing touched."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from groundtune.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND = "from groundtune.cli.main import run; run()"
CASE = {"id": "1", "question": "Who?", "answers": ["Ada"], "source": "a.txt"}


class Said:
    """What a command said and how it ended."""

    def __init__(self, code: int, error: str) -> None:
        self.code = code
        self.error = error

    def has(self, *parts: str) -> None:
        """Check that it is one error, with these parts, a fix and no traceback."""
        for part in parts:
            assert part in self.error, self.error
        assert self.error.count("groundtune: ") == 1, self.error
        assert "\n  fix: " in self.error, self.error
        assert "Traceback" not in self.error


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def command(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as stop:
            run([str(argument) for argument in arguments])
        code = stop.value.code
        assert isinstance(code, int)
        return Said(code, capsys.readouterr().err)

    return command


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    (folder / "a.txt").write_text("Ada built the tower on the hill.")
    target = folder / "kb"
    arguments = ["ingest", str(folder / "a.txt"), "--kb", str(target)]
    subprocess.run([sys.executable, "-c", COMMAND, *arguments], check=True)
    return target


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_empty_folder(tmp_path: Path, say: Callable[..., Said]) -> None:
    (tmp_path / "docs").mkdir()

    said = say("ingest", tmp_path / "docs", "--kb", tmp_path / "kb")

    said.has(str(tmp_path / "docs"), ".pdf")
    assert said.code == 3
    assert not (tmp_path / "kb").exists()


def test_an_encrypted_pdf_alone(tmp_path: Path, say: Callable[..., Said]) -> None:
    pdf = tmp_path / "secret.pdf"
    canvas = Canvas(str(pdf), encrypt=StandardEncryption("open", "own"))
    canvas.drawString(72, 700, "hidden")
    canvas.save()

    said = say("ingest", pdf, "--kb", tmp_path / "kb")

    said.has("secret.pdf", "encrypted")
    assert said.code == 3
    assert not (tmp_path / "kb").exists()


def test_a_file_that_is_not_utf8_beside_a_good_one(
    tmp_path: Path, say: Callable[..., Said]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.txt").write_text("The tower is tall and old.")
    (docs / "bad.txt").write_bytes("Größe".encode("latin-1"))

    said = say("ingest", docs, "--kb", tmp_path / "kb")

    assert said.code == 3
    assert "bad.txt" in said.error
    assert "UTF-8" in said.error
    assert "iconv" in said.error


@pytest.fixture
def compare(tmp_path: Path, say: Callable[..., Said]) -> Callable[[str], Said]:
    """Compare on a cases file of the given text."""
    (tmp_path / "a.txt").write_text("Ada built the tower on the hill.")

    def command(text: str) -> Said:
        cases = tmp_path / "cases.jsonl"
        cases.write_text(text)
        said = say(
            "compare",
            "qa",
            "--cases",
            cases,
            "--docs",
            tmp_path / "a.txt",
            "--out",
            tmp_path / "run",
        )
        assert not (tmp_path / "run").exists()
        return said

    return command


def test_a_broken_line(compare: Callable[[str], Said]) -> None:
    said = compare(json.dumps(CASE) + '\n{"id": "2", "question": \n')

    said.has("cases.jsonl:2")
    assert said.code == 3


def test_cases_without_answers(compare: Callable[[str], Said]) -> None:
    said = compare(
        json.dumps(CASE) + "\n" + json.dumps({**CASE, "id": "2", "answers": []})
    )

    said.has("cases.jsonl:2", "answer")
    assert said.code == 3


def test_cases_that_cannot_be_split(compare: Callable[[str], Said]) -> None:
    compare(json.dumps(CASE) + "\n").has("--train")


def test_a_knowledge_base_of_another_embedder(
    kb: Path, tmp_path: Path, say: Callable[..., Said]
) -> None:
    import shutil

    other = tmp_path / "kb"
    shutil.copytree(kb, other)
    stamp = json.loads((other / "kb.json").read_text())
    stamp["embedder"] = "another-model@12345678"
    (other / "kb.json").write_text(json.dumps(stamp))
    before = content(other)

    for arguments in (
        ("search", "--kb", other, "tower"),
        ("ask", "--kb", other, "Who built it?"),
        ("ingest", kb.parent / "a.txt", "--kb", other),
    ):
        said = say(*arguments)
        said.has("another-model", "all-minilm-l6-v2")
        assert said.code == 8
    assert content(other) == before


def child(*arguments: object, **settings: str) -> Said:
    """Run a command in a process of its own, with settings in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},  # noqa: TID251 (what the child inherits)
        check=False,
    )
    return Said(done.returncode, done.stderr)


def test_no_network_on_first_use(tmp_path: Path) -> None:
    said = child(
        "models",
        "pull",
        "all-minilm-l6-v2",
        GROUNDTUNE_CACHE=str(tmp_path / "cache"),
        GROUNDTUNE_INDEX_URL="http://127.0.0.1:9/simple",
    )

    said.has("all-minilm-l6-v2")
    assert said.code == 9


def test_a_full_disk(kb: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Bo sold the mill by the river. " * 400)
    # Beside the lock there is a log of what was still to do: it may have grown.
    logs = {".writer", "documents.jsonl"}
    before = {name: raw for name, raw in content(kb).items() if name not in logs}
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "from groundtune.cli.main import run\n"
        "run(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "ingest",
            str(tmp_path / "b.txt"),
            "--kb",
            str(kb),
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    Said(done.returncode, done.stderr).has(str(kb))
    assert done.returncode == 8
    after = content(kb)
    assert {name: after[name] for name in before} == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 3000


def test_a_model_folder_with_a_pickle(
    kb: Path, tmp_path: Path, say: Callable[..., Said]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    (model / "pytorch_model.bin").write_bytes(b"\x80\x04.")

    said = say("ask", "--kb", kb, "--model", model, "Who built it?")

    said.has("pytorch_model.bin", "safetensors")
    assert said.code == 6


def test_what_is_no_run(tmp_path: Path, say: Callable[..., Said]) -> None:
    said = say("report", tmp_path)

    said.has(str(tmp_path))
    assert said.code == 3
    assert list(tmp_path.iterdir()) == []
