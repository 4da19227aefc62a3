"""What a spec writes and nothing uses: mostly something that was meant has another name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set

from archcompiler.containers import Containers
from archcompiler.edits import Edits
from archcompiler.errors import Report, Row, did_you_mean, listed
from archcompiler.lost import Lost
from archcompiler.ops import BY_KEY
from archcompiler.overrides import COMMAND_LINE
from archcompiler.paths import Paths
from archcompiler.position import Position
from archcompiler.source import Mapping
from archcompiler.spec import Name, Spec

_IDLE_HINT = {
    False: "remove it: no such layer stands here",
    True: "remove it: what stands here has it from nearer by",
}
"""By whether something nearer is known."""
_HINT = "remove it, or move it under `x-unused:`"


def report_unused(
    spec: Spec, containers: Containers, edits: Edits, paths: Paths, report: Report
) -> int:
    """Report patches, blocks, parameters and defaults that did nothing, once a spec is expanded.

    What a spec extends may have more than the spec uses: of a block, that is a note. Returns how
    many notes there are. Where something failed to expand, it may have used them.
    """
    unused = [name for name in spec.blocks if name not in containers.used_blocks]
    edits.missing.lost = Lost(spec, edits.missing.away)
    notes = _patches(edits, paths, unused, containers.references.failed, report)
    if any(found.severity == "error" for found in report.diagnostics):
        return notes
    for block in unused:
        message, position = f"no layer uses the block `{block}`", spec.blocks[block].name.position
        if position.source in spec.bases:
            report.note("E316", f"{message} any more", position)
            notes += 1
        else:
            report.error("E316", message, position, hint=_HINT)
    # What one run changes may leave without use what the files are right to have.
    by_command_line = any(patch.by_command_line for patch in spec.patches)
    for name in _unread(spec, containers):
        source = name.position.source
        if source not in spec.bases and (source.name == COMMAND_LINE or not by_command_line):
            near = did_you_mean(name.text, [known for known in spec.params if known != name.text])
            message = f"nothing reads the parameter `{name}`"
            report.error("E320", message, name.position, hint=near or _HINT)
    for op, idle in containers.scopes.idle():
        first = next(iter(idle.values()))
        if first.source.name == COMMAND_LINE or not by_command_line:
            written = {n: op if n == BY_KEY[op].main else n for n in idle}
            names = listed([f"`{name}`" for name in written.values()])
            message = f"no layer takes {names} from the defaults of `{op}`"
            nearer = containers.scopes.nearer
            rows = [
                Row(label="nearer by", value=written[name], position=nearer[at])
                for name, at in idle.items()
                if at in nearer
            ]
            report.error("E321", message, first, rows=rows, hint=_IDLE_HINT[bool(rows)])
    for block, param, position in _given_everywhere(edits, containers):
        message = f"every instance of `{block}` gives `{param}` itself"
        hint = f"set it there: `{{set: INSTANCE, with: {{{param}: ...}}}}`"
        report.error("E321", message, position, hint=hint)
    return notes


def _given_everywhere(edits: Edits, containers: Containers) -> Iterator[tuple[str, str, Position]]:
    """Yield the block, name and place of each parameter's default that a patch sets in vain."""
    for patch in edits.patches:
        first, _, block = patch.path.partition("/")
        params = patch.entries.get("params")
        own = patch.position.source not in edits.bases
        if own and first == "blocks" and params and isinstance(params.node, Mapping):
            found = containers.spec.blocks.get(block)
            known = found.params if found else {}
            for name, entry in params.node.entries.items():
                position = entry.node.position
                taken = position in containers.scopes.defaulted
                if name in known and known[name].position == position and not taken:
                    yield block, name, position


def _patches(
    edits: Edits, paths: Paths, blocks: Collection[str], failed: Set[str], report: Report
) -> int:
    """Report patches to layers that there are not, and what later ones leave nothing of.

    What a base patches and its own variant does not have any more is a note; in one of the
    `blocks` that nothing uses any more, it is void; inside of what `failed`, nobody knows. Returns
    how many notes there are.
    """
    heads = {part.partition("/")[2] for part in edits.born if part.startswith("heads/")}
    renamed = {p.path.rpartition("/")[2] for p in edits.patches if "name" in p.entries}
    broken = any(found.severity == "error" for found in report.diagnostics)
    missing, notes = edits.missing, 0
    for patch in edits.patches:
        inherited = patch.position.source in edits.bases
        first, _, rest = patch.path.partition("/")
        idle = inherited and first == "blocks" and rest.partition("/")[0] in blocks
        if taker := missing.undone.get(patch.order):
            missing.report_undone(patch, taker, report)
        elif idle or missing.is_void(patch, heads):
            continue
        elif patch.order in edits.used:
            if not inherited and not broken:
                edits.overwritten.report(patch, renamed, report)
        elif inherited:
            missing.note(patch, report)
            notes += 1
        elif not failed or (first != "blocks" and failed.isdisjoint(patch.path.split("/"))):
            missing.report(patch, paths, blocks, report)
    return notes


def _unread(spec: Spec, containers: Containers) -> list[Name]:
    """Return the parameters of a spec, and of the blocks that it uses, that no expression reads.

    A parameter of a base may go unread: what read it was replaced.
    """
    read = {name for names in containers.scopes.read.values() for name in names} | spec.inherited
    found = [Name(k, position) for k, (_, position) in spec.params.items() if k not in read]
    for block, names in containers.read_params.items():
        params = spec.blocks[block].params
        found += [Name(k, a.position) for k, a in params.items() if k not in names]
    return found
