"""Patches that changed nothing: void, because what they address went, or mistaken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from archcompiler.errors import Report, Row
from archcompiler.lost import Lost
from archcompiler.paths import NUMBERED, Paths
from archcompiler.position import Position
from archcompiler.spec import Patch

Gone = dict[str, dict[int, Patch | None]]
"""By path, the order and the patch, if one, of what replaced or removed all from there on.

A path that ends in a slash means what is below it.
"""


@dataclass(slots=True)
class Missing:
    """What patches took away or brought in, for those that address it too late or too early."""

    gone: Gone = field(default_factory=dict)
    undone: dict[int, Patch] = field(default_factory=dict)
    """By order, patches of which a later one of the same file leaves nothing."""
    away: dict[str, Row] = field(default_factory=dict)
    """By path, the patch that removed, replaced or renamed what was there."""
    repeats: dict[str, Position] = field(default_factory=dict)
    """By path of a repeated layer, where it says how often."""
    templates: dict[str, None] = field(default_factory=dict)
    """The paths of templates that patches could have."""
    lost: Lost | None = None
    """What looks for paths that name nothing."""

    def lose(self, path: str, order: int, patch: Patch | None = None) -> None:
        """Note that a file, or a patch, wrote anew or removed what was there."""
        self.gone.setdefault(path, {})[order] = patch

    def take(self, patch: Patch, before: Iterable[Patch] = (), kept: Sequence[str] = ()) -> None:
        """Note that what a patch addresses is gone, and what the patches `before` it did to it.

        What replaces it has the keys `kept` of it.
        """
        self.lose(patch.path, patch.order, patch)
        self.away[patch.path] = Row(label=f"{patch.verb}d", position=patch.position)
        for earlier in before:
            survives = patch.verb == "replace" and not earlier.entries.keys().isdisjoint(kept)
            if earlier.position.source == patch.position.source and not survives:
                self.undone[earlier.order] = patch

    def copies_hint(self, path: str) -> str:
        """Say how to change how often a layer stands of which a path names one copy."""
        numbered = NUMBERED.fullmatch(path)
        if numbered and numbered[1] in self.repeats:
            return f"set `repeat` of the layer as it is written, `{numbered[1]}`"
        return (
            "`repeat` has a list of names there: `{remove: NAME}` takes one away, "
            "`{after: NAME, insert: ...}` adds another"
        )

    def is_void(self, patch: Patch, heads: Collection[str]) -> bool:
        """Tell whether what a patch addresses was replaced or removed by what comes later.

        A later patch of the same file should not do so: that is a mistake in one of them.
        """
        first = patch.path.partition("/")[0]
        around = _around(patch.path)
        if first != "blocks" and first not in heads:
            around += ["stem", "body"]
        source = patch.position.source
        return any(
            order > patch.order and not (taker and taker.position.source == source)
            for path in around
            for order, taker in self.gone.get(path, {}).items()
        )

    def report_undone(self, patch: Patch, taker: Patch, report: Report) -> None:
        """Say that nothing is left of what a patch did."""
        label = "written anew" if taker.verb == "set" else f"{taker.verb}d"
        row = Row(label=label, position=taker.position)
        what = (
            f"`{patch.path}` away again" if patch.verb == "set" else "away what this one brings in"
        )
        message = f"a later patch of this file takes {what}"
        hint = "remove this patch, or the later one"
        report.error("E318", message, patch.position, rows=[row], hint=hint)

    def note(self, patch: Patch, report: Report) -> None:
        """Say that a variant has nothing that a patch of its base could change."""
        report.note("E318", f"there is no layer `{patch.path}` any more", patch.position)

    def report(self, patch: Patch, paths: Paths, unused: Collection[str], report: Report) -> None:
        """Say that a path names nothing that its patch could change; `unused` are blocks."""
        path = patch.path
        parts = path.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        gone = (found for around in _around(path) for found in self.gone.get(around, {}).items())
        if taker := next((taker for order, taker in gone if taker and order > patch.order), None):
            self.report_undone(patch, taker, report)
            return
        assert self.lost is not None
        taken = self.lost.row(path)
        template = path.startswith("blocks/")
        lines = self.lost.lines(path, self.templates if template else paths.shown)
        inner = None if template else next(lines.inside(f"{path}/"), None)
        copies = [m[1] for p in above if (m := NUMBERED.fullmatch(p)) and m[1] in self.repeats]
        repeat = Row(label="repeated", position=self.repeats[copies[0]]) if copies else None
        row = taken or repeat
        message, hint = f"there is no layer `{path}`", None
        if path.startswith("blocks/") and parts[1] in unused:
            message, hint = f"no layer uses the block `{parts[1]}`", "remove the patch"
        elif lines.holds(path):
            message, hint = f"there is no layer `{path}` yet", "a later patch brings it in"
        elif inner:
            message, hint = f"`{path}` is no layer", f"name a layer in it, as `{path}/{inner}`"
        elif parts[0] == "block" and len(parts) > 1:
            hint = f"templates are under `blocks/{'/'.join(parts[1:])}`"
        elif not taken or taken.label == "replaced":
            hint = self.lost.meant(path, lines)
        code = "E310" if patch.by_command_line else "E318"
        report.error(code, message, patch.position, rows=[row] if row else (), hint=hint)


def _around(path: str) -> list[str]:
    """Return the keys of `gone` that mean a path: it, what is around it, and what is below that."""
    parts = path.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts))]
    return [path, *above, *(f"{p}/" for p in above)]
