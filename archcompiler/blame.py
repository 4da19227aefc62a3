"""Who is to blame: errors in what a spec extends name the patch, or the line that extends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.errors import Diagnostic, Row
from archcompiler.position import Position, Source

UNSETS = ("E306", "E307", "E309")
"""Errors for what is left out: where a patch changed the layer, it may have left it out."""


@dataclass(frozen=True, slots=True)
class Blame:
    """What a spec extends and patches, for errors that show in another file or layer."""

    bases: Collection[Source] = frozenset()
    extends: Position | None = None
    """Where the spec says what it extends."""
    patched: Mapping[Position, Sequence[Row]] = field(default_factory=dict)
    """By place of a layer, the patches that set something of it."""

    def told(self, found: Diagnostic) -> Diagnostic:
        """Add to an error the patches of the layers that it points at, or else the `extends`."""
        places = [p for p in (found.position, *(row.position for row in found.rows)) if p]
        patches = [row for at in places for row in self.patched.get(at, ())]
        rows = tuple(row for row in dict.fromkeys(patches) if row not in found.rows)
        hint = found.hint
        if rows and found.code in UNSETS:
            hint = "the patch takes away what is needed; leave it, or give another"
        places += [row.position for row in rows if row.position]
        if places and self.extends and all(p.source in self.bases for p in places):
            rows += (Row(label="extended at", position=self.extends),)
        return dataclasses.replace(found, rows=(*found.rows, *rows), hint=hint)
