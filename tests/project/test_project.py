"""The house rules that a linter does not know."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import groundtune
from groundtune.cli.main import VERBS, cli

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "groundtune"
MODULES = sorted(SOURCE.rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MOST_LINES = 400


def files_of_the_project() -> list[Path]:
    """Every file that is tracked or would be, also in an export without git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    kept = ("src", "tests", "docs", "scripts", "benchmarks")
    return [p for top in kept for p in (ROOT / top).rglob("*") if p.is_file()]


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def commands_shown(page: Path) -> list[str]:
    """Lines of shell blocks that call groundtune or make."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [
        line.strip() for b in blocks for line in b.replace("\\\n", " ").split("\n")
    ]
    return [line for line in lines if re.match(r"(\S*/)?(groundtune|make)\b", line)]


SHOWN = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for line in commands_shown(page)
]


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {
        path.relative_to(SOURCE).as_posix(): lines
        for path in MODULES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }

    assert long == {}


def test_no_module_is_named_after_nothing() -> None:
    empty_names = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}

    assert not [path for path in MODULES if path.stem in empty_names]


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XXX|NotImplemented" r"Error)\b")
    found = [p for p in MODULES if marks.search(p.read_text(encoding="utf-8"))]

    assert found == []


def test_the_house_words_are_used() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in [*MODULES, *PAGES]
        if path.name != "glossary.md"
        and re.search(r"\bchunk", path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]

    assert found == [], "say passage"


def test_public_names() -> None:
    assert groundtune.__all__ == ["__version__"]


def test_version_is_the_same_everywhere() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)

    assert newest is not None
    assert newest[1] == groundtune.__version__ == described["project"]["version"]


def test_no_path_of_a_machine_is_in_the_project() -> None:
    place = re.compile(rb"(?<![\w.}])/(work|tmp|root|home)/[A-Za-z]")
    found = [
        path.relative_to(ROOT).as_posix()
        for path in files_of_the_project()
        if place.search(path.read_bytes()) and path.suffix not in {".png", ".pdf"}
    ]

    assert found == []


def test_lock_names_no_registry_and_leaves_torch_to_the_person() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))

    assert "://" not in lock
    assert not [name for name in locked if re.match(r"torch$|nvidia|cuda|triton", name)]
    assert lock.count("--hash=sha256:") >= len(locked)


def test_lock_holds_every_dependency() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    asked = [
        *described["project"]["dependencies"],
        *(d for e in described["project"]["optional-dependencies"].values() for d in e),
        *described["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[<>=!~\[; ]", one)[0].lower() for one in asked} - {"torch"}

    assert [name for name in sorted(names) if f"\n{name}==" not in f"\n{lock}"] == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_a_recipe_of_its_name(verb: str) -> None:
    recipe = functions(SOURCE / "recipes" / f"{verb}.py")
    command = cli.get_command(click.Context(cli), verb)

    # A verb that is only a family has a function for each of its own.
    family = set(command.commands) if isinstance(command, click.Group) else set()
    assert verb in recipe or (family and family <= set(recipe))


def test_every_recipe_has_a_verb() -> None:
    recipes = {
        path.stem
        for path in (SOURCE / "recipes").glob("*.py")
        if path.stem in functions(path)
    }

    assert recipes <= VERBS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]

    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("line", SHOWN)
def test_commands_in_the_pages_exist(line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        goals = [word for word in words if "=" not in word]
        assert all(re.search(rf"^{goal}:", makefile, re.MULTILINE) for goal in goals)
        return
    if not words or words[0].startswith("-"):
        assert words in (["--help"], ["--version"])
        return
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    rest = words[1:]
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for param in command.params for name in param.opts}
    assert {word for word in rest if word.startswith("-")} <= known | {"--help"}


def test_every_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)

    assert phony is not None
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*  ## \S", makefile, re.MULTILINE)


def test_ci_runs_the_same_targets_as_people() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()

    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    assert lines[-3:] == ["make check", "make test", "make test-pages"]


def test_licence_is_whole() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
