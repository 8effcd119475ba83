"""RAG, fine-tuning, or both? Measured on your own data."""

__all__ = ["__version__"]

import sys
from typing import Any, cast

# OpenVINO reports its use to its makers unless this package is missing; groundtune
# promises that nothing leaves the machine unasked. None in its place is an ImportError,
# for which OpenVINO has a silent stand-in.
cast("dict[str, Any]", sys.modules).setdefault("openvino_telemetry", None)

__version__ = "0.1.0"
