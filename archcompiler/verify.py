"""Runs the emitted code: shapes and weights against the IR, numbers against each other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archcompiler import agreement, draw, parity
from archcompiler.agreement import Agreement
from archcompiler.backend import Backend, Measured
from archcompiler.emitted import DType
from archcompiler.errors import ArchcError, Diagnostic, Row
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.jobs import Job, Outcome, run
from archcompiler.op import Weight
from archcompiler.parity import Training

if TYPE_CHECKING:
    from archcompiler.emitted import Arrays

IMAGES = 2
"""How many images are compared: a batch in which none may leak into another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What running a network's emitted code showed; `differences` should be empty (E801 to E806).

    There is an agreement for each dtype and each backend but the first, which is the reference, or
    for the only one.
    """

    differences: tuple[Diagnostic, ...]
    agreements: tuple[Agreement, ...] = ()
    trainings: tuple[Training, ...] = ()


def verify(
    network: Network,
    backends: Sequence[Backend],
    dtypes: Sequence[DType] = ("float32",),
    *,
    train: bool = False,
    given: Arrays | None = None,
) -> Verified:
    """Build, import and run a network in every backend, each in a process of its own.

    Every backend is held to the IR's shapes and weights. All get the same weights and images, and
    each is compared with the first at every end point; an only one is compared with the ops'
    definitions in NumPy. With more than one, `train` compares steps of training, too. `given` are
    weights by the IR's names, in place of drawn ones.
    """
    weights = {**draw.weights(network), **(given or {})}
    with tempfile.TemporaryDirectory(prefix="archc-") as temporary:
        folder = Path(temporary)
        jobs = [
            Job(network=network, measure=True),
            *(agreement.job(network, d, "end_points", IMAGES, weights) for d in dtypes),
        ]
        outcomes = {one: run(jobs, one, folder / one.name) for one in backends}
        differences = [
            found
            for one, (measured, *others) in outcomes.items()
            for found in (*_held(network, one, measured), *_failed(network, one, others))
        ]
        if differences:
            return Verified(differences=tuple(differences))
        agreements: list[Agreement] = []
        for number, dtype in enumerate(dtypes, 1):
            points = {one: outcomes[one][number].arrays("end_points") for one in backends}
            agreements += agreement.compare(network, points, dtype, weights, IMAGES)
        for found in agreements:
            differences += agreement.explain(network, found, weights, folder)
        trainings: list[Training] = []
        if train:
            try:
                trainings = parity.compare(network, backends, folder)
            except ArchcError as error:
                differences += error.diagnostics
        for trained in trainings:
            differences += trained.differences()
    return Verified(
        differences=tuple(differences),
        agreements=tuple(agreements),
        trainings=tuple(trainings),
    )


def hold(
    networks: Sequence[Network], backend: Backend, folder: Path
) -> dict[Network, list[Diagnostic]]:
    """Hold several networks' shapes and weights to the IR, all in one process (E801 to E803)."""
    outcomes = run([Job(network=n, measure=True) for n in networks], backend, folder)
    return {
        network: list(_held(network, backend, outcome))
        for network, outcome in zip(networks, outcomes, strict=True)
    }


def failure(network: Network, backend: Backend, outcome: Outcome) -> Diagnostic:
    """Return the error of a job that could not be done (E803)."""
    return Diagnostic(
        code="E803",
        message=f"the emitted {backend.title} code of `{network.name}` failed: {outcome.error}",
        hint="if no framework is at fault, this is a bug in archc: please report it",
    )


def _failed(
    network: Network, backend: Backend, outcomes: Sequence[Outcome]
) -> Iterator[Diagnostic]:
    for outcome in outcomes:
        if outcome.error:
            yield failure(network, backend, outcome)
            return


def _held(network: Network, backend: Backend, outcome: Outcome) -> Iterator[Diagnostic]:
    if outcome.measured is None:
        yield failure(network, backend, outcome)
        return
    yield from _end_points(network, backend, outcome.measured)
    yield from _weights(network, backend, outcome.measured)


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
