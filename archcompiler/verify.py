"""Runs the emitted code and holds it against the IR: shapes of end points, every weight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from archcompiler.backend import Backend, Measured
from archcompiler.build import emit
from archcompiler.errors import Diagnostic, Row
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.measure import RESULT
from archcompiler.op import Weight


def verify(network: Network, backend: Backend) -> tuple[Diagnostic, ...]:
    """Emit, import and measure in a fresh process; return every difference (E801 to E803)."""
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        return verify_all([network], backend, Path(folder))


def verify_all(
    networks: Sequence[Network], backend: Backend, folder: Path
) -> tuple[Diagnostic, ...]:
    """Verify several networks in one process; their builds stay in folders of `folder`."""
    homes = [folder / f"{number}_{network.name}" for number, network in enumerate(networks)]
    for network, home in zip(networks, homes, strict=True):
        home.mkdir(parents=True, exist_ok=True)
        (home / RESULT).unlink(missing_ok=True)
        for name, text in emit(network, backend).items():
            (home / name).write_text(text, encoding="utf-8", newline="\n")
    command = [sys.executable, "-m", "archcompiler.measure", backend.name, *map(str, homes)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
    )
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    died = lines[-1] if lines and run.returncode else f"exit code {run.returncode}"
    return tuple(
        difference
        for network, home in zip(networks, homes, strict=True)
        for difference in _differences(network, backend, home / RESULT, died)
    )


def _differences(
    network: Network, backend: Backend, result: Path, died: str
) -> Iterator[Diagnostic]:
    text = result.read_text(encoding="utf-8") if result.exists() else json.dumps({"error": died})
    found = json.loads(text)
    if "error" in found:
        yield Diagnostic(
            code="E803",
            message=f"the emitted {backend.title} code of `{network.name}` failed: "
            f"{found['error']}",
            hint="if no framework is at fault, this is a bug in archc: please report it",
        )
        return
    measured = Measured(
        end_points={k: tuple(v) for k, v in found["end_points"].items()},
        weights={k: tuple(v) for k, v in found["weights"].items()},
        trainable=frozenset(found["trainable"]),
    )
    yield from _end_points(network, backend, measured)
    yield from _weights(network, backend, measured)


def _end_points(network: Network, backend: Backend, measured: Measured) -> Iterator[Diagnostic]:
    for point in network.end_points:
        shape = point.node.output.shape
        real = measured.end_points.get(point.name)
        if real == shape:
            continue
        yield Diagnostic(
            code="E801",
            message=f"the end point `{point.name}` differs in {backend.title}",
            position=point.node.position,
            rows=(
                Row(label="IR", value=shape_text(shape)),
                Row(label=backend.title, value=shape_text(real) if real else "missing"),
            ),
        )


def _weights(network: Network, backend: Backend, measured: Measured) -> Iterator[Diagnostic]:
    expected = {n.weight_name(w): (n, w) for n in network.walk() for w in n.weights}
    for name, (node, weight) in expected.items():
        real = measured.weights.get(name)
        trains = name in measured.trainable
        if real == weight.shape and trains == weight.trainable:
            continue
        yield Diagnostic(
            code="E802",
            message=f"the weight `{name}` differs in {backend.title}",
            position=node.position,
            rows=(
                Row(label="IR", value=_describe(weight)),
                Row(label=backend.title, value=_shown(real, trains)),
            ),
        )
    for name in sorted(measured.weights.keys() - expected.keys()):
        yield Diagnostic(
            code="E802", message=f"{backend.title} has a weight that the IR lacks: `{name}`"
        )


def _describe(weight: Weight) -> str:
    return _shown(weight.shape, weight.trainable)


def _shown(shape: tuple[int, ...] | None, trainable: bool) -> str:
    if shape is None:
        return "missing"
    return f"{shape_text(shape)} {'trainable' if trainable else 'not trainable'}"
