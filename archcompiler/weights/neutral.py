"""The neutral file: one safetensors file whose tensors are named by IR path.

A tensor is called as `Node.weight_name` says, has the axes of the IR (height, width, in, out; in,
out) and is float32 or float64. The metadata say `format: archc` and `network: NAME`. All weights
of a head that only training computes may be absent; nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row
from archcompiler.ir import Network
from archcompiler.weights import safetensors_file
from archcompiler.weights.files import refuse_existing
from archcompiler.weights.header import FLOATS, read_header
from archcompiler.weights.libraries import numpy
from archcompiler.weights.problems import Problems, places, shown

if TYPE_CHECKING:
    from archcompiler.emitted import Array

FORMAT = "archc"
SUFFIX = ".safetensors"


def read(path: str | Path, network: Network, *, partial: bool = False) -> dict[str, Array]:
    """Read a neutral file of this network: every tensor by name, in the order of the IR.

    `partial` allows any weights to be absent. Raises `ArchcError` with all problems of the file:
    E101, E901 and E902 where it cannot be read, E903 of another network, E904 shapes, E905 dtypes,
    E906 NaN or infinity, E907 names twice, E908 missing and E909 unknown tensors.
    """
    path = Path(path)
    header = read_header(path)
    said = header.metadata
    if said.get("format") != FORMAT:
        raise ArchcError(
            Diagnostic(
                code="E903",
                message=f"{path} is not in archc's own format: its names are another library's",
                hint="`archc weights import` makes a neutral file of it",
            )
        )
    if said.get("network") != network.name:
        raise ArchcError(
            Diagnostic(
                code="E903",
                message=f"{path} holds weights of another network",
                rows=(
                    Row(label="the file", value=said.get("network", "does not say")),
                    Row(label="the spec", value=network.name),
                ),
            )
        )
    known = places(network)
    problems = Problems()
    for name in header.twice:
        place = known[name][0].position if name in known else None
        problems.error("E907", f"the file has two tensors that are called `{name}`", place)
    for name, stored in header.tensors.items():
        if stored.dtype not in FLOATS:
            place = known[name][0].position if name in known else None
            problems.error(
                "E905", f"`{name}` is {stored.dtype}; a neutral file has F32 or F64", place
            )
    shapes = {name: stored.shape for name, stored in header.tensors.items()}
    compare(shapes, network, problems, partial=partial)
    if header.twice:  # their places are not checked, so nothing is read
        problems.raise_errors()
    wanted = [n for n in known if n in shapes and header.tensors[n].dtype in FLOATS]
    found = safetensors_file.tensors_of(path, header, wanted)
    check_values(found, network, problems)
    problems.raise_errors()
    return found


def write(
    path: str | Path,
    network: Network,
    tensors: Mapping[str, Array],
    *,
    partial: bool = False,
    force: bool = False,
) -> None:
    """Write a neutral file, whole or not at all.

    `tensors` are by the IR's names and axes; `partial` allows any to be absent; `force` replaces a
    file. Raises `ArchcError`: E904 to E906, E908 and E909 for the tensors, E915 for a name that
    does not end in .safetensors, E917 where there is a file, E603 where it cannot be written.
    """
    path = Path(path)
    refuse_name(path, force=force)
    problems = Problems()
    known = places(network)
    for name, value in tensors.items():
        if value.dtype.name not in FLOATS.values():
            place = known[name][0].position if name in known else None
            problems.error(
                "E905", f"`{name}` is {value.dtype}; a neutral file has float32 or float64", place
            )
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    compare(shapes, network, problems, partial=partial)
    check_values(tensors, network, problems)
    problems.raise_errors()
    ordered = {name: tensors[name] for name in known if name in tensors}
    safetensors_file.write(path, ordered, {"format": FORMAT, "network": network.name})


def refuse_name(path: Path, *, force: bool) -> None:
    """Raise E915 or E917 where no neutral file can be written under a name."""
    if path.suffix != SUFFIX:
        raise ArchcError(
            Diagnostic(code="E915", message=f"a neutral file ends in {SUFFIX}, not as {path.name}"),
            exit_code=USAGE_OR_ENVIRONMENT,
        )
    refuse_existing(path, force=force)


def compare(
    shapes: Mapping[str, tuple[int, ...]],
    network: Network,
    problems: Problems,
    *,
    partial: bool = False,
) -> None:
    """Record what is missing (E908), of another shape (E904) or not of the network (E909)."""
    known = places(network)
    absent = [name for name in known if name not in shapes]
    if not partial:
        spared = set(of_absent_heads(network, shapes))
        missing = [(*known[name], None) for name in absent if name not in spared]
        problems.lacks(missing, "the file")
    for name, (node, weight) in known.items():
        if name in shapes and shapes[name] != weight.shape:
            rows = (
                Row(label="the file", value=shown(shapes[name])),
                Row(label="the spec", value=shown(weight.shape)),
            )
            message = f"`{name}` has another shape"
            problems.error("E904", message, node.position, rows=rows)
    for name in shapes:
        if name not in known:
            problems.unknown(name, f"the network has no weight `{name}`", absent)


def of_absent_heads(network: Network, shapes: Collection[str]) -> Iterator[str]:
    """Yield the weights of training-only heads that a file leaves out whole."""
    for head in network.training_heads:
        names = [n.weight_name(w) for n in head.node.walk() for w in n.weights]
        if not any(name in shapes for name in names):
            yield from names


def check_values(tensors: Mapping[str, Array], network: Network, problems: Problems) -> None:
    """Record tensors that hold NaN or infinity (E906)."""
    np = numpy()
    for name, (node, _) in places(network).items():
        if name in tensors:
            odd = not_finite(np, tensors[name])
            if odd:
                problems.error("E906", f"`{name}` holds {odd}", node.position)


def not_finite(np: Any, value: Array) -> str | None:
    """Say how many values are NaN or infinite, and where the first is; None where none is."""
    finite = np.isfinite(value)
    if finite.all():
        return None
    nan = int(np.isnan(value).sum())
    count = int(value.size - finite.sum())
    what = "NaN" if nan == count else "infinity" if not nan else "NaN and infinity"
    first = ", ".join(map(str, np.argwhere(~finite)[0]))
    return f"{what}: {count:,} of {value.size:,} values, the first at [{first}]"
