"""What `archc verify` says: counts, the table of end points, the steps of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcompiler.agreement import Agreement
from archcompiler.backend import Backend
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.parity import BATCH, STATISTICS_BOUND, STEPS, Training
from archcompiler.verify import Verified


def lines(network: Network, backends: Sequence[Backend], verified: Verified) -> Iterator[str]:
    """Yield what was found, for a terminal of 80 columns where names allow it."""
    wrong = {d.code for d in verified.differences}
    if not wrong & {"E801", "E802", "E803"}:
        weights = sum(len(node.weights) for node in network.walk())
        for one in backends:
            yield (
                f"{network.name}  {one.title}: {len(network.end_points)} end points and "
                f"{weights} tensors are those of the spec"
            )
    others = dict.fromkeys(found.other for found in verified.agreements)
    for other in others:
        yield from _table(network, [a for a in verified.agreements if a.other is other])
    for training in verified.trainings:
        yield from _training(training)


def _table(network: Network, columns: Sequence[Agreement]) -> Iterator[str]:
    first = columns[0]
    yield f"{network.name}  {' against '.join(first.titles)}, {first.images} images"
    yield "  max |difference| / max |value| of each end point, given the same weights"
    shapes = {p.name: shape_text(p.node.output.shape) for p in network.end_points}
    rows = [("end point", "shape", [str(c.dtype) for c in columns])]
    rows += [(n, shapes[n], [_cell(c, n) for c in columns]) for n in first.differences]
    rows.append(("largest", "", [_cell(c, c.worst) for c in columns]))
    rows.append(("bound", "", [f"{c.bound:.1e} " for c in columns]))
    name = max(len(row[0]) for row in rows)
    shape = max(len(row[1]) for row in rows)
    for label, size, cells in rows:
        yield f"  {label:<{name}}  {size:<{shape}}  {'  '.join(f'{c:>9}' for c in cells)}".rstrip()


def _cell(column: Agreement, name: str) -> str:
    value = column.differences[name]
    return f"{value:.1e}{' ' if value <= column.bound else '!'}"


def _training(found: Training) -> Iterator[str]:
    start = "each from equal weights" if found.way.locked else "one after the other"
    yield f"{found.network.name}  {found.other.title} against {found.reference.title}, training"
    yield f"  {STEPS} steps, {start}: float64, {BATCH} images, rate {found.way.rate:g}"
    yield f"  the loss goes from {found.losses[0]:.4f} to {found.losses[-1]:.4f}"
    worst = found.apart[found.worst]
    yield f"  weights are at most {worst:.1e} apart, the bound is {found.way.bound:.0e}; most:"
    yield f"    {found.worst}"
    if found.statistics:
        largest = max(found.statistics.values())
        yield (
            f"  moved variances: the ratio is right within {largest:.1e}, the bound is "
            f"{STATISTICS_BOUND:.0e}"
        )
