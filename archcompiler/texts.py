"""A spec as it is read, before patches: what stands at each path, and what patches may call it.

A layer of a block has the path of its template, too, and a copy of a repeated layer that of the
layer as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archcompiler.paths import NUMBERED, join
from archcompiler.position import Position
from archcompiler.spec import Layer, Spec


@dataclass(frozen=True, slots=True)
class Text:
    """What the file says at a path before patches: a section, block, head, branch or layer."""

    what: str
    position: Position
    layer: Layer | None = None


@dataclass(slots=True)
class Texts:
    """The paths of a spec as it was read."""

    spec: Spec
    written: dict[str, Text] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = self.spec
        for name, section in (("stem", spec.stem), ("body", spec.body)):
            self._note(name, "section", section)
            self._read_inside(section, "")
        for head in spec.heads:
            self._note(head.name.text, "head", head.layer)
            self._read_inside(head.layer, head.name.text)
        for block in spec.blocks.values():
            path = f"blocks/{block.name}"
            self.written[path] = Text("block", block.name.position, block.layer)
            self._read_inside(block.layer, path)

    def of(self, path: str) -> tuple[str, ...]:
        """Return what patches may call what is at a path: its block's names first, its own last."""
        *_, found = self.along(path.split("/"))
        return found

    def along(self, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Yield what `of` returns for the first of some names, for the first two, and so on."""
        found = [""]
        for name in names:
            inner: dict[str, None] = {}
            for start in found:
                for own in self._names(start, name):
                    here = join(start, own)
                    known = self.written.get(here)
                    if known and known.layer and known.layer.block:
                        inner.setdefault(f"blocks/{known.layer.block}")
                    inner.setdefault(here)
            found = [*inner]
            yield tuple(found)

    def _names(self, start: str, name: str) -> Iterator[str]:
        """Yield the name of a copy's original, and the name itself."""
        numbered = NUMBERED.fullmatch(name)
        if numbered and join(start, name) not in self.written:
            known = self.written.get(join(start, numbered[1]))
            if known and known.layer and known.layer.repeat:
                yield numbered[1]
        yield name

    def _note(self, path: str, what: str, layer: Layer) -> None:
        self.written.setdefault(path, Text(what, layer.position, layer))

    def _read_inside(self, layer: Layer, prefix: str) -> None:
        waiting = [(layer, prefix)]
        while waiting:
            outer, start = waiting.pop()
            for branch in outer.branches:
                path = join(start, branch.name.text)
                if branch.single:
                    self._note(path, "layer", branch.layers[0])
                    waiting.append((branch.layers[0], path))
                    continue
                self.written.setdefault(path, Text("branch", branch.name.position))
                waiting += self._listed(branch.layers, path)
            waiting += self._listed(outer.layers, start)

    def _listed(self, layers: tuple[Layer, ...], start: str) -> Iterator[tuple[Layer, str]]:
        for layer in layers:
            copies = layer.repeat.value if layer.repeat else None
            named = [layer.name] if layer.name else copies if isinstance(copies, list) else []
            for name in named:
                path = join(start, name.text)
                what = "repeated layer" if layer.repeat and layer.name else "layer"
                self._note(path, what, layer)
                yield layer, path
            if not named:
                yield layer, start
