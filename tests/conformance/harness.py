"""Runs emitted code in processes of the frameworks' own, and compares what comes back.

A job is a folder with one folder a case: the emitted files, `case.json` (what the runner must
know), `images.npy`, `weights.npz` under the framework's own keys and in its own layout, and what
outputs are weighed with for gradients. A runner imports no archc: it writes `results.json` (check
-> the traceback, or empty) and one `CHECK.npz` a case for the checks that give numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from archcompiler import draw
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.ir import Network, Node, Value
from archcompiler.op import Weight
from archcompiler.ops.convolution import by_channel

HERE = Path(__file__).parent
FRAMEWORKS = ("torch", "tensorflow")

random = draw.generator


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network to run, with the checks to make beside computing its end points."""

    name: str
    network: Network
    checks: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    images: np.ndarray | None = None
    edit: Callable[[str, str], str] | None = None
    """Makes a mistake: from a framework and the text of its `model.py` to another text."""


def batch_size(network: Network) -> int:
    """Return a batch large enough for the norm of a vector, small enough for a large network."""
    return 2 if network.input.shape[0] > 100 else 4


def images(name: str, network: Network) -> np.ndarray:
    """Return a batch of images, batch x height x width x channels."""
    return random(name, "images").normal(size=(batch_size(network), *network.input.shape))


def larger_images(name: str, network: Network) -> np.ndarray:
    """Return a batch of images that are 6 pixels higher and 5 wider."""
    height, width, channels = network.input.shape
    shape = (batch_size(network), height + 6, width + 5, channels)
    return random(name, "larger").normal(size=shape)


def weighing(name: str, network: Network) -> np.ndarray:
    """Return what the output is multiplied with before it is added up, for gradients."""
    shape = (batch_size(network), *network.output_head.node.output.shape)
    return random(name, "weighing").normal(size=shape)


def point_weighings(name: str, network: Network) -> dict[str, np.ndarray]:
    """Return what each end point is multiplied with before it is added up, for its gradients."""
    batch = batch_size(network)
    return {
        e.name: random(name, "weighing", e.name).normal(size=(batch, *e.node.output.shape))
        for e in network.end_points
    }


def directions(name: str, network: Network) -> dict[str, np.ndarray]:
    """Return a direction for the images and each trainable weight, to take slopes along."""
    shapes = {"input": (batch_size(network), *network.input.shape)}
    shapes |= {n.weight_name(w): w.shape for n in network.walk() for w in n.weights if w.trainable}
    return {k: random(name, "direction", k).normal(size=s) for k, s in shapes.items()}


def weights(network: Network) -> dict[str, np.ndarray]:
    """Return weights that keep the size of values, and norm statistics far from the identity."""
    return dict(draw.weights(network, logits=1.0))


def check_of(check: str, dtype: str) -> str:
    """Return the name of a check's results in a dtype."""
    return check if dtype == "float32" else f"{check}_{dtype}"


def key(framework: str, node: Node, weight: Weight) -> str:
    """Return a weight's name in a framework."""
    return backend(framework).weight_key(node, weight)


def to_framework(framework: str, node: Node, weight: Weight, values: np.ndarray) -> np.ndarray:
    """Bring a weight from H, W, in, out to the framework's layout."""
    if framework == "torch" and values.ndim > 1:
        return np.moveaxis(values, (-1, -2), (0, 1))
    return values.reshape(by_channel(node, weight)) if framework == "tensorflow" else values


def from_framework(framework: str, weight: Weight, values: np.ndarray) -> np.ndarray:
    """Bring a weight back to H, W, in, out."""
    if framework == "torch" and values.ndim > 1:
        return np.moveaxis(values, (0, 1), (-1, -2))
    return values.reshape(weight.shape)  # Keras has a depthwise kernel by channel


def map_to_framework(framework: str, values: np.ndarray) -> np.ndarray:
    """Bring a batch of maps to the framework's layout."""
    if framework == "torch" and values.ndim == 4:
        return values.transpose(0, 3, 1, 2)
    return values


def map_from_framework(framework: str, values: np.ndarray) -> np.ndarray:
    """Bring a batch of maps to batch x height x width x channels."""
    if framework == "torch" and values.ndim == 4:
        return values.transpose(0, 2, 3, 1)
    return values


def canonical(
    framework: str, network: Network, found: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Bring arrays to canonical layouts, weights under the IR's names."""
    known = {key(framework, n, w): (n, w) for n in network.walk() for w in n.weights}
    given = {
        n.weight_name(w): from_framework(framework, w, found[k])
        for k, (n, w) in known.items()
        if k in found
    }
    others = {k: map_from_framework(framework, v) for k, v in found.items() if k not in known}
    return others | given


def canonical_by_point(
    framework: str, network: Network, found: Mapping[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Bring the gradients of `point_gradients` to canonical layouts, by end point and name."""
    points: dict[str, dict[str, np.ndarray]] = {}
    for name, values in found.items():
        point, _, key = name.partition(":")
        points.setdefault(point, {})[key] = values
    return {k: canonical(framework, network, v) for k, v in points.items()}


def trained(network: Network) -> frozenset[str]:
    """Return the weights that the training loss depends on, by the IR's names."""
    live = computed(network, [h.node for h in (network.output_head, *network.training_heads)])
    return frozenset(n.weight_name(w) for n in live for w in n.weights if w.trainable)


def computed(network: Network, results: Iterable[Node]) -> list[Node]:
    """Return the nodes that these depend on, and these."""
    producers: dict[Value, list[Node]] = {}
    same: dict[Value, list[Value]] = {}
    for node in network.walk():
        producers.setdefault(node.output, []).append(node)
        outputs = [g.output for g in node.graphs]
        same.setdefault(node.output, []).extend(outputs)
        for graph in node.graphs:
            same.setdefault(graph.input, []).append(node.inputs[0])
    wanted = [node.output for node in results]
    seen: set[Value] = set()
    found: list[Node] = []
    while wanted:
        value = wanted.pop()
        if value in seen:
            continue
        seen.add(value)
        wanted += same.get(value, [])
        for node in producers.get(value, []):
            wanted += [] if node.graphs else node.inputs
            found.append(node)
    return found


def decay(network: Network, values: Mapping[str, np.ndarray]) -> float:
    """Return what weight decay adds to the loss: decay / 2 * ||w||^2."""
    return sum(
        w.decay / 2 * float((values[n.weight_name(w)] ** 2).sum())
        for n in network.walk()
        for w in n.weights
    )


def describe(framework: str, case: Case) -> dict[str, Any]:
    """Return what a runner must know of a case."""
    from archc_torch.naming import fields, network_name

    network = case.network
    tensors = [(n, w) for n in network.walk() for w in n.weights]
    live = trained(network)
    return {
        "name": case.name,
        "checks": case.checks,
        "dtypes": case.dtypes,
        "class": network_name(network),
        "fields": list(fields(network).values()),
        "heads": [h.name for h in network.heads],
        "output": network.output,
        "training": bool(network.training_heads),
        "has_loss": all(
            len(h.node.output.shape) == 1 for h in (network.output_head, *network.training_heads)
        ),
        "units": network.output_head.node.output.shape[-1],
        "follows_size": network.follows_size,
        "trained": [key(framework, n, w) for n, w in tensors if n.weight_name(w) in live],
        "decays": {key(framework, n, w): w.decay for n, w in tensors if w.trainable},
        "statistics": [key(framework, n, w) for n, w in tensors if not w.trainable],
    }


def write(framework: str, case: Case, folder: Path) -> None:
    """Write one case of a job."""
    files = emit(case.network, backend(framework))
    if case.edit is not None:
        files["model.py"] = case.edit(framework, files["model.py"])
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (folder / "case.json").write_text(json.dumps(describe(framework, case)))
    batch = images(case.name, case.network) if case.images is None else case.images
    np.save(folder / "images.npy", map_to_framework(framework, batch))
    larger = larger_images(case.name, case.network)
    np.save(folder / "larger.npy", map_to_framework(framework, larger))
    np.save(folder / "weighing.npy", map_to_framework(framework, weighing(case.name, case.network)))
    if "point_gradients" in case.checks:
        weighings = point_weighings(case.name, case.network)
        _save(
            folder / "weighings.npz",
            {k: map_to_framework(framework, v) for k, v in weighings.items()},
        )
    values = weights(case.network)
    tensors = {
        key(framework, n, w): to_framework(framework, n, w, values[n.weight_name(w)])
        for n in case.network.walk()
        for w in n.weights
    }
    _save(folder / "weights.npz", tensors)


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    np.savez(path, **{k.replace("/", "|"): v for k, v in arrays.items()})


@dataclass(frozen=True)
class Results:
    """What a runner found, by case and check."""

    framework: str
    folder: Path
    failures: Mapping[str, Mapping[str, str]]
    log: str

    def failure(self, case: str, check: str) -> str:
        """Return the traceback of a check; empty where it passed."""
        return self.failures.get(case, {}).get(check, f"`{check}` was not run:\n{self.log}")

    def numbers(self, case: str, check: str) -> dict[str, np.ndarray]:
        """Return the arrays that a check gave, by name."""
        failure = self.failure(case, check)
        assert not failure, failure
        with np.load(self.folder / case / f"{check}.npz") as found:
            return {k.replace("|", "/"): found[k] for k in found.files}


def run(folder: Path, cases: Callable[[str], list[Case]]) -> dict[str, Results]:
    """Run a job in all frameworks at once, whatever process of the tests asks first.

    `cases` are what a framework is to run. Return the results by framework.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            for framework in FRAMEWORKS:
                for case in cases(framework):
                    write(framework, case, folder / framework / case.name)
            started = [_start(framework, folder / framework) for framework in FRAMEWORKS]
            for process in started:
                process.wait()
            (folder / "done").touch()
    return {framework: _read(framework, folder / framework) for framework in FRAMEWORKS}


def _start(framework: str, job: Path) -> subprocess.Popen[bytes]:
    settings = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # why: docs/numerics.md, "What is not equal"
        "KERAS_HOME": str(job / "keras"),
    }
    with (job / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(HERE / f"run_{framework}.py"), str(job)],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _read(framework: str, job: Path) -> Results:
    path = job / "results.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    log = (job / "log.txt").read_text(encoding="utf-8", errors="replace")
    return Results(framework, job, found, log[-20_000:])


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """Return the largest difference, relative to the largest value."""
    assert left.shape == right.shape, (left.shape, right.shape)
    assert np.isfinite(left).all()
    assert np.isfinite(right).all()
    scale = max(float(np.abs(right).max(initial=0.0)), 1e-30)
    return float(np.abs(left - right).max(initial=0.0)) / scale
