"""How much a spec stands for, counted without expanding it, so that a bomb costs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field

from archcompiler.position import Position
from archcompiler.spec import Block, Layer, Name, Patch

_COPY = re.compile(r"_[0-9]+$")
_MAKES_LESS = {"block", "branches", "layers", "name", "repeat"}
"""What a `set` can make a layer less by; `name`, as other patches may address the new one."""
_DEEPEST = 64
"""Deeper nesting is an error of its own."""


@dataclass(slots=True)
class LayerCount:
    """Counts layers, those of blocks at every use; what an expression repeats counts once.

    What a patch may make less or nothing, by whatever path it is addressed, counts as nothing.
    """

    blocks: Mapping[str, Block]
    patches: InitVar[Iterable[Patch]] = ()
    patched: set[str] = field(init=False)
    """The last names of the paths of such patches, `conv_3` also as `conv`: it may be a copy."""
    known: dict[int, tuple[Layer, int]] = field(default_factory=dict)
    """By the identity of layers, which are kept, so that no other gets the same."""

    def __post_init__(self, patches: Iterable[Patch]) -> None:
        names = {patch.path.rpartition("/")[2] for patch in patches if _may_make_less(patch)}
        self.patched = names | {_COPY.sub("", name) for name in names}

    def of(self, layer: Layer, depth: int = 0) -> int:
        """Return how many layers `layer` expands to at least, its repetitions included."""
        if depth > _DEEPEST:
            return 0
        if id(layer) not in self.known:
            self.known[id(layer)] = layer, 0  # what a block that contains itself adds
            repeat = layer.repeat.value if layer.repeat else 1
            names = repeat if isinstance(repeat, list) else ()
            times = len(names) or repeat
            if not self._patched(layer.name, *names):
                once = 1 + self._all(self._inside(layer), depth + 1)
                times = times if type(times) is int and times > 0 else 1
                self.known[id(layer)] = layer, once * times
        return self.known[id(layer)][1]

    def given(self, layer: Layer) -> int:
        """Return how many inputs, branches, parameters and defaults one layer is given."""
        defaults = [layer.defaults, *(branch.defaults for branch in layer.branches)]
        parameters = len(layer.arguments)
        if layer.block and (block := self.blocks.get(layer.block.text)):
            defaults.append(block.layer.defaults)
            parameters = max(parameters, len(block.params))
        own = sum(len(values) for said in defaults for values in said.values())
        return len(layer.sources) + len(layer.branches) + parameters + own

    def _patched(self, *names: Name | None) -> bool:
        return any(name is not None and name.text in self.patched for name in names)

    def over(self, layer: Layer, most: int) -> Position | None:
        """Return what makes a layer more than `most`: a repetition, or a layer inside; or None."""
        if self.of(layer) <= most:
            return None
        cause = self._cause(layer, most)
        return cause.repeat.position if cause.repeat else cause.position

    def _cause(self, layer: Layer, most: int) -> Layer:
        """Return the innermost layer that alone is more than `most`."""
        seen: set[int] = set()  # blocks may contain each other in a circle
        while id(layer) not in seen:
            seen.add(id(layer))
            layer = next((one for one in self._inside(layer) if self.of(one) > most), layer)
        return layer

    def _all(self, layers: Iterable[Layer], depth: int) -> int:
        return sum(self.of(layer, depth) for layer in layers)

    def _inside(self, layer: Layer) -> Iterable[Layer]:
        if layer.block and layer.block.text in self.blocks:
            layer = self.blocks[layer.block.text].layer
        yield from layer.layers
        for branch in layer.branches:
            if not self._patched(branch.name):
                yield from branch.layers


def _may_make_less(patch: Patch) -> bool:
    return patch.verb in ("remove", "replace") or not _MAKES_LESS.isdisjoint(patch.entries)
