"""Runs emitted code in fresh processes, one a framework, and brings back what it gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcompiler.backend import Backend, Measured
from archcompiler.build import emit
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.ir import Network
from archcompiler.worker import ARRAYS, JOB, RESULT, WEIGHTS

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays, DType


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One network to run: with these weights, on these arrays, in these ways (`worker.TASKS`).

    `measure` asks for shapes and names, for which nothing is computed.
    """

    network: Network
    measure: bool = False
    tasks: tuple[str, ...] = ()
    dtype: DType = "float32"
    weights: Arrays = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    """What a task wants to know beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job gave: why it failed, or each task's arrays, which are files in `folder`."""

    folder: Path
    error: str = ""
    measured: Measured | None = None

    def arrays(self, task: str) -> Arrays:
        """Return what a task gave, by name."""
        from safetensors.numpy import load_file

        found: Arrays = load_file(self.folder / f"{task}.safetensors")
        return found


def run(jobs: Sequence[Job], backend: Backend, folder: Path) -> list[Outcome]:
    """Do all jobs in one process; their builds stay in folders of `folder`.

    Raises E707 where the framework itself cannot be used.
    """
    homes = [folder / f"{number}_{job.network.name}" for number, job in enumerate(jobs)]
    for job, home in zip(jobs, homes, strict=True):
        _prepare(job, backend, home)
    command = [sys.executable, "-P", "-m", "archcompiler.worker", backend.name, *map(str, homes)]
    settings = {
        "CUDA_VISIBLE_DEVICES": "-1",  # what is compared is computed on the CPU
        # With AVX-512, oneDNN has convolutions of few pixels wrong in both (docs/numerics.md).
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    died = lines[-1] if lines and done.returncode else f"exit code {done.returncode}"
    if reason := _result(homes[0], died).get("unusable"):
        raise ArchcError(_unusable(backend, reason), exit_code=USAGE_OR_ENVIRONMENT)
    return [_outcome(home, died) for home in homes]


def _prepare(job: Job, backend: Backend, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / RESULT).unlink(missing_ok=True)
    for name, text in emit(job.network, backend).items():
        (home / name).write_text(text, encoding="utf-8", newline="\n")
    asked = {"measure": job.measure, "tasks": job.tasks, "dtype": job.dtype, **job.settings}
    (home / JOB).write_text(json.dumps(asked), encoding="utf-8")
    for name, arrays in ((WEIGHTS, job.weights), (ARRAYS, job.arrays)):
        if arrays:
            _store(arrays, home / name, job.dtype)


def _store(arrays: Arrays, path: Path, dtype: DType) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    def stored(values: Array) -> Array:
        real = values.astype(dtype) if np.issubdtype(values.dtype, np.floating) else values
        return np.ascontiguousarray(real)

    save_file({name: stored(values) for name, values in arrays.items()}, path)


def _unusable(backend: Backend, reason: str) -> Diagnostic:
    return Diagnostic(
        code="E707",
        message=f"{backend.title} cannot be used here: {reason}",
        hint=f"put that right, as by `pip install -U '{backend.requirement}'`; "
        "check and build need no framework",
    )


def _result(home: Path, died: str) -> Any:
    path = home / RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"error": died}


def _outcome(home: Path, died: str) -> Outcome:
    found = _result(home, died)
    if "error" in found:
        return Outcome(folder=home, error=found["error"])
    if "measured" not in found:
        return Outcome(folder=home)
    measured = found["measured"]
    return Outcome(
        folder=home,
        measured=Measured(
            end_points={k: tuple(v) for k, v in measured["end_points"].items()},
            weights={k: tuple(v) for k, v in measured["weights"].items()},
            trainable=frozenset(measured["trainable"]),
        ),
    )
