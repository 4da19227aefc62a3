"""Random values of attributes, drawn by the attributes' types: what a new op has is drawn, too."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from archcompiler import fields
from archcompiler.fields import ACTIVATIONS, Says, says, size_text
from archcompiler.initializer import DISTRIBUTIONS, FAN_MODES, INIT_NUMBERS, INIT_WORDS
from archcompiler.op import Op, attributes, required
from archcompiler.ops.unit import NORMS, NormField

Draw = Callable[[random.Random], object]
"""Returns a value as a spec writes it."""


def among(*values: object) -> Draw:
    """Return a draw of one of the values."""
    return lambda chance: chance.choice(values)


def _size(*extents: int) -> Draw:
    def draw(chance: random.Random) -> object:
        height, width = chance.choice(extents), chance.choice(extents)
        return size_text((height, height if chance.random() < 0.5 else width))

    return draw


def _kernel(chance: random.Random) -> object:
    return "map" if chance.random() < 0.08 else _size(1, 2, 3, 3, 4, 5)(chance)


def _numbers(chance: random.Random) -> object:
    """Draw one number for all channels, or a list that mostly fits few of them."""
    values = [chance.choice((-1.5, -0.5, 0.3, 1.0, 1.7)) for _ in range(chance.randint(1, 6))]
    return values if chance.random() < 0.5 else values[0]


def _padding(chance: random.Random) -> object:
    sides = [chance.choice((0, 0, 1, 2)) for _ in range(4)]
    forms = ("same", "same", "valid", chance.randint(0, 2), "{}x{}".format(*sides), sides)
    return chance.choice(forms)


def _init(chance: random.Random) -> object:
    kind = chance.choice((*INIT_WORDS, *INIT_NUMBERS))
    if kind in INIT_WORDS:
        return kind
    if kind != "variance_scaling":
        cut = {"cut": chance.choice((0.2, 1.0, 2.0))} if chance.random() < 0.5 else {}
        cuts = cut if kind == "truncated_normal" else {}
        return {kind: chance.choice((0.1, 0.5, 1.0)), **cuts}
    found: dict[str, object] = {kind: chance.choice((0.5, 1.0, 2.0))}
    if chance.random() < 0.5:
        found["mode"] = chance.choice(FAN_MODES)
    if chance.random() < 0.5:
        found["distribution"] = chance.choice(DISTRIBUTIONS)
    return found


def _width(chance: random.Random) -> object:
    if chance.random() < 0.3:
        return "none"
    found: dict[str, object] = {"multiplier": chance.choice((0.3, 0.5, 1.0, 1.5))}
    return found | ({"minimum": chance.randint(1, 4)} if chance.random() < 0.5 else {})


def _norm(chance: random.Random) -> object:
    key = chance.choice(("none", *NORMS))
    if key == "none" or chance.random() < 0.5:
        return key
    return {key: options(chance, NORMS[key], 0.4)}


def options(chance: random.Random, op: type[Op], share: float) -> dict[str, object]:
    """Return values for about this share of an op's attributes, in any case of none it lacks."""
    return {name: draw(op, name)(chance) for name in attributes(op) if chance.random() < share}


DRAWS: Mapping[Says, Draw] = {
    says(fields.Count): among(1, 2, 3, 4, 5, 6, 8),
    says(fields.Flag): among(True, False),
    says(fields.Number): among(-1.5, -0.5, 0.3, 1.0, 1.7),
    says(fields.Numbers): _numbers,
    says(fields.Positive): among(0.001, 0.1, 0.5, 0.75, 1.0),
    says(fields.NotNegative): among(0.0, 1e-4, 0.01),
    says(fields.Share): among(0.0, 0.3, 0.5, 0.9),
    says(fields.SizeField): _size(1, 1, 2, 2, 3),
    says(fields.KernelField): _kernel,
    says(fields.PaddingField): _padding,
    says(fields.ActivationField): among(*ACTIVATIONS, "none"),
    says(fields.InitField): _init,
    says(fields.WidthField): _width,
    says(NormField): _norm,
}
"""How a value of each type is drawn."""

SPECIAL: Mapping[tuple[str, str], Draw] = {
    # Seldom right by chance alone.
    ("lrn", "size"): among(1, 3, 5),
    ("conv", "groups"): among(1, 2, 2, 3, 4),
    ("depthwise_conv", "multiplier"): among(1, 1, 2, 3),
    ("separable_conv", "multiplier"): among(1, 1, 2, 3),
    # A small constant makes of small values huge ones.
    ("lrn", "k"): among(0.5, 1.0, 2.0),
    ("layer_norm", "epsilon"): among(0.1, 0.5, 1.0),
}
"""Attributes for which a value of their type would be a bad choice."""


def draw(op: type[Op], name: str) -> Draw:
    """Return how values of an attribute are drawn. Raises `KeyError` for a type without a line."""
    special = SPECIAL.get((op.key, name))
    return special or DRAWS[says(attributes(op)[name])]


def complete_norm(norm: object, inherited: Mapping[str, Mapping[str, object]]) -> object:
    """Return a `norm` with the options of the defaults around it."""
    if norm == "none" or norm is None:
        return "none"
    key, own = (norm, {}) if isinstance(norm, str) else next(iter(norm.items()))  # type: ignore[attr-defined]
    return {key: {**inherited.get(key, {}), **own}}


def norm_defaults(chance: random.Random) -> dict[str, dict[str, object]]:
    """Return all options that norms must say."""
    return {
        key: {name: draw(op, name)(chance) for name in required(op)} for key, op in NORMS.items()
    }
