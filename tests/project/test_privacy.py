"""Nothing leaves the machine that a person did not ask for."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, sys
import groundtune
import openvino, openvino_genai
from openvino.tools.ovc import convert_model

def refuse():
    raise AssertionError("something forked to report use")

os.fork = refuse
core = openvino.Core()
assert sys.modules["openvino_telemetry"] is None
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
print("silent")
"""


def test_openvino_does_not_report_its_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )

    assert done.stdout == "silent\n", done.stderr
