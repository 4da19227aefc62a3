"""How many layers a spec stands for, counted without expanding it, so that a bomb costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from archcompiler.position import Position
from archcompiler.spec import Block, Layer

_DEEPEST = 64
"""Deeper nesting is an error of its own."""


@dataclass(slots=True)
class LayerCount:
    """Counts layers, those of blocks at every use; what an expression repeats counts once."""

    blocks: Mapping[str, Block]
    known: dict[int, tuple[Layer, int]] = field(default_factory=dict)
    """By the identity of layers, which are kept, so that no other gets the same."""

    def of(self, layer: Layer, depth: int = 0) -> int:
        """Return how many layers `layer` expands to at least, its repetitions included."""
        if depth > _DEEPEST:
            return 0
        if id(layer) not in self.known:
            self.known[id(layer)] = layer, 0  # what a block that contains itself adds
            repeat = layer.repeat.value if layer.repeat else 1
            times = len(repeat) if isinstance(repeat, list) else repeat
            once = 1 + self._all(self._inside(layer), depth + 1)
            self.known[id(layer)] = (
                layer,
                once * (times if type(times) is int and times > 0 else 1),
            )
        return self.known[id(layer)][1]

    def over(self, layers: Iterable[Layer], most: int) -> Position | None:
        """Return what makes the layers more than `most`: a repetition, or a layer; or None."""
        count = 0
        for layer in layers:
            count += self.of(layer)
            if count > most:
                cause = self._cause(layer, most)
                return cause.repeat.position if cause.repeat else cause.position
        return None

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
            yield from branch.layers
