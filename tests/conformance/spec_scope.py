"""What a random spec's writer knows of the place where it writes: names, shapes, values."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from types import MappingProxyType

from spec_values import complete_norm

from archcompiler import fields
from archcompiler.errors import WrongValue
from archcompiler.fields import Shape, check, says
from archcompiler.op import Op, ShapeError, attributes, read_attributes
from archcompiler.ops.unit import NormField

Defaults = Mapping[str, Mapping[str, object]]
"""Values of attributes, by op."""
NO_DEFAULTS: Defaults = MappingProxyType({})

FLOATS = {says(t) for t in (fields.Number, fields.Positive, fields.NotNegative, fields.Share)}
MOST_VALUES, MOST_PIXELS, MOST_CHANNELS, LONGEST_VECTOR = 1500, 400, 24, 300
"""What a layer may give at most: large maps show nothing that small ones do not, and cost more."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a list of layers stands. `frames` are the names that it sees, nearest list first."""

    enters: Shape
    """What enters the nearest block, head or section: `input` and `$in_channels` mean it."""
    params: Mapping[str, object]
    defaults: Defaults
    depth: int
    frames: tuple[dict[str, Shape], ...] = ()
    taken: set[str] = field(default_factory=set)
    """The names that stand under this path already."""
    is_top: bool = False
    """Whether a named layer is an end point by itself."""

    def inner(self, *, named: bool, defaults: Defaults = NO_DEFAULTS) -> Place:
        """Return the place inside a container, whose names are its own if it has one."""
        return replace(
            self,
            defaults=merged(self.defaults, defaults),
            depth=self.depth - 1,
            taken=set() if named else self.taken,
            is_top=self.is_top and not named,
        )

    def listing(self) -> Place:
        """Return the place of a list's layers, which see the names of this list first."""
        return replace(self, frames=({}, *self.frames))

    def known(self) -> dict[str, Shape]:
        """Return what layers here may refer to, with shapes."""
        found = {"input": self.enters}
        for frame in reversed(self.frames):
            found |= frame
        return found

    def name(self, word: str) -> str:
        """Return a name that is free under this path."""
        number = 1
        while f"{word}{number}" in self.taken:
            number += 1
        self.taken.add(f"{word}{number}")
        return f"{word}{number}"

    def expressions(self, annotation: object) -> list[tuple[str, object]]:
        """Return expressions that this type takes here, with their values."""
        found = {f"${name}": value for name, value in self.params.items()}
        for name, value in (*self.params.items(), ("in_channels", self.enters[-1])):
            if type(value) is int:
                texts = (f"${name} * 2", f"${name} + 1", f"${name} // 2", f"$max({name}, 3)")
                results = (value * 2, value + 1, value // 2, max(value, 3))
                found |= dict(zip(texts, results, strict=True))
        found["$in_channels"] = self.enters[-1]
        return [(text, value) for text, value in found.items() if fits(annotation, value)]

    def written(self, chance: random.Random, number: int) -> object:
        """Write a number, as an expression where one gives it."""
        texts: list[object] = [
            text for text, value in self.expressions(None) if type(value) is int and value == number
        ]
        missing = number - self.enters[-1]
        if missing:
            texts.append(f"$in_channels {'+' if missing > 0 else '-'} {abs(missing)}")
        return chance.choice(texts) if texts and chance.random() < 0.5 else number


@functools.lru_cache(maxsize=10_000, typed=True)
def fits(annotation: object, value: object) -> bool:
    """Tell whether a type takes a value that is not too large for a small network."""
    if annotation is None:
        return type(value) is int and 0 <= value <= 12
    # As a factor or a constant, a large number would make values vanish or explode.
    largest = 2 if says(annotation) in FLOATS else 12
    if type(value) is int and not 0 <= value <= largest:
        return False
    try:
        check(annotation, value)
    except WrongValue:
        return False
    return True


def merged(outer: Defaults, inner: Defaults) -> Defaults:
    """Return defaults with nearer ones on top, attribute by attribute."""
    return {
        key: {**outer.get(key, {}), **inner.get(key, {})}
        for key in (*outer, *(k for k in inner if k not in outer))
    }


def shape_of(
    op: type[Op], own: Mapping[str, object], defaults: Defaults, inputs: tuple[Shape, ...]
) -> Shape | None:
    """Return what a layer gives; None where the op refuses, or where it is too large."""
    values = {**defaults.get(op.key, {}), **own}
    for name, annotation in attributes(op).items():
        if name in values and says(annotation) is says(NormField):
            values[name] = complete_norm(values[name], defaults)
    try:
        found = op.resolve(read_attributes(op, values), inputs).infer(inputs)
    except (ShapeError, WrongValue):
        return None
    return found if is_small(found) else None


def is_small(shape: Shape) -> bool:
    """Tell whether a map or a vector is small enough to go on with."""
    if len(shape) == 1:
        return shape[0] <= LONGEST_VECTOR
    pixels = shape[0] * shape[1]
    return prod(shape) <= MOST_VALUES and pixels <= MOST_PIXELS and shape[2] <= MOST_CHANNELS
