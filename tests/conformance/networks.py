"""Random networks: what is written, run and compared. `random_networks.py` runs many of them.

A network is right where its static shapes, parameters and multiply-adds are those of both
frameworks, and where both frameworks compute the same from the same weights and images, node by
node and end point by end point.

The measure is the largest difference over the largest value, or over what a value that vanished
came from (`vanishing.py`). In float32 rounding alone may be more than the bound, where a sum
cancels nearly all that it adds. How much that is, a framework says itself, by its float32 against
its float64: a difference of up to ten times the smaller of these two errors is noise. A framework
that is off alone is a mismatch, and in float64 nothing is excused.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import harness
import numpy as np
from harness import FRAMEWORKS, Case, Results
from spec_patches import variant
from spec_writer import Spec, write_spec
from vanishing import Vanishing

from archc_tensorflow.naming import Layers
from archcompiler.agreement import BOUNDS
from archcompiler.backend import backend
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Network, Node
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

CHECKS = ("points", "nodes", "facts")
FIXTURES = Path(__file__).parents[1] / "cases" / "random"
"""What random networks found, shrunk."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One thing in which a network is not what it should be: `what` of `node`, and how far."""

    network: str
    what: str
    node: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.network}: {self.what} {self.node}: {self.detail}"


@dataclass(kw_only=True)
class Tally:
    """What was written, and what was compared."""

    specs: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    """Specs that archc refuses, by code: the writer's mistakes, or patches that do not fit."""
    refused: Counter[str] = field(default_factory=Counter)
    """Networks that a backend refuses, by backend and code."""
    networks: int = 0
    nodes: int = 0
    points: int = 0
    values: int = 0
    """Nodes whose values were compared."""
    noisy: int = 0
    """Those that differ by more than 1e-5 in float32, but no more than float32's own rounding."""
    largest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BOUNDS, 0.0))
    mismatches: list[Mismatch] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add what another tally counted."""
        for name in ("specs", "networks", "nodes", "points", "values", "noisy"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.wrong += other.wrong
        self.refused += other.refused
        self.mismatches += other.mismatches
        for dtype, value in other.largest.items():
            self.largest[dtype] = max(self.largest[dtype], value)

    def __str__(self) -> str:
        differences = ", ".join(f"{value:.1e} in {dtype}" for dtype, value in self.largest.items())
        return (
            f"{self.networks:,} networks, {self.nodes:,} nodes ({self.values:,} with values), "
            f"{self.points:,} end points, largest difference {differences}, "
            f"{self.noisy} noisy, {len(self.mismatches)} mismatches; of {self.specs:,} specs "
            f"{sum(self.wrong.values())} were wrong and {sum(self.refused.values())} refused"
        )


def compiled(spec: Spec) -> Network:
    """Compile a spec. Raises `ArchcError`."""
    name = f"{spec['name']}.yaml"
    return compile_node(parse(to_yaml(spec), name), source=name).network


def drawn(seeds: Iterable[int], tally: Tally) -> Iterator[tuple[Spec, Network]]:
    """Yield the networks of seeds that archc and all backends take; count the others."""
    for seed in seeds:
        spec = write_spec(seed)
        tally.specs += 1
        try:
            network = compiled(spec)
        except ArchcError as error:
            tally.wrong[error.diagnostics[0].code] += 1
            continue
        if _is_taken(network, tally):
            yield spec, network


def variants(seeds: Iterable[int], tally: Tally) -> Iterator[Network]:
    """Yield the networks that random patches make of random specs; count the others."""
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="archc-") as folder:
            network = variant(seed, Path(folder))
        tally.specs += 1
        if network is None:
            tally.wrong["variant"] += 1
        elif _is_taken(network, tally):
            yield network


def _is_taken(network: Network, tally: Tally) -> bool:
    """Tell whether all backends take a network; count refusals."""
    refusals = [r for framework in FRAMEWORKS if (r := refusal(network, framework))]
    tally.refused.update(refusals)
    return not refusals


def refusal(network: Network, framework: str) -> str:
    """Return the backend and the code with which it refuses a network; empty where it does not.

    The gate looks at what is run: `harness.py` emits it once more.
    """
    try:
        backend(framework).emit(network)
    except ArchcError as error:
        return f"{framework} {error.diagnostics[0].code}"
    return ""


def case(network: Network) -> Case:
    """Return what the frameworks are to run."""
    return Case(name=network.name, network=network, checks=CHECKS, dtypes=tuple(BOUNDS))


def compare(run: Mapping[str, Results], case: Case, tally: Tally) -> None:
    """Compare what both frameworks made of a network with the IR, and with each other."""
    found = [*_failures(run, case)]
    if not found:
        tally.nodes += sum(1 for _ in case.network.walk())
        tally.points += len(case.network.end_points)
        for framework in FRAMEWORKS:
            found += _facts(run[framework], case)
        found += _values(run, case, tally)
    tally.networks += 1
    tally.mismatches += found


def _failures(run: Mapping[str, Results], case: Case) -> Iterator[Mismatch]:
    for framework in FRAMEWORKS:
        for dtype in case.dtypes:
            for check in ("import", *CHECKS):
                if failure := run[framework].failure(case.name, _check(check, dtype)):
                    what = f"{framework} fails in `{_check(check, dtype)}`"
                    yield Mismatch(network=case.name, what=what, detail=failure)
                    break


def _check(check: str, dtype: str) -> str:
    return check if dtype == "float32" else f"{check}_{dtype}"


def _facts(results: Results, case: Case) -> Iterator[Mismatch]:
    network, framework = case.network, results.framework
    found = {k: v.tolist() for k, v in results.numbers(case.name, "facts").items()}
    total, evaluated = network.totals(), harness.computed(network, [network.output_head.node])
    wanted: dict[str, object] = {
        f"shape {harness.key(framework, node, weight)}": [
            *harness.to_framework(framework, node, weight, np.empty(weight.shape)).shape
        ]
        for node in network.walk()
        for weight in node.weights
    }
    wanted |= {"params": total.params, "trainable": total.trainable}
    if framework == "torch":
        wanted |= {"macs all": total.macs, "macs inference": sum(n.macs for n in evaluated)}
    for key in sorted({*found, *wanted}):
        if found.get(key) != wanted.get(key):
            detail = f"{wanted.get(key)} in archc, {found.get(key)} in {framework}"
            yield Mismatch(network=case.name, what=f"{framework} {key}", detail=detail)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A node or an end point, and what each framework gives there, in canonical layout."""

    what: str
    node: Node
    given: Mapping[str, np.ndarray]
    least: float
    """What its largest value counts as at least (`vanishing.py`)."""

    def error(self) -> float:
        """Return how far the frameworks are apart."""
        left, right = self.given.values()
        return _difference(left, right, self.least)


def _places(run: Mapping[str, Results], case: Case, dtype: str) -> list[_Place]:
    """Return all nodes that some result depends on, then all end points."""
    network, layers = case.network, Layers(case.network)
    nodes = {f: run[f].numbers(case.name, _check("nodes", dtype)) for f in FRAMEWORKS}
    points = {f: run[f].numbers(case.name, _check("points", dtype)) for f in FRAMEWORKS}
    vanishing = Vanishing(layers=layers, values=nodes["tensorflow"])
    results = [*(h.node for h in network.heads), *(e.node for e in network.end_points)]
    live = {*harness.computed(network, results)}
    found = []
    for node in (n for n in network.walk() if n in live):
        names = {"torch": node.path.replace("/", "."), "tensorflow": layers.layer(node.output)}
        given = {f: nodes[f][name] for f, name in names.items() if name in nodes[f]}
        found.append(("node", node, given))
    for point in network.end_points:
        given = {f: points[f][point.name] for f in FRAMEWORKS if point.name in points[f]}
        found.append(("end point", point.node, given))
    return [
        _Place(
            what=what,
            node=node,
            given={f: harness.map_from_framework(f, v) for f, v in given.items()},
            least=vanishing.least(node),
        )
        for what, node, given in found
    ]


def _values(run: Mapping[str, Results], case: Case, tally: Tally) -> Iterator[Mismatch]:
    """Compare shapes and values at every node and end point."""
    single, double = (_places(run, case, dtype) for dtype in ("float32", "float64"))
    for rough, exact in zip(single, double, strict=True):
        for dtype, place in (("float32", rough), ("float64", exact)):
            yield from _shapes(case, place)
            if place.given.keys() != {*FRAMEWORKS} or [*_shapes(case, place)]:
                continue
            tally.values += place.what == "node" and dtype == "float64"
            error = place.error()
            allowed = BOUNDS[dtype]
            if dtype == "float32" and error > allowed:
                pairs = [(rough.given[f], exact.given[f]) for f in FRAMEWORKS]
                noise = [_difference(*pair, exact.least) for pair in pairs]
                allowed = max(allowed, 10 * min(noise))
                tally.noisy += error <= allowed
            if not error <= allowed:
                what = f"{place.what}: {dtype} values of"
                path, detail = place.node.path, f"{error:.1e}"
                yield Mismatch(network=case.name, what=what, node=path, detail=detail)
            elif allowed == BOUNDS[dtype]:
                tally.largest[dtype] = max(tally.largest[dtype], error)


def _shapes(case: Case, place: _Place) -> Iterator[Mismatch]:
    for framework in FRAMEWORKS:
        given = place.given.get(framework)
        if given is None:
            if place.what == "end point" or not _has_no_module(framework, place.node):
                what = f"{framework} has no {place.what}"
                yield Mismatch(network=case.name, what=what, node=place.node.path)
        elif given.shape[1:] != place.node.output.shape:
            detail = f"{place.node.output.shape} in archc, {given.shape[1:]} in {framework}"
            what = f"{place.what}: shape of"
            yield Mismatch(network=case.name, what=what, node=place.node.path, detail=detail)


def _difference(left: np.ndarray, right: np.ndarray, least: float) -> float:
    """Return the largest difference, relative to the largest value or `least`.

    It is infinite where a value is no number.
    """
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return float("inf")
    scale = max(float(np.abs(right).max(initial=0.0)), least, 1e-30)
    return float(np.abs(left - right).max(initial=0.0)) / scale


def _has_no_module(framework: str, node: Node) -> bool:
    """Tell whether emitted torch has an expression for a node: a join, or a mere container."""
    return framework == "torch" and (bool(node.graphs) or node.op.key in ("concat", "add"))
