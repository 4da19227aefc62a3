"""`python -m archcompiler.worker BACKEND FOLDER...`: run builds, each with tasks of its own.

A process of its own, so that the frameworks never meet each other or archc's caller. A folder holds
the build and what `jobs.py` writes: `job.json`, and arrays as safetensors. Results are files too:
emitted code may print what it likes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcompiler.backend import Backend, backend
from archcompiler.ir import Network
from archcompiler.ir_json import from_json

if TYPE_CHECKING:
    from archcompiler.emitted import Arrays, Emitted

JOB, RESULT = "job.json", "result.json"
ARRAYS, WEIGHTS = "arrays.safetensors", "weights.safetensors"
MODULES = ("model", "weights", "benchmark")
"""The modules of a build."""


def main() -> None:
    """Do the job in each folder; what goes wrong in one is told in its result.

    Where the framework itself cannot be used, the first result says why, and nothing is done.
    """
    name, *words = sys.argv[1:]
    used, folders = backend(name), [*map(Path, words)]
    _tell(folders[0], {"unusable": "importing it ends Python"})  # if nothing is told after that
    if reason := used.unusable():
        _tell(folders[0], {"unusable": reason})
        return
    (folders[0] / RESULT).unlink()
    for folder in folders:
        try:
            with _alone():
                result = _job(used, folder)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        _tell(folder, result)


def _tell(folder: Path, result: dict[str, object]) -> None:
    part = folder / f"{RESULT}.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(folder / RESULT)


def _job(used: Backend, folder: Path) -> dict[str, object]:
    network = from_json((folder / "architecture.json").read_text(encoding="utf-8"))
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    result: dict[str, object] = {}
    if job["measure"]:
        result["measured"] = _measured(used, folder, network)
    if job["tasks"]:
        emitted = used.load(folder, network, job["dtype"])
        if (folder / WEIGHTS).exists():
            emitted.load_weights(folder / WEIGHTS)
        arrays = _read(folder / ARRAYS)
        for task in job["tasks"]:
            _write(folder / f"{task}.safetensors", TASKS[task](emitted, arrays, job, folder))
    return result


def _measured(used: Backend, folder: Path, network: Network) -> dict[str, object]:
    found = used.measure(folder, network)
    return {
        "end_points": {k: list(v) for k, v in found.end_points.items()},
        "weights": {k: list(v) for k, v in found.weights.items()},
        "trainable": sorted(found.trainable),
    }


def _end_points(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    return emitted.end_points(arrays["images"])


def _nodes(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    return emitted.nodes(arrays["images"])


def _gradients(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    return emitted.differentiate(arrays["images"], arrays["weighing"], training=False)


def _training(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    return emitted.differentiate(arrays["images"], arrays["weighing"], training=True)


def _lead(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    """Train from the network's own initial weights; leave those of the steps in the trail.

    Norm statistics start at 0, for training does not read them, and what a step adds to them would
    be lost in the last digits of what was there.
    """
    import numpy as np

    trail, losses = Path(job["trail"]), []
    start = trail / "0.safetensors"
    emitted.save_weights(start)
    _write(start, {k: v * (not _is_statistic(k)) for k, v in _read(start).items()})
    emitted.load_weights(start)
    for step in range(1, job["steps"] + 1):
        losses.append(emitted.step(arrays["images"], arrays["labels"], job["rate"]))
        if job["locked"] or step == job["steps"]:
            emitted.save_weights(trail / f"{step}.safetensors")
    return {"losses": np.array(losses)}


def _follow(emitted: Emitted, arrays: Arrays, job: Any, folder: Path) -> Arrays:
    """Train along a trail; return the losses, and how far each weight came to be from it.

    `locked` starts each step from the trail and compares each; else only the last is compared.
    Norm statistics are returned whole as `STEP:NAME`.
    """
    import numpy as np

    trail, own = Path(job["trail"]), folder / "own.safetensors"
    losses: list[float] = []
    apart: dict[str, list[float]] = {}
    found: dict[str, Any] = {}
    for step in range(1, job["steps"] + 1):
        if job["locked"] or step == 1:
            emitted.load_weights(trail / f"{step - 1}.safetensors")
        losses.append(emitted.step(arrays["images"], arrays["labels"], job["rate"]))
        if not job["locked"] and step < job["steps"]:
            continue
        emitted.save_weights(own)
        given, wanted = _read(own), _read(trail / f"{step}.safetensors")
        for name, values in given.items():
            apart.setdefault(name, []).append(float(np.abs(values - wanted[name]).max()))
            if _is_statistic(name):
                found[f"{step}:{name}"] = values
    distances = {name: np.array(values) for name, values in apart.items()}
    return {"losses": np.array(losses), **distances, **found}


def _is_statistic(name: str) -> bool:
    return name.endswith(("/moving_mean", "/moving_variance"))


TASKS: Mapping[str, Callable[[Emitted, Arrays, Any, Path], Arrays]] = {
    "end_points": _end_points,
    "nodes": _nodes,
    "gradients": _gradients,
    "training": _training,
    "lead": _lead,
    "follow": _follow,
}


def _read(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    return load_file(path) if path.exists() else {}


def _write(path: Path, arrays: Arrays) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)


@contextmanager
def _alone() -> Iterator[None]:
    """Forget the build's modules afterwards: the next build's have the same names."""
    path, known = [*sys.path], {*sys.modules}
    try:
        yield
    finally:
        for name in MODULES:
            if name not in known:
                sys.modules.pop(name, None)
        sys.path[:] = path


if __name__ == "__main__":
    main()
