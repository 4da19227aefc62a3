"""Variants: every file in cases/variants is the network that written_out/ has without `extends`.

Both are read by the same compiler; what is compared is every layer with weights or numbers of its
own, in order, with its attributes, shapes, weights and MACs, and what the heads are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archcompiler.compiler import compile_file
from archcompiler.fields import Shape
from archcompiler.ir import Network, Node

CASES = Path(__file__).parent / "cases" / "variants"
NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))


def reads(node: Node) -> list[tuple[str, Shape]]:
    """Return what a node reads: by name, which says who gives it, and shape.

    A block names the fork in it by its join, a fork on its own has its own name.
    """
    return [(re.sub("/(concat|add):", ":", v.name), v.shape) for v in node.inputs]


def facts(network: Network) -> list[object]:
    """Return what a network is, whatever blocks and groups it was written with."""
    leaves = [node for node in network.walk() if not node.graphs]
    return [
        network.name,
        network.input.shape,
        network.output,
        *((n.path, n.op, reads(n), n.output.shape, n.weights, n.macs) for n in leaves),
        *((h.name, h.training_only, h.loss_weight) for h in network.heads),
        *((e.name, e.node.output.shape) for e in network.end_points),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_is_what_is_written_out(name: str) -> None:
    variant = facts(compile_file(CASES / f"{name}.yaml").network)
    whole = facts(compile_file(CASES / "written_out" / f"{name}.yaml").network)
    for one, other in zip(variant, whole, strict=False):
        assert one == other
    assert len(variant) == len(whole)


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_proves(name: str) -> None:
    assert (CASES / f"{name}.yaml").read_text("utf-8").startswith("# ")
