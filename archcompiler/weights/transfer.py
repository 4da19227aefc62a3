"""Import and export of whole files: find the map, read, convert, check, write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row, listed
from archcompiler.ir import Network
from archcompiler.weights.exporting import give
from archcompiler.weights.files import refuse_existing
from archcompiler.weights.formats import format_of
from archcompiler.weights.importing import Allowed, take
from archcompiler.weights.keras_file import first_name, renumbered
from archcompiler.weights.plan import Plan
from archcompiler.weights.report import Report
from archcompiler.weights.sources import find_plan, fitting

if TYPE_CHECKING:
    from archcompiler.emitted import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import gives: every weight by the IR's name, and the report."""

    tensors: dict[str, Array]
    report: Report


def import_weights(
    path: str | Path,
    network: Network,
    source: str | None = None,
    *,
    map_file: str | Path | None = None,
    allow_missing: bool = False,
    allow_unused: bool = False,
    allow_different: bool = False,
    drop_background: bool = False,
) -> Imported:
    """Read another library's file into weights of `network`, in the IR's axes.

    `source` is the name of a map (`torchvision`), or `map_file` one of your own. Float16 and
    bfloat16 are widened to float32; float32 and float64 stay. Raises `ArchcError` with all
    problems: E101, E901 to E903, E907 and E910 for the file; E904 to E906, E908, E909, E913 and
    E916 for its tensors; E911, E912 and E914 for the map; E915 for the file's name; E701 for a
    library that is not installed.
    """
    path = Path(path)
    plan = find_plan(network, source, map_file)
    allowed = Allowed(
        missing=allow_missing,
        unused=allow_unused,
        different=allow_different,
        drop_background=drop_background,
    )
    found = renumbered(format_of(path).read(path, plan.names), plan.renumber)
    if not allow_missing:
        _refuse_other(path, network, plan, found)
    tensors, report = take(network, plan, found, allowed)
    return Imported(tensors=tensors, report=report)


def export_weights(
    path: str | Path,
    network: Network,
    tensors: Mapping[str, Array],
    target: str | None = None,
    *,
    map_file: str | Path | None = None,
    allow_missing: bool = False,
    allow_different: bool = False,
    force: bool = False,
) -> Report:
    """Write weights of `network`, by the IR's names, as a file of another library.

    The name's ending says what kind of file. Raises `ArchcError`: E908, E912 and E913 for the
    weights; E911 and E914 for the map; E915 for the file's name; E917 where there is a file that
    `force` does not replace; E603 where it cannot be written; E701 for a library.
    """
    path = Path(path)
    form = format_of(path, to_write=True)
    plan = find_plan(network, target, map_file)
    if form.needs_order and not plan.depth_order:
        raise ArchcError(
            Diagnostic(
                code="E915",
                message="a .weights.h5 has no names but an order, which the map does not say",
                hint="write an .h5 and load it with `load_weights(path, by_name=True)`",
            ),
            exit_code=USAGE_OR_ENVIRONMENT,
        )
    for target_file in form.targets(path):
        refuse_existing(target_file, force=force)
    found, report = give(
        network, plan, tensors, allow_missing=allow_missing, allow_different=allow_different
    )
    named = {first_name(name, plan.renumber): value for name, value in found.items()}
    order = tuple(first_name(f"{layer}/", plan.renumber)[:-1] for layer in plan.depth_order)
    assert form.write is not None
    form.write(path, named, order)
    return report


def _refuse_other(path: Path, network: Network, plan: Plan, found: Collection[str]) -> None:
    """Raise E903 where most names are not those of the source: one error instead of hundreds."""
    known = len(plan.names & set(found))
    if 2 * known >= len(plan.names):
        return
    better, count = fitting(network, found)
    options = listed([f"`--from {source}`" for source in better], "or")
    hint = f"{options} fits {count:,} of the file's" if count > known else None
    strange = next((name for name in found if name not in plan.names), "nothing")
    lacking = next((m.theirs for m in plan.matches if m.theirs and m.theirs not in found), "")
    raise ArchcError(
        Diagnostic(
            code="E903",
            message=f"{path} is not of {plan.title}: {known:,} of {len(plan.names):,} names fit",
            rows=(Row(label="the file has", value=strange), Row(label="it lacks", value=lacking)),
            hint=hint,
        )
    )
