"""Holds what a backend computes to the ops' definitions: outputs, gradients, moved statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archcompiler import draw
from archcompiler.agreement import BOUNDS, difference
from archcompiler.backend import Backend
from archcompiler.emitted import DType
from archcompiler.errors import Diagnostic, Row
from archcompiler.ir import Network
from archcompiler.jobs import Job, Outcome, run
from archcompiler.parity import variances
from archcompiler.reference import evaluate, slopes

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays

BATCH = 4
"""Enough for the norm of a vector."""
SLOPE_BOUND = 1e-6
"""What a gradient may differ from central differences, as a share: what these are good for."""
WAYS: Mapping[str, bool] = {"gradients": False, "training": True}
"""The tasks, and whether each is training."""


def hold_numbers(
    networks: Sequence[Network], backend: Backend, folder: Path
) -> Iterator[Diagnostic]:
    """Run each network in evaluation and training, in float32 and float64.

    Yield what is wrong first in each: E803, or E807.
    """
    cases = [(network, dtype) for network in networks for dtype in BOUNDS]
    jobs = [
        Job(
            network=network,
            tasks=tuple(WAYS),
            dtype=dtype,
            weights=draw.weights(network),
            arrays={
                "images": draw.images(network, BATCH),
                "weighing": draw.weighing(network, BATCH),
            },
        )
        for network, dtype in cases
    ]
    wrong: set[Network] = set()
    for (network, dtype), outcome in zip(cases, run(jobs, backend, folder), strict=True):
        if network in wrong:
            continue
        found = _first(network, backend, dtype, outcome)
        if found is not None:
            wrong.add(network)
            yield found


def _first(network: Network, backend: Backend, dtype: DType, outcome: Outcome) -> Diagnostic | None:
    """Return what is wrong first: what follows from it would say it again."""
    if outcome.error:
        return Diagnostic(
            code="E803",
            message=f"the emitted {backend.title} code of `{network.name}` failed in {dtype}: "
            f"{outcome.error}",
        )
    for what, apart, bound in _distances(network, backend, dtype, outcome):
        if not apart <= bound:
            return Diagnostic(
                code="E807",
                message=f"{backend.title} computes `{network.name}` otherwise than defined",
                rows=(
                    Row(label="what", value=f"{what}, {dtype}"),
                    Row(label="difference", value=f"{apart:.1e} of the largest value"),
                    Row(label="bound", value=f"{bound:.0e}"),
                ),
                hint="docs/numerics.md says what each op means, "
                "archcompiler/reference.py how it is computed",
            )
    return None


def _distances(
    network: Network, backend: Backend, dtype: DType, outcome: Outcome
) -> Iterator[tuple[str, float, float]]:
    """Yield what was computed, how far it is from the definition, and what it may be."""
    weights, images = draw.weights(network), draw.images(network, BATCH)
    output = network.output_head.node
    for task, training in WAYS.items():
        found = outcome.arrays(task)
        wanted = evaluate(network, weights, images, training=training)
        bound = BOUNDS[dtype]
        yield f"{task}: output", difference(found["output"], wanted.values[output.path]), bound
        yield from _gradients(network, dtype, task, found)
        if training:
            yield from _moved(network, backend, dtype, found, wanted.statistics)


def _gradients(
    network: Network, dtype: DType, task: str, found: Arrays
) -> Iterator[tuple[str, float, float]]:
    """Compare the gradients, along one direction for each tensor, with central differences."""
    weights, images = draw.weights(network), draw.images(network, BATCH)
    path = network.output_head.node.path
    weighing = {path: draw.weighing(network, BATCH)}
    bound = SLOPE_BOUND if dtype == "float64" else BOUNDS[dtype] * 10
    trainable = [n.weight_name(w) for n in network.walk() for w in n.weights if w.trainable]
    values: dict[str, Array] = {"input": images} | {name: weights[name] for name in trainable}
    # A bias before a norm has a gradient of rounding alone: the largest slope is the measure.
    pairs: dict[str, tuple[float, float]] = {}
    for name, value in values.items():
        drawn = draw.generator("direction", name, value.shape).normal(size=value.shape)
        along = np.asarray(drawn / np.linalg.norm(drawn))
        exact = slopes(
            network, weights, images, weighing, {name: along}, training=WAYS[task], step=1e-6
        )
        given = float(np.vdot(found[name], along)) if name in found else float("nan")
        pairs[name] = (given, exact[path])
    largest = max(abs(exact) for _, exact in pairs.values()) or 1.0
    for name, (given, wanted) in pairs.items():
        yield f"{task}: gradient of {name}", abs(given - wanted) / largest, bound


def _moved(
    network: Network, backend: Backend, dtype: DType, found: Arrays, statistics: Arrays
) -> Iterator[tuple[str, float, float]]:
    weights = draw.weights(network)
    for node, variance, decay in variances(network):
        mean = variance.removesuffix("moving_variance") + "moving_mean"
        count = BATCH * prod(node.output.shape[:-1])
        unbiased = count / (count - 1) if backend.unbiased else 1.0
        for name, factor in ((mean, 1.0), (variance, unbiased)):
            wanted = decay * weights[name] + (1 - decay) * factor * statistics[name]
            yield f"training: {name}", difference(found[name], wanted), BOUNDS[dtype]
