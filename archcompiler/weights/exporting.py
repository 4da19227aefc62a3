"""Export: the weights of a network become tensors of another library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archcompiler.errors import ArchcError
from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.weights.layout import to_theirs
from archcompiler.weights.libraries import numpy
from archcompiler.weights.neutral import of_absent_heads
from archcompiler.weights.plan import Match, Plan
from archcompiler.weights.problems import Problems
from archcompiler.weights.report import Report, Used
from archcompiler.weights.requirements import differences

if TYPE_CHECKING:
    from archcompiler.emitted import Array


def give(
    network: Network,
    plan: Plan,
    weights: Mapping[str, Array],
    *,
    allow_missing: bool,
    allow_different: bool,
) -> tuple[dict[str, Array], Report]:
    """Return the tensors as the other library has them, and the report.

    `weights` are checked already. Raises `ArchcError` with every problem: E908, E912, E913.
    """
    if not allow_different and (apart := differences(plan, network)):
        raise ArchcError(*apart)
    report = Report(network=network.name, source=plan.title)
    problems = Problems()
    tensors: dict[str, Array] = {}
    missing: list[tuple[Node, Weight, str | None]] = []
    for match in plan.matches:
        if match.weight is None:
            _fill_gamma(match, weights, tensors, report)
        elif match.ours not in weights:
            missing.append((match.node, match.weight, None))
        elif match.theirs is None:
            _drop_gamma(match, weights, report, problems)
        else:
            done = to_theirs(weights[match.ours], match, plan.layout)
            value = numpy().asarray(done.value, order="C")
            tensors[match.theirs] = value
            report.used.append(
                Used(
                    weight=match.ours,
                    tensor=match.theirs,
                    shape=match.weight.shape,
                    tensor_shape=value.shape,
                    reshaped=done.how,
                )
            )
    if not allow_missing:
        heads = {*of_absent_heads(network, weights)}
        needed = [(n, w, None) for n, w, _ in missing if n.weight_name(w) not in heads]
        problems.lacks(needed, "the weights file")
        problems.lacks([(n, w, None) for n, w in plan.nameless], "the map")
    report.missing += [n.weight_name(w) for n, w, _ in missing]
    report.missing += [n.weight_name(w) for n, w in (*plan.without, *plan.nameless)]
    problems.raise_errors()
    return tensors, report


def _fill_gamma(
    match: Match, weights: Mapping[str, Array], tensors: dict[str, Array], report: Report
) -> None:
    """Write the ones that a norm without gamma multiplies by, beside a norm that is there."""
    own = [weights.get(match.node.weight_name(w)) for w in match.node.weights]
    mean = next(
        (v for v, w in zip(own, match.node.weights, strict=True) if w.name == "moving_mean"), None
    )
    if mean is not None and match.theirs:
        tensors[match.theirs] = numpy().ones_like(mean)
        report.filled.append(match.theirs)


def _drop_gamma(
    match: Match, weights: Mapping[str, Array], report: Report, problems: Problems
) -> None:
    """Leave a gamma away that the other library has not, if it is all ones (E913)."""
    if not (weights[match.ours] == 1).all():
        problems.error(
            "E913",
            f"`{match.ours}` is not all ones, and {report.source} has no gamma",
            match.node.position,
        )
    report.dropped.append(match.ours)
