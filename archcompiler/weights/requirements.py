"""Whether weights mean the same function: what a map requires of the network (E912)."""

from __future__ import annotations

from collections.abc import Iterator

from archcompiler.errors import Diagnostic, in_file_order
from archcompiler.ir import Network, Node
from archcompiler.op import Op
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.unit import Unit
from archcompiler.weights.namemap import Requirement
from archcompiler.weights.plan import Plan
from archcompiler.window import pads


def differences(plan: Plan, network: Network) -> list[Diagnostic]:
    """Return an E912 for each layer that computes something else than the source's."""
    found = [
        Diagnostic(
            code="E912",
            message=f"{plan.title} computes this with `{_pair(requirement)}`",
            position=node.position,
            hint=f"write `{_pair(requirement)}` at the layer or in "
            f"`defaults: {{{requirement.op}: ...}}`; `--allow-different` takes the weights as "
            "they are",
        )
        for requirement in plan.requires
        for node, op in _ops(network, requirement.op)
        if _matters(node, op, requirement)
        and getattr(op, requirement.attribute) != requirement.value
    ]
    return in_file_order(found)


def _pair(requirement: Requirement) -> str:
    return f"{requirement.attribute}: {requirement.text}"


def _ops(network: Network, key: str) -> Iterator[tuple[Node, Op]]:
    """Yield every op of a kind, the norms of units too."""
    for node in network.walk():
        if isinstance(node.op, Op) and node.op.key == key:
            yield node, node.op
        elif isinstance(node.op, Unit) and node.op.norm and node.op.norm.key == key:
            yield node, node.op.norm


def _matters(node: Node, op: Op, requirement: Requirement) -> bool:
    """Tell whether an attribute shows in the result: padding counts only where there is some."""
    if not isinstance(op, AvgPool) or requirement.attribute != "count_include_pad":
        return True
    height, width, _ = node.inputs[0].shape
    return any(pads((height, width), op.kernel, op.stride, op.padding))
