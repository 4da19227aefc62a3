"""What patches call a layer, where it was written before them, and which of them changed it.

A layer of a block has the path of its template, too, and a copy of a repeated layer that of the
layer as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from archcompiler.paths import join
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping
from archcompiler.spec import Layer, Patch, Spec

NUMBERED = re.compile(r"(.+)_[0-9]+")


@dataclass(frozen=True, slots=True)
class Written:
    """What the file says at a path: a section, a block, a head, a branch or a layer."""

    what: str
    position: Position
    entries: dict[str, Entry]
    layer: Layer | None = None


@dataclass(slots=True)
class Addresses:
    """The paths of a spec as it is written, and its patches by path."""

    spec: Spec
    written: dict[str, Written] = field(default_factory=dict)
    patches: dict[str, list[Patch]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = self.spec
        for name, section in (("stem", spec.stem), ("body", spec.body)):
            self._note(name, "section", section)
            self._inside(section, "")
        for head in spec.heads:
            self._note(head.name.text, "head", head.layer)
            self._inside(head.layer, head.name.text)
        for block in spec.blocks.values():
            path = f"blocks/{block.name}"
            at = block.name.position
            self.written[path] = Written("block", at, block.node.entries, block.layer)
            self._inside(block.layer, path)
        for patch in spec.patches:
            self.patches.setdefault(patch.path, []).append(patch)

    def of(self, path: str) -> tuple[str, ...]:
        """Return what patches may call what is at a path: its block's names first, its own last."""
        found = [""]
        for name in path.split("/"):
            inner: dict[str, None] = {}
            for start in found:
                for own in self._names(start, name):
                    here = join(start, own)
                    known = self.written.get(here)
                    if known and known.layer and known.layer.block:
                        inner.setdefault(f"blocks/{known.layer.block}")
                    inner.setdefault(here)
            found = [*inner]
        return tuple(found)

    def changes(self, path: str) -> list[Patch]:
        """Return the patches that set something of what is at a path, in their order."""
        last = max((p.order for p in self.replacements(path)), default=0)
        found = [p for address in self.of(path) for p in self._living(address)]
        found = [p for p in found if p.verb == "set" and p.order > last]
        return sorted(found, key=lambda patch: patch.order)

    def replacements(self, path: str) -> list[Patch]:
        """Return the patches that replaced what is at a path, or what is around it."""
        parts = path.split("/")
        around = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        found = (p for one in around for address in self.of(one) for p in self._living(address))
        return [patch for patch in found if patch.verb == "replace"]

    def removals(self, path: str) -> list[Patch]:
        """Return the patches that removed what the very path names."""
        return [patch for patch in self._living(path) if patch.verb == "remove"]

    def origin(self, path: str) -> Written | None:
        """Return what the file says there before patches; None for what a patch brought in."""
        if self.replacements(path):
            return None
        found = [self.written[a] for a in self.of(path) if a in self.written]
        return next((w for w in reversed(found) if w.what != "block"), found[-1] if found else None)

    def entries(self, path: str, key: str) -> list[tuple[Entry, Patch | None]]:
        """Return who says a key of what is at a path, the last of which won."""
        found: list[tuple[Entry, Patch | None]] = []
        if not self.replacements(path):
            written = (self.written[a].entries for a in self.of(path) if a in self.written)
            found = [(entries[key], None) for entries in written if key in entries]
        return found + [(p.entries[key], p) for p in self.changes(path) if key in p.entries]

    def _living(self, address: str) -> Iterator[Patch]:
        """Yield the patches of an address that what a later file wrote anew did not void."""
        first, _, rest = address.partition("/")
        part = f"blocks/{rest.partition('/')[0]}" if first == "blocks" else f"heads/{first}"
        born = self.spec.born.get(part, self.spec.born.get(first, 0))
        yield from (p for p in self.patches.get(address, ()) if p.order > born)

    def _names(self, start: str, name: str) -> Iterator[str]:
        """Yield the name of a copy's original, and the name itself."""
        numbered = NUMBERED.fullmatch(name)
        if numbered and join(start, name) not in self.written:
            known = self.written.get(join(start, numbered[1]))
            if known and known.layer and known.layer.repeat:
                yield numbered[1]
        yield name

    def _note(self, path: str, what: str, layer: Layer) -> None:
        self.written.setdefault(path, Written(what, layer.position, layer.node.entries, layer))

    def _inside(self, layer: Layer, prefix: str) -> None:
        waiting = [(layer, prefix)]
        while waiting:
            outer, start = waiting.pop()
            for branch in outer.branches:
                path = join(start, branch.name.text)
                if branch.single:
                    self._note(path, "layer", branch.layers[0])
                    waiting.append((branch.layers[0], path))
                    continue
                own = branch.node.entries if isinstance(branch.node, Mapping) else {}
                self.written.setdefault(path, Written("branch", branch.name.position, own))
                waiting += self._listed(branch.layers, path)
            waiting += self._listed(outer.layers, start)

    def _listed(self, layers: tuple[Layer, ...], start: str) -> Iterator[tuple[Layer, str]]:
        for layer in layers:
            copies = layer.repeat.value if layer.repeat else None
            named = [layer.name] if layer.name else copies if isinstance(copies, list) else []
            for name in named:
                path = join(start, name.text)
                self._note(
                    path, "repeated layer" if layer.repeat and layer.name else "layer", layer
                )
                yield layer, path
            if not named:
                yield layer, start
