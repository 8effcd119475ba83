"""Folders, patterns, checkouts, lists and sitemaps to files."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from groundtune.core.errors import DataError
from groundtune.core.values import Document
from groundtune.data.read import FoundDocuments, find_documents, read_documents


def write(path: Path, content: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names(found: FoundDocuments) -> list[str]:
    return [file.name for file in found.files]


def test_a_pattern_names_files_below_its_plain_part(tmp_path: Path) -> None:
    for name in ("a/x.md", "a/deep/y.md", "a/deep/z.txt", "a/.hidden/w.md", "b/v.md"):
        write(tmp_path / name)

    assert names(find_documents([tmp_path / "a/**/*.md"])) == ["deep/y.md", "x.md"]
    with pytest.raises(DataError, match="no file matches"):
        find_documents([tmp_path / "*.rst"])


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "what[1].md")

    assert names(find_documents([path])) == ["what[1].md"]


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_list_of_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    one, two = write(tmp_path / "a/read.md"), write(tmp_path / "b/read.md")
    write(tmp_path / "c/read.md")
    monkeypatch.chdir(tmp_path)
    listing = io.StringIO(f"a/read.md{end}{two}{end}")

    found = find_documents([Path("-")], listing=listing)

    assert names(found) == ["a/read.md", "b/read.md"]
    monkeypatch.chdir("/")
    monkeypatch.chdir(tmp_path / "c")
    listing = io.StringIO(f"{one}\n{two}\n")
    assert names(find_documents([Path("-")], listing=listing)) == [
        "a/read.md",
        "b/read.md",
    ]


def test_lists_that_name_nothing_or_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="list of paths is empty"):
        find_documents([Path("-")], listing=io.StringIO("\n"))
    with pytest.raises(DataError, match="no such file"):
        find_documents([Path("-")], listing=io.StringIO(f"{tmp_path}/a.md\n"))


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    long = "long/" + "d" * 200 + "/" + "n" * 50 + ".md"
    for name in ("a.md", "docs/b.md", "docs/ü.txt", ".github/c.md", long, "gone.md"):
        write(folder / name)
    secret = write(tmp_path / "outside.md")
    (folder / "link.md").symlink_to(secret)
    (folder / "inner.md").symlink_to(folder / "docs/b.md")
    git(folder.parent, "init", "-q", str(folder))
    git(folder, "add", ".")
    write(folder / "untracked.md")
    (folder / "gone.md").unlink()
    return folder


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_checkout_gives_its_tracked_files(checkout: Path, version: str) -> None:
    if version == "3":
        # A flag that only the third version can hold.
        git(checkout, "add", "-N", "untracked.md")
    git(checkout, "update-index", "--index-version", version)

    found = names(find_documents([checkout]))

    expected = [".github/c.md", "a.md", "docs/b.md", "docs/ü.txt"]
    assert [name for name in found if not name.startswith("long/")] == (
        [*expected, "untracked.md"] if version == "3" else expected
    )
    assert sum(name.startswith("long/") for name in found) == 1


def test_a_worktree_and_long_hashes(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "commit", "-qm", "x")
    git(checkout, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(tmp_path, "init", "-q", "--object-format=sha256", str(tmp_path / "long"))
    write(tmp_path / "long/a.md")
    git(tmp_path / "long", "add", ".")

    assert "docs/b.md" in names(find_documents([tmp_path / "tree"]))
    assert names(find_documents([tmp_path / "long"])) == ["a.md"]


def test_a_damaged_index_is_an_error(checkout: Path) -> None:
    index = checkout / ".git/index"
    index.write_bytes(index.read_bytes()[:100])

    with pytest.raises(DataError, match="git's index cannot be read"):
        find_documents([checkout])


def test_a_checkout_without_tracked_documents_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", str(tmp_path))
    write(tmp_path / "x.py")
    git(tmp_path, "add", ".")
    write(tmp_path / "new.md")

    with pytest.raises(DataError, match=r"that git tracks \(only 1 \.py\)") as error:
        find_documents([tmp_path])
    assert "git add" in error.value.fix


SITEMAP = """<?xml version="1.0"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">{}</urlset>"""


def entry(path: str, extra: str = "") -> str:
    return f"<url><loc>https://example.org{path}</loc>{extra}</url>"


def test_a_sitemap_names_files_beside_it(tmp_path: Path) -> None:
    for name in ("index.html", "a.html", "b/index.html", "c d.txt", "e/f.html"):
        write(tmp_path / "site" / name, "<p>Text.</p>")
    write(tmp_path / "secret.html")
    image = "<image:image><image:loc>https://example.org/e/f.html</image:loc>"
    path = write(
        tmp_path / "site/sitemap.xml",
        SITEMAP.format(
            entry("/", "<lastmod>2024-03-01T10:00:00Z</lastmod>")
            + entry("/a?x=1#y", f"{image}</image:image>")
            + entry("/b/")
            + entry("/c%20d.txt")
            + entry("/missing")
            + entry("/../secret.html")
            + entry("/%2e%2e/secret.html")
        ),
    )

    found = find_documents([path])

    assert names(found) == ["a.html", "b/index.html", "c d.txt", "index.html"]
    read = [item for item in read_documents(found.files) if isinstance(item, Document)]
    documents = {document.id: document for document in read}
    assert documents["index.html"].metadata["url"] == "https://example.org/"
    assert documents["index.html"].metadata["date"] == "2024-03-01"
    assert documents["a.html"].metadata["url"] == "https://example.org/a?x=1#y"


def test_an_index_of_sitemaps_is_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    write(tmp_path / "one.xml", SITEMAP.format(entry("/a.md")))
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    path = write(
        tmp_path / "all.xml",
        f"<sitemapindex {space}><sitemap><loc>https://e.org/one.xml</loc></sitemap>"
        "<sitemap><loc>https://e.org/all.xml</loc></sitemap></sitemapindex>",
    )

    assert names(find_documents([path])) == ["a.md"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (SITEMAP.format(entry("/a")), "none of its 1 addresses has a file"),
        (SITEMAP.format("<url>"), "not a readable sitemap"),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>',
            "declares a document type",
        ),
    ],
)
def test_sitemaps_that_name_nothing(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        find_documents([write(tmp_path / "s.xml", content)])
