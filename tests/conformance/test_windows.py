"""Windows of all kinds over maps of odd and even sizes, drawn at random: numbers and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import harness
import numpy as np
import pytest
from harness import FRAMEWORKS, Case, Results, difference

from archcompiler.agreement import BOUNDS
from archcompiler.compiler import compile_node
from archcompiler.ir import Network
from archcompiler.op import ShapeError, read_attributes
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.conv import Conv
from archcompiler.ops.max_pool import MaxPool
from archcompiler.reference import evaluate, slopes
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

Run = Mapping[str, Results]
"""The results by framework."""


def _sweep(size: tuple[int, int], seed: int) -> Network:
    """Return a network whose heads are windows of all kinds over one map of `size`."""
    generator = harness.random("sweep", seed)
    heads: dict[str, dict[str, object]] = {}
    while len(heads) < 24:
        op = (MaxPool, AvgPool, Conv)[len(heads) % 3]
        kernel, stride, dilation = generator.integers(1, 5, (3, 2)).tolist()
        pads = generator.integers(0, 3, 4).tolist()
        written: dict[str, object] = {
            "kernel": "{}x{}".format(*kernel),
            "stride": "{}x{}".format(*stride),
            "padding": ("same", "valid", pads[0], "{}x{}".format(*pads[:2]), pads)[seed % 5]
            if len(heads) % 2
            else pads,
        }
        if op is Conv:
            written |= {"filters": 2, "groups": int(generator.integers(1, 3))}
            if max(stride) == 1:
                written["dilation"] = "{}x{}".format(*dilation)
        else:
            written["ceil_mode"] = bool(generator.integers(2)) and written["padding"] != "same"
        if op is AvgPool:
            written["count_include_pad"] = bool(generator.integers(2))
        try:
            op.resolve(read_attributes(op, written), ((*size, 2),)).infer(((*size, 2),))
        except ShapeError:
            continue
        main = str(op.main)
        rest = {k: v for k, v in written.items() if k != main}
        heads[f"{op.key}_{len(heads)}"] = {op.key: written[main], **rest}
    name = f"sweep_{seed}"
    spec = {
        "archc": 1,
        "name": name,
        "input": f"{size[0]}x{size[1]}x2",
        "output": "max_pool_0",
        "stem": [],
        "body": [],
        "heads": heads,
    }
    return compile_node(parse(to_yaml(spec), name), source=f"{name}.yaml").network


SIZES = ((7, 8), (5, 11), (6, 6), (1, 9), (10, 3))
SWEEPS = {f"sweep_{seed}": _sweep(size, seed) for seed, size in enumerate(SIZES)}
CHECKS = ("points", "point_gradients")


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        return [
            Case(name=name, network=network, checks=CHECKS, dtypes=tuple(BOUNDS))
            for name, network in SWEEPS.items()
        ]

    return harness.run(shared_folder / "windows", cases)


def _gradients(run: Run, framework: str, name: str, dtype: str) -> dict[str, dict[str, np.ndarray]]:
    found = run[framework].numbers(name, harness.check_of("point_gradients", dtype))
    return harness.canonical_by_point(framework, SWEEPS[name], found)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", SWEEPS)
def test_outputs_are_those_of_the_definition(
    run: Run, name: str, framework: str, dtype: str
) -> None:
    network = SWEEPS[name]
    found = run[framework].numbers(name, harness.check_of("points", dtype))
    wanted = evaluate(network, harness.weights(network), harness.images(name, network)).values
    assert found.keys() == wanted.keys()
    for head, values in wanted.items():
        given = harness.map_from_framework(framework, found[head])
        assert difference(given, values) <= BOUNDS[dtype], head


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", SWEEPS)
def test_gradients_agree(run: Run, name: str, dtype: str) -> None:
    torch, tensorflow = (_gradients(run, f, name, dtype) for f in FRAMEWORKS)
    for head in SWEEPS[name].heads:
        trained = {head.node.weight_name(w) for w in head.node.weights if w.trainable}
        left, right = torch[head.name], tensorflow[head.name]
        assert left.keys() == right.keys() == {"input", *trained}, head.name
        for key, values in left.items():
            assert difference(values, right[key]) <= BOUNDS[dtype], (head.name, key)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", SWEEPS)
def test_gradients_are_those_of_the_definition(run: Run, name: str, framework: str) -> None:
    network = SWEEPS[name]
    found = _gradients(run, framework, name, "float64")
    weights, images = harness.weights(network), harness.images(name, network)
    along = harness.directions(name, network)
    wanted = slopes(network, weights, images, harness.point_weighings(name, network), along)
    for head, slope in wanted.items():
        terms = [found[head][k] * along[k] for k in found[head]]
        measure = sum(float(np.abs(t).sum()) for t in terms)
        assert abs(sum(float(t.sum()) for t in terms) - slope) <= 1e-8 * measure, head
