"""The child of the sandbox: confined, it turns bytes into documents until it ends.

Run as a module by `sandbox`, which hands over the bytes of each file: the child opens
none. An answer is JSON, never pickle.
"""

from __future__ import annotations

import json
import mimetypes
import os
import resource
import struct
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from groundtune.core.errors import DataError
from groundtune.data.confine import confine
from groundtune.data.formats import parse
from groundtune.data.metadata import Sidecar

if TYPE_CHECKING:
    from groundtune.core.values import Document

HEADER = struct.Struct(">Q")
"""Before each message: how many bytes it has."""
OUT_OF_MEMORY = 77
"""Exit code where not even the file fitted into the memory."""
_NOT_NEEDED = ("lxml", "numpy", "PIL", "pandas", "defusedxml")
"""What openpyxl loads where it is there: threads that cannot start, other parsers."""
_FIX = "leave this file out, or save it again in a simpler form"


def serve(source: BinaryIO, sink: BinaryIO, *, memory: int, cpu: int) -> None:
    """Answer one request after another, until the parent goes away."""
    sys.modules.update(cast("dict[str, Any]", dict.fromkeys(_NOT_NEEDED)))
    # openpyxl asks it, and it would read files of the system.
    mimetypes.knownfiles.clear()
    mimetypes.init()
    held = confine(memory_bytes=memory)
    _send(sink, {"held": held})
    while len(header := source.read(HEADER.size)) == HEADER.size:
        request = json.loads(source.read(HEADER.unpack(header)[0]))
        try:
            raw = source.read(int(request["size"]))
            beside = source.read(int(request["sidecar_size"]))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime) + 1
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (spent + cpu, hard))
        sidecar = Sidecar(beside, request["sidecar"]) if request["sidecar"] else None
        _send(sink, _answer(raw, request, sidecar, memory=memory))


def _answer(
    raw: bytes, request: dict[str, Any], sidecar: Sidecar | None, *, memory: int
) -> dict[str, Any]:
    where = str(request["where"])
    problem = ""
    try:
        documents = parse(raw, name=str(request["name"]), where=where, sidecar=sidecar)
        return {"documents": [_plain(document) for document in documents]}
    except DataError as error:
        return {"error": [error.problem, error.fix, error.where]}
    except MemoryError:
        problem = f"reading it took more than {memory >> 20} MiB of memory"
    except Exception as error:  # noqa: BLE001 (a parser may raise anything)
        said = "".join(mark if mark.isprintable() else "?" for mark in str(error))
        problem = f"could not be read: {type(error).__name__}: {said[:300]}"
    return {"error": [problem, _FIX, where]}


def _plain(document: Document) -> dict[str, Any]:
    fields = asdict(document)
    fields["blocks"] = [list(block) for block in document.blocks]
    return fields


def _send(sink: BinaryIO, answer: dict[str, Any]) -> None:
    try:
        raw = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    sink.write(HEADER.pack(len(raw)))
    sink.write(raw)
    sink.flush()


if __name__ == "__main__":
    _memory, _cpu = json.loads(sys.argv[1])
    # A library that prints must not print into the answers.
    with os.fdopen(os.dup(1), "wb") as _sink:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, _sink, memory=_memory, cpu=_cpu)
