"""What both runners share: the loop over cases and checks. Imports no archc, and lets no one."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

STRICT = frozenset(
    {"points", "output", "gradients", "point_gradients", "training", "step", "graph_step", "init"}
)
"""Checks in which a warning is an error; the others warn of what frameworks do to themselves."""

ALLOWED = ("You are using a softmax over axis",)
"""How the warnings begin that are right about the spec, and so no error: here, of one channel."""

Checks = Mapping[str, Callable[[Any], "dict[str, Any] | None"]]


class _NoArchc:
    """Refuses archc: emitted code must not need it."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] in ("archcompiler", "archc_torch", "archc_tensorflow"):
            raise ImportError(f"emitted code imports {name}")


def load(folder: Path) -> ModuleType:
    """Import a case's `model.py` under a name of its own."""
    name = f"model_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def weighings(case: Any) -> dict[str, np.ndarray]:
    """Return what each end point is multiplied with, in the case's dtype."""
    with np.load(case.folder / "weighings.npz") as stored:
        return {k.replace("|", "/"): stored[k].astype(case.dtype) for k in stored.files}


def main(prepare: Callable[[Any, str], None], checks: Checks) -> None:
    """Run every case's checks; write `results.json` last, for it says that the job is done."""
    sys.meta_path.insert(0, _NoArchc())
    job = Path(sys.argv[1])
    results: dict[str, dict[str, str]] = {}
    for path in sorted(job.glob("*/case.json")):
        folder = path.parent
        facts = json.loads(path.read_text())
        case = SimpleNamespace(
            folder=folder, **{k.replace("class", "class_"): v for k, v in facts.items()}
        )
        found = results.setdefault(folder.name, {})
        for dtype in case.dtypes:
            with np.load(folder / "weights.npz") as stored:
                case.weights = {k.replace("|", "/"): stored[k].astype(dtype) for k in stored.files}
            case.images = np.load(folder / "images.npy").astype(dtype)
            case.weighing = np.load(folder / "weighing.npy").astype(dtype)
            case.dtype = dtype
            suffix = "" if dtype == "float32" else f"_{dtype}"
            found[f"import{suffix}"] = _try(prepare, case, dtype)
            if found[f"import{suffix}"]:
                continue
            for check in case.checks:
                if check in checks:
                    start = time.perf_counter()
                    found[check + suffix] = _try(
                        _run, case, check, suffix, checks, strict=check in STRICT
                    )
                    print(f"{time.perf_counter() - start:6.2f} s  {folder.name} {check}{suffix}")
    (job / "results.json").write_text(json.dumps(results))


def _run(case: Any, check: str, suffix: str, checks: Checks) -> None:
    arrays = checks[check](case)
    if arrays is not None:
        named = {k.replace("/", "|"): np.asarray(v) for k, v in arrays.items()}
        np.savez(case.folder / f"{check}{suffix}.npz", **named)


def _try(function: Callable[..., object], *arguments: object, strict: bool = True) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error" if strict else "ignore")
            for beginning in ALLOWED:
                warnings.filterwarnings("ignore", beginning)
            function(*arguments)
    except BaseException:
        return traceback.format_exc(limit=-6)
    return ""
