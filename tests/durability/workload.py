"""What the writers of these tests do to a knowledge base, and what must hold after it.

A state is a mapping from document names to labels such as `d3@2`: which text, in which
version. Each operation leads from one state to the next; whatever stops it, every
document must be as it was before or as it should become, whole, and there once.
"""

from __future__ import annotations

import json
import re
import runpy
from datetime import timedelta
from pathlib import Path
from typing import Any

from groundtune.config.retrieval import RetrievalSettings
from groundtune.core.values import Document
from groundtune.retrieve import integrity
from groundtune.retrieve.index import KnowledgeBase
from groundtune.retrieve.maintenance import Caps, maintain
from groundtune.retrieve.rebuild import rebuild
from groundtune.retrieve.restore import restore
from groundtune.retrieve.search import HybridRetriever
from groundtune.retrieve.snapshot import backup, tag, tags
from groundtune.retrieve.verify import verify

State = dict[str, str]
Operation = dict[str, Any]

words: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "retrieve" / "conftest.py")
)
PARTS = 3
_NONE = timedelta(milliseconds=1)
NOTHING_KEPT = Caps(keep=_NONE, keep_at_least=_NONE)


def document(name: str, label: str) -> Document:
    """A document whose every passage names its text and version."""
    parts = [
        f"The log of {label} says in part {part} that its lamp burns {part + 7} hours "
        f"before the keeper of {label} fills it with oil and trims its wick."
        for part in range(PARTS)
    ]
    return Document(id=name, text="\n\n".join(parts), metadata={"path": name})


def open_base(path: Path) -> KnowledgeBase:
    """The knowledge base at `path`, for writing; made where there is none."""
    return KnowledgeBase.create_or_open(
        path, embedder=words["WordEmbedder"](), splitter=words["SPLITTER"]
    )


def after(operation: Operation, state: State) -> State:
    """The state that an operation leads to."""
    kind = operation["kind"]
    if kind in {"ingest", "update"}:
        return {**state, **operation["documents"]}
    if kind in {"delete", "move"}:
        return dict(operation["documents"])
    if kind == "restore":
        return dict(operation["state"])
    return dict(state)


def apply(path: Path, operation: Operation) -> None:
    """Do one operation."""
    kind = operation["kind"]
    if kind in {"ingest", "update", "delete", "move"}:
        offered = [document(*item) for item in operation["documents"].items()]
        open_base(path).update(offered, delete_missing=kind in {"delete", "move"})
    elif kind == "maintain":
        maintain(open_base(path), caps=NOTHING_KEPT)
    elif kind == "rebuild":
        rebuild(path, embedder=words["WordEmbedder"]())
    elif kind == "tag":
        tag(KnowledgeBase.open(path), operation["name"])
    elif kind == "backup":
        backup(KnowledgeBase.open(path), path.with_name(operation["name"]))
    elif kind == "restore":
        restore(path.with_name(operation["name"]), path, replace_base=True)
    else:
        raise ValueError(kind)


def scenario(state: State) -> list[Operation]:
    """One operation of each kind, from a state of at least five documents."""
    names = sorted(state)
    now = dict(state)
    found: list[Operation] = []

    def add(kind: str, **fields: Any) -> None:
        operation = {"kind": kind, **fields}
        found.append(operation)
        now.update(new := after(operation, now))
        for name in now.keys() - new.keys():
            del now[name]

    add("ingest", documents={"new-1": "n1@1", "new-2": "n2@1"})
    add("backup", name="copy")
    kept = dict(now)
    add("update", documents={names[0]: "u0@2", names[1]: "u1@2"})
    moved = dict(now)
    moved["moved"] = moved.pop(names[2])
    add("move", documents=moved)
    add("tag", name="kept")
    add("delete", documents={n: v for n, v in now.items() if n != names[3]})
    add("maintain")
    add("rebuild")
    add("restore", name="copy", state=kept)
    add("update", documents={names[4]: "u4@2"})
    return found


def next_operation(number: int, state: State, rng: Any) -> Operation:
    """One of the usual operations, chosen at random."""
    names = sorted(state)
    kind = str(rng.choice(["ingest", "update", "update", "delete", "move", "maintain"]))
    if kind in {"delete", "move"} and len(names) < 4:
        kind = "ingest"
    if kind == "ingest":
        documents = {f"d{number}-{i}": f"d{number}-{i}@{number}" for i in range(3)}
        return {"kind": kind, "documents": documents}
    if kind == "maintain":
        return {"kind": kind}
    chosen = str(rng.choice(names))
    if kind == "update":
        others = [str(n) for n in rng.choice(names, min(3, len(names)), replace=False)]
        return {
            "kind": kind,
            "documents": {n: f"{state[n].split('@')[0]}@{number}" for n in others},
        }
    left = {name: label for name, label in state.items() if name != chosen}
    if kind == "move":
        left[f"moved-{number}"] = state[chosen]
    return {"kind": kind, "documents": left}


def observed(path: Path) -> State:
    """The state of a knowledge base; each document must be whole and there once."""
    kb = open_base(path)
    ids = kb.read(["id"]).column("id").to_pylist()
    assert len(ids) == len(set(ids)), "a passage is there twice"
    state: State = {}
    for known in kb.documents():
        text = kb.document_text(known.id)
        labels = set(re.findall(r"log of (\S+)", text))
        assert len(labels) == 1, (known.id, labels)
        (label,) = labels
        assert text == document(known.id, label).text
        found = kb.passages(known.id)
        assert [w for p in found for w in p.text.split()] == text.split()
        state[known.id] = label
    return state


def check(path: Path, *, before: State, target: State) -> State:
    """What must hold after a crash on the way from one state to another."""
    now = observed(path)
    for name in {*before, *target, *now}:
        allowed = {before.get(name), target.get(name)}
        assert now.get(name) in allowed, (name, now.get(name), allowed)
    gone = sorted(set(before.values()) & set(target.values()) - set(now.values()))
    assert not gone, f"neither under the old name nor under the new: {gone}"
    report = verify(path)
    assert report.is_whole, report.damage
    for made in tags(path).values():
        assert verify(made.path).is_whole
    if now:
        name = sorted(now)[0]
        wanted = open_base(path).passages(name)[1]
        kb = open_base(path)
        assert kb.embedder is not None
        hits = HybridRetriever(kb, kb.embedder).search(wanted.text, k=3)
        assert hits[0].passage.text == wanted.text
    return now


def mended(path: Path) -> None:
    """The next update works and leaves nothing over of a crash."""
    now = observed(path)
    open_base(path).update(
        [document(*item) for item in {**now, "after": "after@1"}.items()],
        delete_missing=True,
    )
    report = verify(path)
    assert report.is_whole, report.damage
    assert not [note for note in report.notes if "index" in note], report.notes
    blobs = list((path / "documents").iterdir())
    assert len(blobs) == len(set(now.values()) | {"after@1"})
    assert observed(path) == {**now, "after": "after@1"}


def run(job: dict[str, Any]) -> None:
    """Do the operations of a job, telling each one's beginning and end."""
    path = Path(job["kb"])
    with Path(job["acks"]).open("a", buffering=1) as acks:
        for number, operation in enumerate(job["operations"]):
            acks.write(json.dumps(["begin", number]) + "\n")
            apply(path, operation)
            acks.write(json.dumps(["done", number]) + "\n")


QUERIES = ["which lamp burns 8 hours?", "keeper of d3@1", "trims its wick in part 2"]


def described(path: Path) -> dict[str, Any]:
    """Everything that reading and searching a knowledge base gives."""
    kb = open_base(path)
    assert kb.embedder is not None
    names = [known.id for known in kb.documents()]
    hits: dict[str, Any] = {}
    for mode in ("hybrid", "dense", "bm25"):
        retriever = HybridRetriever(kb, kb.embedder, RetrievalSettings(mode=mode))
        for query, found in zip(
            QUERIES, retriever.search_many(QUERIES, k=5), strict=True
        ):
            hits[f"{mode}: {query}"] = [
                [_shown(hit.passage), hit.metadata, round(hit.score, 6)]
                for hit in found
            ]
    return {
        "texts": {name: kb.document_text(name) for name in names},
        "passages": {name: [_shown(p) for p in kb.passages(name)] for name in names},
        "hits": hits,
    }


def _shown(passage: Any) -> list[Any]:
    return [passage.document, passage.start, passage.end, passage.heading, passage.text]


def look(job: dict[str, Any]) -> None:
    """Read a damaged knowledge base: an error, or what it was before."""
    truth = json.loads(Path(job["truth"]).read_text())
    if job["is_large"]:
        # As if the tables were too large to be compared as a whole on opening.
        integrity.WHOLE_CHECK_BYTES = 0
    seen = json.loads(json.dumps(described(Path(job["kb"]))))
    assert seen["texts"] == truth["texts"]
    assert seen["passages"] == truth["passages"]
    if not job["is_large"]:
        assert seen["hits"] == truth["hits"]
    genuine = [p for found in truth["passages"].values() for p in found]
    for query, hits in truth["hits"].items():
        assert len(seen["hits"][query]) == len(hits), query
        for shown, metadata, _ in seen["hits"][query]:
            assert shown in genuine
            assert metadata == hits[0][1]


def look_hard(job: dict[str, Any]) -> None:
    """A full look finds damage in whatever holds documents, passages or indices."""
    assert not verify(Path(job["kb"])).is_whole
