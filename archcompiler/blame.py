"""Who is to blame: errors in what a spec extends name the patch, or the line that extends it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.errors import Diagnostic, Row
from archcompiler.position import Position, Source
from archcompiler.rewrite import has_null
from archcompiler.spec import Layer, Patch

UNSETS = ("E306", "E307", "E309")
"""Errors for what is left out: where a patch changed the layer, it may have left it out."""

OF_SIZES = ("E404", "E411")
"""Errors for maps that are too small or too large: the input may be the cause."""

OF_ITS_FILE = ("E318",)
"""Errors of patches, which only the file with the patches can mend, be it a base or not."""

MOST_LIKELY = 3
"""So many patches are named that may be behind an error."""


@dataclass(slots=True)
class Told:
    """The patches that set something of a layer, by its place."""

    patched: dict[Position, list[Row]] = field(default_factory=dict)
    taking: set[Row] = field(default_factory=set)
    """Those that take something back."""

    def note(self, layer: Layer, patch: Patch) -> None:
        """Note that a patch sets something of a layer."""
        row = edit_row(patch)
        rows = self.patched.setdefault(layer.position, [])
        rows += [row] if row not in rows[-1:] else []
        if any(map(has_null, patch.entries.values())):
            self.taking.add(row)


@dataclass(frozen=True, slots=True)
class Blame:
    """What a spec extends and patches, for errors that show in another file or layer."""

    bases: Collection[Source] = frozenset()
    extends: Position | None = None
    """Where the spec says what it extends."""
    patched: Mapping[Position, Sequence[Row]] = field(default_factory=dict)
    """By place of a layer, the patches that set something of it."""
    taking: Collection[Row] = ()
    """Those of them that take something back."""
    input: Row | None = None
    """The input, if the spec itself or the command line says it."""
    patches: Sequence[Row] = ()
    """All patches of the spec itself and of the command line: what they do, and their paths."""

    def told(self, found: Diagnostic) -> Diagnostic:
        """Add to an error the patches of the layers that it points at.

        Where that shows nothing but bases, add the patches that it may come from, or the `extends`.
        """
        found = self._own_first(found)
        places = [p for p in (found.position, *(row.position for row in found.rows)) if p]
        patches = [row for at in places for row in self.patched.get(at, ())]
        rows = tuple(row for row in dict.fromkeys(patches) if row not in found.rows)
        hint = found.hint
        if found.code in UNSETS and any(row in self.taking for row in rows):
            hint = "null there takes away what is needed; leave it, or give another"
        named = {row.position for row in rows}
        own = tuple(row for row in found.rows if row.value or row.position not in named)
        if hint and found.position and found.position.source in self.bases and self.extends:
            at_fault = found.position if found.code in OF_ITS_FILE else self.extends
            hint = _elsewhere(hint, at_fault.source)
        found = dataclasses.replace(found, rows=own)
        places += [row.position for row in rows if row.position]
        if places and self.extends and all(p.source in self.bases for p in places):
            rows += self._likely(found, self.extends)
        return dataclasses.replace(found, rows=(*found.rows, *rows), hint=hint)

    def _own_first(self, found: Diagnostic) -> Diagnostic:
        """Let an error about two names point at the one that is not a base's."""
        if found.code != "E305" or not found.position or not found.rows:
            return found
        at, other = found.position, found.rows[0].position
        if at.source not in self.bases or other is None or other.source in self.bases:
            return found
        row = dataclasses.replace(found.rows[0], label="other", position=at)
        return dataclasses.replace(found, position=other, rows=(row, *found.rows[1:]))

    def _likely(self, found: Diagnostic, extends: Position) -> tuple[Row, ...]:
        """Return the patches of what an error talks about; else all, where they are few."""
        text = " ".join((found.message, *(row.label for row in found.rows)))
        words = set(re.findall(r"\w+", text))
        near = [row for row in self.patches if _root(row.value) in words]
        few = self.patches if len(self.patches) <= MOST_LIKELY else ()
        cause = self.input if found.code in OF_SIZES else None
        others = (*few, cause or Row(label="extended at", position=extends))
        return tuple(near[:MOST_LIKELY]) or others


def _elsewhere(hint: str, file: Source) -> str:
    """Return a hint for what a spec extends as one for a file: mostly the spec's own."""
    hint = _HERE.sub("say it once: ", hint)
    return f"in {file.shown}: {hint}" if _DO.match(hint) else hint


_HERE = re.compile(r"^add `[^`]*` here, or once: ")
_DO = re.compile(r"(add|drop|leave|list|make|name|put|refer|remove|replace|say|take|write) ")
"""Hints that tell what to do to a file."""


def _root(path: str) -> str:
    """Return the layer or block that a patch's path begins with."""
    first, _, rest = path.partition("/")
    return rest.partition("/")[0] if first == "blocks" else first


_DONE = {"set": "patched", "remove": "removed", "replace": "replaced"}


def edit_row(patch: Patch) -> Row:
    """Return what a patch does, to which path, and where it says so."""
    word = "changed" if patch.by_command_line else _DONE.get(patch.verb, "inserted")
    return Row(label=word, value=patch.path, position=patch.position)
