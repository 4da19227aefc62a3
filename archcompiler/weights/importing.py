"""Import: the tensors of another library become weights of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcompiler.errors import ArchcError, Row
from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.weights.background import Background
from archcompiler.weights.header import FLOATS
from archcompiler.weights.layout import to_ours
from archcompiler.weights.libraries import numpy
from archcompiler.weights.neutral import not_finite, of_absent_heads
from archcompiler.weights.plan import Match, Plan
from archcompiler.weights.problems import Problems, places, shown
from archcompiler.weights.report import Report, Used
from archcompiler.weights.requirements import differences

if TYPE_CHECKING:
    from archcompiler.emitted import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a person said may be: each is refused otherwise.

    `missing` weights, `unused` tensors, a `different` function, and to `drop_background`: class 0
    of a source that has one class more.
    """

    missing: bool = False
    unused: bool = False
    different: bool = False
    drop_background: bool = False


@dataclass(slots=True)
class _Import:
    """The work on one file: what was found so far, and what is wrong."""

    network: Network
    plan: Plan
    tensors: Mapping[str, Array]
    background: Background
    report: Report
    problems: Problems
    found: dict[str, Array]


def take(
    network: Network, plan: Plan, tensors: Mapping[str, Array], allowed: Allowed
) -> tuple[dict[str, Array], Report]:
    """Return the network's weights in the order of the IR, and the report.

    Raises `ArchcError` with every problem: E904 to E906, E908, E909, E912, E913, E916.
    """
    if not allowed.different and (apart := differences(plan, network)):
        raise ArchcError(*apart)
    work = _Import(
        network=network,
        plan=plan,
        tensors=tensors,
        background=Background(network, drop=allowed.drop_background),
        report=Report(network=network.name, source=plan.title, notes=list(plan.notes)),
        problems=Problems(),
        found={},
    )
    missing: list[tuple[Node, Weight, str | None]] = []
    for match in plan.matches:
        if match.weight is None:
            _drop_gamma(work, match)
        elif match.theirs is None:
            _fill_gamma(work, match.ours, match.weight)
        elif match.theirs in tensors:
            _take_one(work, match, tensors[match.theirs])
        else:
            missing.append((match.node, match.weight, match.theirs))
    if not allowed.missing:
        heads = {*of_absent_heads(network, work.found)}
        needed = [(n, w, theirs) for n, w, theirs in missing if n.weight_name(w) not in heads]
        work.problems.lacks(needed, "the file")
        work.problems.lacks([(n, w, None) for n, w in plan.nameless], "the map")
    work.report.missing += [n.weight_name(w) for n, w in (*plan.without, *plan.nameless)]
    work.report.missing += [n.weight_name(w) for n, w, _ in missing]
    _leftovers(work, [theirs for _, _, theirs in missing if theirs], allowed)
    work.background.check(work.problems)
    work.problems.raise_errors()
    order = places(network)
    return {name: work.found[name] for name in order if name in work.found}, work.report


def _take_one(work: _Import, match: Match, value: Array) -> None:
    """Take one tensor, or record why not: E904 to E906."""
    weight, problems = match.weight, work.problems
    assert weight is not None
    if value.dtype.name not in FLOATS.values():
        problems.error(
            "E905",
            f"`{match.theirs}` is {value.dtype}, no floats",
            match.node.position,
            rows=(Row(label="weight", value=match.ours),),
        )
        return
    done = to_ours(value, match, work.plan.layout)
    mine, dropped = work.background.apply(done.value, match)
    if mine.shape != weight.shape:
        rows = (
            Row(label=match.theirs or "", value=shown(value.shape)),
            Row(label=match.ours, value=shown(weight.shape)),
        )
        hint = work.background.hint(mine.shape, match)
        problems.error(
            "E904", f"`{match.theirs}` has another shape", match.node.position, rows=rows, hint=hint
        )
        return
    if odd := not_finite(numpy(), mine):
        problems.error(
            "E906",
            f"`{match.theirs}` holds {odd}",
            match.node.position,
            rows=(Row(label="weight", value=match.ours),),
        )
        return
    how = "; ".join(text for text in (done.how, dropped) if text)
    work.found[match.ours] = mine
    work.report.used.append(
        Used(
            weight=match.ours,
            tensor=match.theirs or "",
            shape=weight.shape,
            tensor_shape=value.shape,
            reshaped=how or None,
        )
    )


def _fill_gamma(work: _Import, name: str, weight: Weight) -> None:
    """Give the network the ones that a source without gamma multiplies by."""
    dtypes = [value.dtype for value in work.tensors.values() if value.dtype.name == "float64"]
    work.found[name] = numpy().ones(weight.shape, dtypes[0] if dtypes else "float32")
    work.report.filled.append(name)


def _drop_gamma(work: _Import, match: Match) -> None:
    """Leave a gamma away that the network has not, if it is all ones (E913)."""
    value = work.tensors.get(match.theirs or "")
    if value is None:
        return
    if not (value == 1).all():
        work.problems.error(
            "E913",
            f"`{match.theirs}` is not all ones, and this norm has no gamma",
            match.node.position,
            hint="write `gamma: true` in `defaults: {batch_norm: ...}`",
        )
    work.report.dropped.append(match.theirs or "")


def _leftovers(work: _Import, missing: list[str], allowed: Allowed) -> None:
    """Sort the tensors that no weight took into ignored and unused (E909)."""
    taken = {match.theirs for match in work.plan.matches}
    for name in work.tensors:
        if name in taken:
            continue
        if work.plan.ignores(name):
            work.report.ignored.append(name)
            continue
        work.report.unused.append(name)
        if not allowed.unused:
            message = f"`{name}` of the file has no place in the network"
            option = "`--allow-unused` leaves such tensors out"
            work.problems.unknown(name, message, missing, option)
