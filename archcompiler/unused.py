"""What a spec writes and nothing uses: mostly something that was meant has another name."""

from __future__ import annotations

from archcompiler.containers import Containers
from archcompiler.edits import Edits
from archcompiler.errors import Report, Row, did_you_mean, listed
from archcompiler.lost import Lost
from archcompiler.ops import BY_KEY
from archcompiler.overrides import COMMAND_LINE
from archcompiler.paths import Paths
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
    notes = edits.report_unused(paths, unused)
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
