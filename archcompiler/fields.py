"""The value types of attributes: how each is written, checked, and written back.

A type is a pydantic annotation plus `Says`: the one sentence an error uses for it and its JSON
schema. Every type has exactly one notation for people and files (`1x7`, never `[1, 7]`); the same
adapters read a spec and the IR's JSON.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

Shape = tuple[int, ...]
"""Height x width x channels, or channels alone; never a batch."""

Size = tuple[int, int]
Pads = tuple[int, int, int, int]
"""Top, bottom, left, right."""

MAX_COUNT = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Says:
    """What a type expects, in words for people and as JSON schema for editors."""

    sentence: str
    schema: Mapping[str, Any]


class WrongValue(ValueError):
    """Raised by the parsers below; the adapter's sentence says what was expected."""


def shape_text(shape: Shape) -> str:
    """Write a shape as people do: `35x35x256`, or `1000` for a vector."""
    return "x".join(map(str, shape))


def size_text(size: Size) -> int | str:
    """Write a size as `3` or `1x7`."""
    return size[0] if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _parse_size(value: object, least: int = 1) -> Size:
    if isinstance(value, int) and not isinstance(value, bool):
        sizes = (value, value)
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}x[0-9]{1,9}", value):
        height, width = value.split("x")
        sizes = (int(height), int(width))
    elif isinstance(value, tuple) and len(value) == 2:
        sizes = cast(Size, value)
    else:
        raise WrongValue
    if not all(least <= n <= MAX_COUNT for n in sizes):
        raise WrongValue
    return sizes


def _parse_kernel(value: object) -> Size | Literal["map"]:
    return "map" if value == "map" else _parse_size(value)


def _parse_shape(value: object) -> Shape:
    if isinstance(value, int) and not isinstance(value, bool):
        shape: Shape = (value,)
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}x[0-9]{1,9}x[0-9]{1,9}", value):
        shape = tuple(int(n) for n in value.split("x"))
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        shape = (int(value),)
    elif isinstance(value, tuple):
        shape = value
    else:
        raise WrongValue
    if not all(1 <= n <= MAX_COUNT for n in shape):
        raise WrongValue
    return shape


def _parse_padding(value: object) -> Pads | Literal["same", "valid"]:
    if value == "same" or value == "valid":
        return value
    if isinstance(value, list | tuple):
        if len(value) != 4 or not all(type(n) is int and 0 <= n <= MAX_COUNT for n in value):
            raise WrongValue
        top, bottom, left, right = value
        pads = (top, bottom, left, right)
    else:
        height, width = _parse_size(value, least=0)
        pads = (height, height, width, width)
    return pads if any(pads) else "valid"


def _padding_text(value: Pads | str) -> object:
    if isinstance(value, str):
        return value
    top, bottom, left, right = value
    return size_text((top, left)) if (top, left) == (bottom, right) else list(value)


_SIZE_SCHEMA = {
    "oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+x[0-9]+$"}]
}


@dataclass(frozen=True, slots=True)
class Init:
    """An initialiser: its kind and, by kind, its number, fan mode and distribution.

    `truncated_normal` is cut at two standard deviations. `variance_scaling` draws with variance
    value / n, n being the fan that `mode` names (He et al., arXiv 1502.01852); `glorot_*` is the
    case value = 1 of fan_avg (Glorot and Bengio, 2010), `he_*` the case value = 2 of fan_in.
    """

    kind: str
    value: float | None = None
    mode: str | None = None
    distribution: str | None = None


INIT_WORDS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "zeros", "ones")
INIT_NUMBERS = ("truncated_normal", "normal", "uniform", "constant", "variance_scaling")
FAN_MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


def _parse_init(value: object) -> Init:
    if isinstance(value, Init):
        return value
    if isinstance(value, str) and value in INIT_WORDS:
        return Init(value)
    if not isinstance(value, dict) or not value:
        raise WrongValue
    options = dict(value)
    kinds = [k for k in options if k in INIT_NUMBERS]
    if len(kinds) != 1:
        raise WrongValue
    kind = kinds[0]
    number = options.pop(kind)
    if type(number) not in (int, float) or not math.isfinite(number):
        raise WrongValue
    if kind != "constant" and number <= 0:
        raise WrongValue
    if kind != "variance_scaling":
        if options:
            raise WrongValue
        return Init(kind, float(number))
    mode = options.pop("mode", "fan_in")
    distribution = options.pop("distribution", "truncated_normal")
    if options or mode not in FAN_MODES or distribution not in DISTRIBUTIONS:
        raise WrongValue
    return Init(kind, float(number), mode, distribution)


def _init_text(init: Init) -> object:
    if init.value is None:
        return init.kind
    options: dict[str, object] = {init.kind: init.value}
    if init.mode is not None:
        options |= {"mode": init.mode, "distribution": init.distribution}
    return options


@dataclass(frozen=True, slots=True)
class Width:
    """Scales the filters of a convolution to max(int(filters * multiplier), minimum)."""

    multiplier: float
    minimum: int = 1

    def scale(self, filters: int) -> int:
        """Return the effective number of filters."""
        return max(int(filters * self.multiplier), self.minimum)


def _parse_width(value: object) -> Width | None:
    if value == "none":
        return None
    if isinstance(value, Width):
        return value
    if not isinstance(value, dict) or not {"multiplier"} <= set(value) <= {"multiplier", "minimum"}:
        raise WrongValue
    multiplier, minimum = value["multiplier"], value.get("minimum", 1)
    if type(multiplier) not in (int, float) or not 0 < multiplier <= MAX_COUNT:
        raise WrongValue
    if type(minimum) is not int or not 1 <= minimum <= MAX_COUNT:
        raise WrongValue
    return Width(float(multiplier), minimum)


def _word_or_none(value: object) -> object:
    return None if value == "none" else value


_COUNT = {"type": "integer", "minimum": 1}

Count = Annotated[
    int, Field(strict=True, ge=1, le=MAX_COUNT), Says("a whole number of at least 1", _COUNT)
]
Flag = Annotated[bool, Field(strict=True), Says("true or false", {"type": "boolean"})]
Number = Annotated[
    float, Field(strict=True, allow_inf_nan=False), Says("a number", {"type": "number"})
]
Positive = Annotated[
    float,
    Field(strict=True, gt=0, allow_inf_nan=False),
    Says("a number above 0", {"type": "number", "exclusiveMinimum": 0}),
]
NotNegative = Annotated[
    float,
    Field(strict=True, ge=0, allow_inf_nan=False),
    Says("a number of at least 0", {"type": "number", "minimum": 0}),
]
Share = Annotated[
    float,
    Field(strict=True, ge=0, lt=1),
    Says("a number from 0 to below 1", {"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
]
SizeField = Annotated[
    tuple[int, int],
    BeforeValidator(_parse_size),
    PlainSerializer(size_text),
    Says("a size like 3 or 1x7", _SIZE_SCHEMA),
]
KernelField = Annotated[
    tuple[int, int] | Literal["map"],
    BeforeValidator(_parse_kernel),
    PlainSerializer(lambda k: k if k == "map" else size_text(k)),
    Says(
        "a size like 3 or 1x7, or `map` for the whole map",
        {"oneOf": [*_SIZE_SCHEMA["oneOf"], {"const": "map"}]},
    ),
]
ShapeField = Annotated[
    tuple[int, ...],
    BeforeValidator(_parse_shape),
    PlainSerializer(lambda s: s[0] if len(s) == 1 else shape_text(s)),
    Says(
        "a shape like 35x35x256, or 1000 for a vector",
        {"oneOf": [_COUNT, {"type": "string", "pattern": "^[0-9]+x[0-9]+x[0-9]+$"}]},
    ),
]
MapField = Annotated[
    tuple[int, int, int],
    BeforeValidator(_parse_shape),
    PlainSerializer(shape_text),
    Says(
        "height x width x channels like 299x299x3",
        {"type": "string", "pattern": "^[0-9]+x[0-9]+x[0-9]+$"},
    ),
]
PaddingField = Annotated[
    Literal["same", "valid"] | tuple[int, int, int, int],
    BeforeValidator(_parse_padding),
    PlainSerializer(_padding_text),
    Says(
        "`same`, `valid`, a size like 1 or 0x3, or [top, bottom, left, right]",
        {
            "oneOf": [
                {"enum": ["same", "valid"]},
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^[0-9]+x[0-9]+$"},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0},
                    "minItems": 4,
                    "maxItems": 4,
                },
            ]
        },
    ),
]
Activation = Literal["relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "softmax"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
ActivationField = Annotated[
    Activation | None,
    BeforeValidator(_word_or_none),
    PlainSerializer(lambda a: a or "none"),
    Says(
        f"one of {', '.join(ACTIVATIONS)} or none",
        {"enum": [*ACTIVATIONS, "none"]},
    ),
]
InitField = Annotated[
    Init,
    BeforeValidator(_parse_init),
    PlainSerializer(_init_text),
    Says(
        "an initialiser like {truncated_normal: 0.1}, {variance_scaling: 2.0, mode: fan_in}, "
        "{constant: 0.2} or glorot_uniform",
        {
            "oneOf": [
                {"enum": list(INIT_WORDS)},
                {
                    "type": "object",
                    "properties": {
                        **{kind: {"type": "number"} for kind in INIT_NUMBERS},
                        "mode": {"enum": list(FAN_MODES)},
                        "distribution": {"enum": list(DISTRIBUTIONS)},
                    },
                    "additionalProperties": False,
                },
            ]
        },
    ),
]
WidthField = Annotated[
    Width | None,
    BeforeValidator(_parse_width),
    PlainSerializer(lambda w: {"multiplier": w.multiplier, "minimum": w.minimum} if w else "none"),
    Says(
        "{multiplier: 0.5, minimum: 16} or none",
        {
            "oneOf": [
                {"const": "none"},
                {
                    "type": "object",
                    "properties": {"multiplier": {"type": "number"}, "minimum": _COUNT},
                    "required": ["multiplier"],
                    "additionalProperties": False,
                },
            ]
        },
    ),
]


def says(annotation: object) -> Says:
    """Return the sentence and schema of one of the types above."""
    return next(m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Says))


@functools.cache
def adapter(annotation: Any) -> TypeAdapter[Any]:
    """Return the pydantic adapter of a type, built on first use (building costs most)."""
    return TypeAdapter(annotation)


def check(annotation: object, value: object) -> object:
    """Validate one value. Raises `WrongValue` with one sentence, whatever pydantic found."""
    try:
        return adapter(annotation).validate_python(value)
    except (ValidationError, WrongValue):
        raise WrongValue(f"expected {says(annotation).sentence}, got {plain(value)}") from None


def write(annotation: object, value: object) -> Any:
    """Return the value as a spec or the IR's JSON writes it."""
    return adapter(annotation).dump_python(value)


def plain(value: object) -> str:
    """Show a value in an error as YAML would write it, at most 40 characters."""
    words = {True: "true", False: "false", None: "null"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
