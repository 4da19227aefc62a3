"""`python -m archcompiler.measure BACKEND FOLDER...`: measure emitted code, write JSON beside it.

A process of its own, so that the frameworks never meet each other or archc's caller. What was found
goes to `measured.json` in each folder: emitted code may print what it likes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archcompiler.backend import Backend, backend
from archcompiler.ir_json import from_json

RESULT = "measured.json"


def main() -> None:
    """Measure the build in each folder."""
    name, *folders = sys.argv[1:]
    used = backend(name)
    for folder in map(Path, folders):
        (folder / RESULT).write_text(json.dumps(measured(used, folder)), encoding="utf-8")


def measured(used: Backend, folder: Path) -> dict[str, object]:
    """Return what one build really is, or why it failed."""
    network = from_json((folder / "architecture.json").read_text(encoding="utf-8"))
    try:
        with _alone():
            found = used.measure(folder, network)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "end_points": {k: list(v) for k, v in found.end_points.items()},
        "weights": {k: list(v) for k, v in found.weights.items()},
        "trainable": sorted(found.trainable),
    }


@contextmanager
def _alone() -> Iterator[None]:
    """Forget the build's modules afterwards: the next build's have the same names."""
    path, known = [*sys.path], {*sys.modules}
    try:
        yield
    finally:
        for name in ("model", "benchmark"):
            if name not in known:
                sys.modules.pop(name, None)
        sys.path[:] = path


if __name__ == "__main__":
    main()
