"""Whether two frameworks train alike: the same weights after the same steps, in float64.

One backend leads: it starts from the spec's own initial weights, and leaves the weights of its
steps as files. The others follow, on the same images and labels, with dropout off, in two ways:

- locked: each step starts from the leader's weights, so that every step is compared by itself;
- free: the steps follow each other, at a rate so small that rounding is not magnified. At larger
  rates training is chaotic, and the last digit decides: that would compare nothing.

Norm statistics are each framework's own: PyTorch moves the variance by the unbiased one,
n / (n - 1) of the biased one that Keras takes. Everything else must be equal.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from archcompiler import draw
from archcompiler.backend import Backend
from archcompiler.emitted import DType
from archcompiler.errors import ArchcError, Diagnostic, Row
from archcompiler.ir import Network, Node
from archcompiler.jobs import Job, Outcome, run

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays

STEPS = 10
BATCH = 4
DTYPE: DType = "float64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to follow: the rate of the steps, and what a weight may differ by after any."""

    name: str
    rate: float
    locked: bool
    bound: float


WAYS = (
    Way(name="locked", rate=0.01, locked=True, bound=1e-11),
    Way(name="free", rate=1e-5, locked=False, bound=1e-12),
)
STATISTICS_BOUND = 1e-9
"""What the moved variances' ratio may differ from that of the two definitions, as a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How far one backend's steps were from another's.

    `apart` has, for every trainable weight, the largest difference of any value after any step;
    `statistics`, for the variances that norms moved, how far the ratio of both backends' is from
    that of their definitions (locked only).
    """

    network: Network
    reference: Backend
    other: Backend
    way: Way
    losses: tuple[float, ...]
    apart: Mapping[str, float]
    statistics: Mapping[str, float]

    @property
    def worst(self) -> str:
        """Return the weight with the largest difference."""
        return max(self.apart, key=self.apart.__getitem__)

    def differences(self) -> Iterator[Diagnostic]:
        """Yield what is beyond the bounds (E805), the first layers first."""
        titles = f"{self.other.title} and {self.reference.title}"
        for name, node in _owners(self.network):
            for values, bound in (
                (self.apart, self.way.bound),
                (self.statistics, STATISTICS_BOUND),
            ):
                if not values.get(name, 0.0) <= bound:
                    yield Diagnostic(
                        code="E805",
                        message=f"{titles} train `{name}` differently",
                        position=node.position,
                        rows=(
                            Row(label="largest difference", value=f"{values[name]:.1e}"),
                            Row(label="bound", value=f"{bound:.0e}"),
                            Row(label="rate", value=f"{self.way.rate:g}, {self.way.name} steps"),
                        ),
                        hint="if no framework is at fault, this is a bug in archc: "
                        "please report it with the spec",
                    )


def compare(network: Network, backends: Sequence[Backend], folder: Path) -> list[Training]:
    """Train a network in every backend but the first along the first's trail.

    Raises E806 where the spec has no loss (a head that gives a map), or a step failed.
    """
    if any(len(h.node.output.shape) != 1 for h in (network.output_head, *network.training_heads)):
        _fail(f"`{network.name}` has no loss to train with: a head gives a map, not a vector")
    leader, *followers = backends
    trails = {way: folder / f"trail_{way.name}" for way in WAYS}
    for trail in trails.values():
        trail.mkdir()
    _run(network, leader, "lead", trails, folder)
    found = [
        _training(network, leader, other, way, trails[way], outcome)
        for other in followers
        for way, outcome in _run(network, other, "follow", trails, folder).items()
    ]
    for trail in trails.values():
        shutil.rmtree(trail)
    return found


def _run(
    network: Network, backend: Backend, task: str, trails: Mapping[Way, Path], folder: Path
) -> dict[Way, Outcome]:
    """Train a network in all ways, in one process. Raises E806."""
    arrays = {"images": draw.images(network, BATCH), "labels": draw.labels(network, BATCH)}
    jobs = [
        Job(
            network=network,
            tasks=(task,),
            dtype=DTYPE,
            arrays=arrays,
            settings={
                "trail": str(trails[way]),
                "steps": STEPS,
                "rate": way.rate,
                "locked": way.locked,
            },
        )
        for way in WAYS
    ]
    outcomes = run(jobs, backend, folder / f"{task}_{backend.name}")
    for outcome in outcomes:
        if outcome.error:
            _fail(f"{backend.title} cannot train `{network.name}`: {outcome.error}")
    return dict(zip(WAYS, outcomes, strict=True))


def _training(
    network: Network, leader: Backend, other: Backend, way: Way, trail: Path, outcome: Outcome
) -> Training:
    found = outcome.arrays("follow")
    trained = {n.weight_name(w) for n in network.walk() for w in n.weights if w.trainable}
    return Training(
        network=network,
        reference=leader,
        other=other,
        way=way,
        losses=tuple(found["losses"].tolist()),
        apart={name: float(found[name].max()) for name in trained},
        statistics=_statistics(network, leader, other, trail, found) if way.locked else {},
    )


def _statistics(
    network: Network, leader: Backend, other: Backend, trail: Path, found: Arrays
) -> dict[str, float]:
    """Hold the moved variances to the definitions: what moved is (1 - decay) of the batch's."""
    import numpy as np
    from safetensors import safe_open

    apart: dict[str, list[Array]] = {}
    for step in range(1, STEPS + 1):
        with (
            safe_open(trail / f"{step - 1}.safetensors", "numpy") as before,
            safe_open(trail / f"{step}.safetensors", "numpy") as after,
        ):
            for node, name, decay in variances(network):
                old, new = before.get_tensor(name), after.get_tensor(name)
                count = BATCH * prod(node.output.shape[:-1])
                unbiased = count / (count - 1)
                ratio = (unbiased if other.unbiased else 1.0) / (
                    unbiased if leader.unbiased else 1.0
                )
                given = found[f"{step}:{name}"] - decay * old
                wanted = ratio * (new - decay * old)
                # A channel of equal values has no variance in either.
                share = np.abs(given - wanted) / np.where(wanted == 0, 1.0, np.abs(wanted))
                apart.setdefault(name, []).append(share)
    return {name: float(np.max(shares)) for name, shares in apart.items()}


def variances(network: Network) -> Iterator[tuple[Node, str, float]]:
    """Yield each norm's node, the name of its moving variance, and its decay."""
    for node in network.walk():
        for weight in node.weights:
            if weight.name == "moving_variance":
                norm: Any = getattr(node.op, "norm", node.op)
                yield node, node.weight_name(weight), norm.decay


def _owners(network: Network) -> Iterator[tuple[str, Node]]:
    for node in network.walk():
        for weight in node.weights:
            yield node.weight_name(weight), node


def _fail(message: str) -> NoReturn:
    raise ArchcError(Diagnostic(code="E806", message=message))
