"""Writes lists of random layers that are right, knowing every shape as it writes.

Ops and their attributes come from `OPS`. What an op refuses is drawn again, so an op's own
constraints are all that the writer knows of it.
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from spec_scope import Defaults, Place, is_small, shape_of
from spec_values import draw, options

from archcompiler.fields import Shape, shape_text
from archcompiler.op import Op, attributes, required
from archcompiler.ops import OPS
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.conv import Conv
from archcompiler.ops.convolution import Depthwise
from archcompiler.ops.dense import Dense
from archcompiler.ops.layer_norm import LayerNorm
from archcompiler.ops.max_pool import MaxPool
from archcompiler.ops.pad import Pad
from archcompiler.ops.unit import Unit

Layer = dict[str, Any]
Made = tuple[list[Layer], Shape]
"""Layers, and what the last of them gives."""

SINGLE = tuple(op for op in OPS if not op.several_inputs)
JOINS = tuple(op for op in OPS if op.several_inputs)
WEIGHTS = [4 if issubclass(op, Unit) else 1 for op in SINGLE]
"""How likely each op is: those with weights have the most attributes."""
TRIES = 12
NOT_INHERITED = frozenset({"kernel", "groups", "dilation", "multiplier"})
"""Attributes that, said for all layers at once, would stop most networks."""


class LayerWriter(ABC):
    """Writes layers; `budget` is how many are left, apart from those that a join must have."""

    def __init__(self, chance: random.Random, budget: int) -> None:
        self.chance, self.budget = chance, budget

    @abstractmethod
    def instance(self, shape: Shape, place: Place) -> Made | None:
        """Write a use of a block."""

    def likely(self, share: float) -> bool:
        """Return true with this probability."""
        return self.chance.random() < share

    def defaults(self, share: float) -> Defaults:
        """Draw defaults for about this share of the ops."""
        found = {}
        for op in OPS:
            given = options(self.chance, op, 0.4) if self.likely(share) else {}
            unwanted = NOT_INHERITED | {op.main} | ({"stride"} if issubclass(op, Unit) else set())
            found[op.key] = {k: v for k, v in given.items() if k not in unwanted}
        return {key: given for key, given in found.items() if given}

    # Lists

    def layers(self, shape: Shape, place: Place, count: int) -> Made:
        """Write up to so many layers one after the other."""
        found: list[Layer] = []
        for _ in range(count):
            made = self.layer(shape, place) if self.budget > 0 else None
            if made:
                found += made[0]
                shape = made[1]
        return found, shape

    def layer(self, shape: Shape, place: Place) -> Made | None:
        """Write a layer of any kind, or several that belong together; None where it cannot."""
        kinds = [self.any_op] * 8 + [self.join] * 3
        if place.depth > 0:
            kinds += [self.group, self.fork, self.fork, self.split, self.residual]
            kinds += [self.instance] * (3 if place.is_top else 6)
        return self.chance.choice(kinds)(shape, place)

    # Ops

    def any_op(self, shape: Shape, place: Place) -> Made | None:
        """Write a layer of any op that takes the shape."""
        for _ in range(TRIES):
            (op,) = self.chance.choices(SINGLE, WEIGHTS)
            made = self.op(op, shape, place)
            if made:
                return made
        return None

    def op(
        self,
        op: type[Op],
        shape: Shape,
        place: Place,
        *,
        alone: bool = False,
        **fixed: object,
    ) -> Made | None:
        """Write a layer of an op; what it is not told is drawn until the op takes it.

        `alone` wants one layer with a name, for others to refer to.
        """
        for _ in range(TRIES):
            written, values = self.attributes(op, place, fixed)
            # TensorFlow has no convolution with both, and no depthwise one whose strides differ; a
            # few are left to find it saying so.
            both = "stride" in values and values.get("dilation", 1) != 1
            uneven = issubclass(op, Depthwise) and isinstance(values.get("stride"), str)
            result = shape_of(op, values, place.defaults, (shape,))
            if result is None or ((both or uneven) and self.likely(0.95)):
                continue
            # A layer norm of one channel is its beta, but for what float32 leaves of x - x.
            norm = values.get("norm", place.defaults.get(op.key, {}).get("norm"))
            if result[-1] == 1 and (op is LayerNorm or (norm and "layer_norm" in str(norm))):
                continue
            self.budget -= 1
            layer = {op.key: written.pop(op.main, None) if op.main else None, **written}
            names = self.names(op, place, alone=alone)
            if len(names) > 1 and "map" not in values.values():
                results = [result]
                for _ in names[1:]:
                    again = shape_of(op, values, place.defaults, (results[-1],))
                    if again is None:
                        break
                    results.append(again)
                if len(results) == len(names):
                    return self.repeated(layer, names, results, place)
            return self.called(layer, names[0] if names else "", result, place), result
        return None

    def attributes(
        self, op: type[Op], place: Place, fixed: Mapping[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Draw attributes; return them as they are written, and as the values that they have."""
        written: dict[str, object] = {}
        values: dict[str, object] = {}
        inherited = place.defaults.get(op.key, {})
        for name, annotation in attributes(op).items():
            must = name == op.main or (name in required(op) and name not in inherited)
            if name in fixed:
                values[name] = written[name] = fixed[name]
                if name == op.main and isinstance(fixed[name], int):
                    written[name] = place.written(self.chance, fixed[name])
            elif must or self.likely(0.3):
                known = place.expressions(annotation)
                if known and self.likely(0.35):
                    written[name], values[name] = self.chance.choice(known)
                else:
                    values[name] = written[name] = draw(op, name)(self.chance)
        return written, values

    def names(self, op: type[Op], place: Place, *, alone: bool) -> list[str]:
        """Return the names of a layer's copies: mostly one; none for a layer without a name."""
        if not (alone or op.weights is not Op.weights or self.likely(0.6)):
            return []
        count = 1 if alone or self.likely(0.9) else self.chance.randint(2, 3)
        return [place.name(op.key) for _ in range(count)]

    def repeated(
        self, layer: Layer, names: Sequence[str], shapes: Sequence[Shape], place: Place
    ) -> Made:
        """Repeat a layer, by a number or by names."""
        layer = dict(layer)
        if self.likely(0.5):
            layer["repeat"] = list(names)
        else:
            layer |= {"repeat": len(names), "name": names[0]}
            names = [f"{names[0]}_{number}" for number in range(1, len(names) + 1)]
        place.frames[0].update(zip(names, shapes, strict=True))
        return [self.marked(layer, place)], shapes[-1]

    def called(self, layer: Layer, name: str, shape: Shape, place: Place) -> list[Layer]:
        """Give a layer its name, if it has one."""
        if not name:
            return [layer]
        place.frames[0][name] = shape
        return [self.marked({**layer, "name": name}, place)]

    def marked(self, layer: Layer, place: Place, share: float = 0.25) -> Layer:
        """Make a layer an end point, or none, now and then."""
        if place.is_top:
            return {**layer, "end_point": False} if self.likely(0.08) else layer
        return {**layer, "end_point": True} if self.likely(share) else layer

    # Joins

    def join(self, shape: Shape, place: Place) -> Made | None:
        """Write a layer, another that reads some earlier value, and one that joins them."""
        first = self.op(self.chance.choice(SINGLE), shape, place, alone=True)
        if first is None:
            return None
        frame = place.frames[0]
        names = dict(frame)
        layers, target = first
        name, op = layers[-1]["name"], self.chance.choice(JOINS)
        known = {k: v for k, v in place.known().items() if len(v) == len(target) and k != name}
        takes = [k for k, v in known.items() if shape_of(op, {}, {}, (target, v))]
        sources = [name, self.chance.choice(takes)] if takes and self.likely(0.6) else [name]
        if len(sources) == 1 and known:
            source = self.chance.choice([*known])
            made = self.op(self.chance.choice(SINGLE), known[source], place, alone=True)
            made = made and self.fitted(made, target, place, exactly=op.key == "add")
            if made is None:
                frame.clear()
                frame |= names  # without what is not written
                return first
            made[0][0]["from"] = source
            layers = [*layers, *made[0]]
            sources.append(layers[-1]["name"])
        shapes = {**place.known(), **{name: target}}
        if len(sources) == 1:
            sources *= 2
        self.chance.shuffle(sources)
        result = shape_of(op, {}, {}, tuple(shapes[s] for s in sources))
        if result is None:
            frame.clear()
            frame |= names
            return first
        joined: Layer = {op.key: None, "from": sources}
        title = place.name(op.key)
        frame[title] = result
        return [*layers, self.marked({**joined, "name": title}, place, 0.8)], result

    def fitted(self, made: Made, target: Shape, place: Place, *, exactly: bool) -> Made | None:
        """Add layers that bring a value to a size, and `exactly` to a number of channels.

        The last layer added has a name.
        """
        layers, shape = made
        if len(shape) != len(target):
            return None
        if len(shape) == 1:
            if shape == target or not exactly:
                return made
            more = self.op(Dense, shape, place, alone=True, units=target[0])
            return more and ([*layers, *more[0]], more[1])
        missing = [max(wanted - side, 0) for wanted, side in zip(target, shape, strict=True)][:2]
        if any(missing):
            before = [self.chance.randint(0, n) for n in missing]
            around = [before[0], missing[0] - before[0], before[1], missing[1] - before[1]]
            padded = self.op(Pad, shape, place, alone=True, amount=around)
            if padded is None:
                return None
            layers, shape = [*layers, *padded[0]], padded[1]
        kernel = tuple(side - wanted + 1 for side, wanted in zip(shape[:2], target, strict=False))
        plain = {"kernel": shape_text(kernel), "stride": 1, "padding": "valid", "shrink": False}
        if kernel[0] == kernel[1]:
            plain["kernel"] = kernel[0]
        wrong = exactly and shape[2] != target[2]
        if kernel == (1, 1) and not wrong:
            return layers, shape
        if not wrong and self.likely(0.5):
            pool = self.chance.choice((MaxPool, AvgPool))
            more = self.op(pool, shape, place, alone=True, ceil_mode=False, **plain)
        else:
            plain |= {"dilation": 1, "groups": 1, "width": "none"}
            filters = {"filters": target[2]} if exactly else {}
            more = self.op(Conv, shape, place, alone=True, **filters, **plain)
        return more and ([*layers, *more[0]], more[1])

    # Containers

    def group(self, shape: Shape, place: Place) -> Made | None:
        """Write a group of layers."""
        named, defaults = self.likely(0.6), self.defaults(0.1) if self.likely(0.4) else {}
        inner = place.inner(named=named, defaults=defaults).listing()
        layers, result = self.layers(shape, inner, self.chance.randint(1, 3))
        if not layers:
            return None
        layer: Layer = {"layers": layers} | ({"defaults": defaults} if defaults else {})
        if not named:
            return [layer], result
        name = place.name("group")
        if result == shape and self.likely(0.4):
            return self.repeated(layer, [name, place.name("group")], [shape, shape], place)
        return self.called(layer, name, result, place), result

    def fork(self, shape: Shape, place: Place) -> Made | None:
        """Write a fork whose branches all read the same."""
        return self.branches(shape, place, [shape] * self.chance.randint(2, 3))

    def split(self, shape: Shape, place: Place) -> Made | None:
        """Write a fork whose branches share the channels out."""
        count = min(self.chance.randint(2, 3), shape[-1])
        if count < 2:
            return None
        cuts = [0, *sorted(self.chance.sample(range(1, shape[-1]), count - 1)), shape[-1]]
        shares = [end - start for start, end in itertools.pairwise(cuts)]
        return self.branches(shape, place, [(*shape[:-1], n) for n in shares], split=True)

    def branches(
        self, shape: Shape, place: Place, inputs: Sequence[Shape], *, split: bool = False
    ) -> Made | None:
        """Write a fork: the first branch is free, the others come to its size."""
        named, adds = self.likely(0.5), self.likely(0.4)
        inner = place.inner(named=named)
        found: dict[str, Made] = {}
        target: Shape = ()
        for enters in inputs:
            listing = inner.inner(named=True).listing()
            made = self.layers(enters, listing, self.chance.randint(0, 2))
            if target:
                fit = self.fitted(made, target, listing, exactly=adds)
                made = fit or self.fitted(([], enters), target, listing, exactly=adds) or made
            if target and len(made[1]) != len(target):
                return None
            target = target or made[1]
            found[inner.name("Branch")] = made
        shapes = [made[1] for made in found.values()]
        result = target if adds else (*target[:-1], sum(s[-1] for s in shapes))
        equal = {s if adds else s[:-1] for s in shapes}
        if len(equal) > 1 or not is_small(result):
            return None
        layer: Layer = {"branches": {k: self.single(made[0]) for k, made in found.items()}}
        if adds or self.likely(0.2):
            layer["join"] = "add" if adds else "concat"
        if split:
            shares = [enters[-1] for enters in inputs]
            layer["split"] = {
                k: place.written(self.chance, n) for k, n in zip(found, shares, strict=True)
            }
        return self.called(layer, place.name("fork") if named else "", result, place), result

    def single(self, layers: list[Layer]) -> object:
        """Return a branch of one layer without a list, now and then: it has the branch's name."""
        if len(layers) == 1 and "repeat" not in layers[0] and self.likely(0.5):
            return {k: v for k, v in layers[0].items() if k != "name"}
        return layers

    def residual(self, shape: Shape, place: Place) -> Made | None:
        """Write layers to whose result what entered them is added."""
        named = self.likely(0.5)
        inner = place.inner(named=named)
        listing = inner.inner(named=True).listing()
        made = self.layers(shape, listing, self.chance.randint(1, 2))
        fit = self.fitted(made, shape, listing, exactly=True)
        if fit is None or fit[1] != shape or not fit[0]:
            return None
        branches = {inner.name("Body"): self.single(fit[0]), inner.name("Shortcut"): []}
        layer: Layer = {"branches": branches, "join": "add"}
        if not named:
            return [layer], shape
        name = place.name("residual")
        if self.likely(0.3):
            return self.repeated(layer, [name, place.name("residual")], [shape, shape], place)
        return self.called(layer, name, shape, place), shape
