"""A network that no spec gives stops before any backend writes a line of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file
from archcompiler.invariants import BrokenNetwork, hold
from archcompiler.ir import Network, Node, Value

ROOT = Path(__file__).parents[1]
SPECS = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "tests/cases/emitted").glob("*.yaml")])
NETWORK = compile_file(ROOT / "specs/inception_v3.yaml").network


def with_node(where: str, **more: Any) -> Network:
    """Return Inception V3 with one layer of its stem or body, or inside a block, replaced."""

    def changed(node: Node) -> Node:
        if node.path == where:
            return dataclasses.replace(node, **more)
        graphs = tuple(
            dataclasses.replace(g, nodes=tuple(map(changed, g.nodes))) for g in node.graphs
        )
        return dataclasses.replace(node, graphs=graphs)

    stem = dataclasses.replace(NETWORK.stem, nodes=tuple(map(changed, NETWORK.stem.nodes)))
    body = dataclasses.replace(NETWORK.body, nodes=tuple(map(changed, NETWORK.body.nodes)))
    points = tuple(p for p in NETWORK.end_points if p.node in {h.node for h in NETWORK.heads})
    return dataclasses.replace(NETWORK, stem=stem, body=body, end_points=points)


def node(path: str) -> Node:
    return next(n for n in NETWORK.walk() if n.path == path)


CONV = "Conv2d_1a_3x3"
INNER = "Mixed_5b/Branch_1/Conv2d_0b_5x5"
BROKEN: dict[str, Callable[[], Network]] = {
    "its name": lambda: dataclasses.replace(NETWORK, name='x"; import os'),
    "the name of parameter 'a b'": lambda: dataclasses.replace(NETWORK, params={"a b": 1}),
    "the value of `n`": lambda: dataclasses.replace(NETWORK, params={"n": math.nan}),
    "output": lambda: dataclasses.replace(NETWORK, output="AuxLogits"),
    "the name of Conv2d_1a_3x3": lambda: with_node(CONV, name="forward"),
    "the path 'os.system'": lambda: with_node(CONV, path="os.system"),
    "the path Conv2d_2a_3x3, which is taken": lambda: with_node(
        CONV, path="conv2d_2a_3x3", name="conv2d_2a_3x3"
    ),
    "the inputs of Conv2d_1a_3x3": lambda: with_node(CONV, inputs=(node(INNER).output,)),
    "the inputs of Mixed_5b/Branch_1/Conv2d_0b_5x5": lambda: with_node(INNER, inputs=()),
    "the expression '__import__' of": lambda: with_node(
        INNER, expressions={"filters": "__import__('os')"}
    ),
    "the shape of Conv2d_1a_3x3": lambda: with_node(
        CONV, output=Value(CONV, (149, 149, 33)), graphs=()
    ),
    "the MACs of Conv2d_1a_3x3": lambda: with_node(CONV, macs=-1),
    "numbers of Conv2d_1a_3x3": lambda: with_node(
        CONV, op=dataclasses.replace(node(CONV).op, weight_decay=math.inf)  # type: ignore[type-var]
    ),
    "the shape of Conv2d_1a_3x3/conv/kernel": lambda: with_node(
        CONV, weights=(dataclasses.replace(node(CONV).weights[0], shape=(3, 3, 0, 32)),)
    ),
    "the decay of Conv2d_1a_3x3": lambda: with_node(
        CONV, weights=(dataclasses.replace(node(CONV).weights[0], decay=-0.5),)
    ),
    "the block of Mixed_5b": lambda: with_node(
        "Mixed_5b", op=dataclasses.replace(node("Mixed_5b").op, template="class")  # type: ignore[type-var]
    ),
    "argument 'in_channels' of Mixed_5b": lambda: with_node(
        "Mixed_5b", op=dataclasses.replace(node("Mixed_5b").op, arguments={"in_channels": 1})  # type: ignore[type-var]
    ),
    "loss_weight of AuxLogits": lambda: dataclasses.replace(
        NETWORK,
        heads=tuple(dataclasses.replace(h, loss_weight=None) for h in NETWORK.heads),
    ),
    "the names of end points": lambda: dataclasses.replace(
        NETWORK, end_points=(NETWORK.end_points[0], *NETWORK.end_points)
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_what_specs_give_holds(path: Path) -> None:
    hold(compile_file(path).network)


@pytest.mark.parametrize("what", BROKEN)
def test_what_no_spec_gives_does_not(what: str) -> None:
    network = BROKEN[what]()
    said = "although " + what.replace("'__import__' of", "\"__import__('os')\" of")
    with pytest.raises(BrokenNetwork) as raised:
        hold(network)
    assert said in str(raised.value)
    with pytest.raises(BrokenNetwork):
        emit(network, backend("torch"))
