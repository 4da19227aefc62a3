"""`python -m archcompiler.measure BACKEND FOLDER`: measure emitted code, print JSON.

A process of its own, so that the frameworks never meet each other or archc's caller.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from archcompiler.backend import backend
from archcompiler.ir_json import from_json


def main() -> None:
    """Measure the build in the folder and print what was found as the last line."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    network = from_json((folder / "architecture.json").read_text(encoding="utf-8"))
    measured = backend(name).measure(folder, network)
    found = {
        "end_points": {k: list(v) for k, v in measured.end_points.items()},
        "weights": {k: list(v) for k, v in measured.weights.items()},
        "trainable": sorted(measured.trainable),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
