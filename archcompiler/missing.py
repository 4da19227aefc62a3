"""Patches that changed nothing: void, because what they address went, or mistaken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.paths import Paths
from archcompiler.position import Position, Source
from archcompiler.spec import Patch


@dataclass(slots=True)
class Missing:
    """What patches took away or brought in, for those that address it too late or too early."""

    gone: list[tuple[str, int]] = field(default_factory=list)
    """Paths, and the order of what replaced or removed all below them."""
    takers: dict[tuple[str, Source], Patch] = field(default_factory=dict)
    """By path and file, the last patch that replaced or removed what was there."""
    away: dict[str, Row] = field(default_factory=dict)
    """By path, the patch that removed, replaced or renamed what was there."""
    repeats: dict[str, Position] = field(default_factory=dict)
    """By path of a repeated layer, where it says how often."""
    templates: dict[str, None] = field(default_factory=dict)
    """The paths of templates that patches could have."""

    def take(self, patch: Patch) -> None:
        """Note that what a patch addresses is gone, and what earlier patches did below it."""
        self.gone.append((patch.path, patch.order))
        self.takers[patch.path, patch.position.source] = patch
        self.away[patch.path] = Row(label=f"{patch.verb}d", position=patch.position)

    def is_void(self, patch: Patch, heads: Sequence[str]) -> bool:
        """Tell whether what a patch addresses was replaced or removed by what comes later."""
        first = patch.path.partition("/")[0]
        trunk = first != "blocks" and first not in heads
        for path, order in self.gone:
            if order <= patch.order:
                continue
            inside = path.rstrip("/")
            if path in ("stem", "body"):
                if trunk:
                    return True
            elif patch.path.startswith(f"{inside}/") or patch.path == path:
                return True
        return False

    def undone(self, patch: Patch) -> Patch | None:
        """Return a later patch of the same file that takes away all that a patch changed."""
        around = [patch.path] if patch.verb == "set" else []
        around += (patch.path[:n] for n, letter in enumerate(patch.path) if letter == "/")
        for path in around:
            taker = self.takers.get((path, patch.position.source))
            if taker and taker.order > patch.order:
                return taker
        return None

    def report_undone(self, patch: Patch, taker: Patch, report: Report) -> None:
        """Say that nothing is left of what a patch did."""
        code = "E310" if patch.by_command_line else "E318"
        row = Row(label=f"{taker.verb}d", position=taker.position)
        message = f"a later patch of this file takes `{patch.path}` away again"
        hint = "remove this patch, or the later one"
        report.error(code, message, patch.position, rows=[row], hint=hint)

    def report(self, patch: Patch, paths: Paths, unused: Collection[str], report: Report) -> None:
        """Say that a path names nothing that its patch could change; `unused` are blocks."""
        path = patch.path
        parts = path.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        taken = next((self.away[p] for p in above if p in self.away), None)
        inner = [p for p in paths.shown if p.startswith(f"{path}/")]
        known = list(self.templates) if path.startswith("blocks/") else paths.shown
        counts = (self.repeats.get(p.rpartition("_")[0]) for p in above if p not in known)
        row = taken or next((Row(label="repeated", position=at) for at in counts if at), None)
        message, hint = f"there is no layer `{path}`", None
        if path.startswith("blocks/") and parts[1] in unused:
            message, hint = f"no layer uses the block `{parts[1]}`", "remove the patch"
        elif path in known:
            message, hint = f"there is no layer `{path}` yet", "a later patch brings it in"
        elif inner:
            message, hint = f"`{path}` is no layer", f"name a layer in it, as `{inner[0]}`"
        elif parts[0] == "block" and len(parts) > 1:
            hint = f"templates are under `blocks/{'/'.join(parts[1:])}`"
        elif not taken:
            ends = [p for p in known if p.lower().endswith(f"/{path.lower()}")]
            hint = f"did you mean `{ends[0]}`?" if ends else did_you_mean(path, known)
        code = "E310" if patch.by_command_line else "E318"
        report.error(code, message, patch.position, rows=[row] if row else (), hint=hint)
