"""The value types of attributes: how each is written, checked, and written back.

A type is an annotation with `Says`: the one sentence an error uses for it, its JSON schema, and the
pydantic-core schema that validates it (pydantic's own adapters cost more to build than a whole
check costs). Every type has exactly one notation for people and files (`1x7`, never `[1, 7]`); the
same validators read a spec and the IR's JSON.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast, get_args

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from archcompiler.errors import WrongValue
from archcompiler.initializer import (
    DISTRIBUTIONS,
    FAN_MODES,
    INIT_NUMBERS,
    INIT_WORDS,
    Init,
    init_text,
    parse_init,
)

Shape = tuple[int, ...]
"""Height x width x channels, or channels alone; never a batch."""

Size = tuple[int, int]
Pads = tuple[int, int, int, int]
"""Top, bottom, left, right."""

MAX_COUNT = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Says:
    """What a type expects: in words for people, as JSON schema for editors, and for pydantic.

    `write` turns a value into what a file holds.
    """

    sentence: str
    schema: Mapping[str, Any]
    core: CoreSchema
    write: Callable[[Any], Any] = lambda value: value


def shape_text(shape: Shape) -> str:
    """Write a shape as people do: `35x35x256`, or `1000` for a vector."""
    return "x".join(map(str, shape))


def macs_text(macs: int) -> str:
    """Write a count of multiply-adds with a unit that fits: `5.713 GMACs`."""
    for unit, name in ((10**9, "GMACs"), (10**6, "MMACs"), (10**3, "kMACs")):
        if macs >= unit:
            return f"{macs / unit:.3f} {name}"
    return f"{macs} MACs"


def size_text(size: Size) -> int | str:
    """Write a size as `3` or `1x7`."""
    return size[0] if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _parse_size(value: object, least: int = 1) -> Size:
    if isinstance(value, int) and not isinstance(value, bool):
        sizes = (value, value)
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}x[0-9]{1,10}", value):
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
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}x[0-9]{1,10}x[0-9]{1,10}", value):
        shape = tuple(int(n) for n in value.split("x"))
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
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
        raise WrongValue(hint="the multiplier is a number above 0")
    if type(minimum) is not int or not 1 <= minimum <= MAX_COUNT:
        raise WrongValue(hint="the minimum is a whole number of at least 1")
    return Width(float(multiplier), minimum)


def _width_text(width: Width | None) -> object:
    return {"multiplier": width.multiplier, "minimum": width.minimum} if width else "none"


Activation = Literal["relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "softmax"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)

_COUNT = {"type": "integer", "minimum": 1}
_NUMBER = {"type": "number"}


def parsed(parse: Callable[[Any], object]) -> CoreSchema:
    """Return the schema of a type that has several forms: one function reads them all."""
    return core_schema.no_info_plain_validator_function(parse)


def _parse_map(value: object) -> Shape:
    shape = _parse_shape(value)
    if len(shape) != 3:
        raise WrongValue
    return shape


def _parse_numbers(value: Any) -> tuple[float, ...]:
    found = value if isinstance(value, list | tuple) else [value]
    if not found or not all(type(n) in (int, float) and math.isfinite(n) for n in found):
        raise WrongValue
    return tuple(map(float, found))


def _parse_activation(value: object) -> str | None:
    if value is None or value == "none":
        return None
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise WrongValue
    return value


Count = Annotated[
    int,
    Says(
        "a whole number of at least 1",
        _COUNT,
        core_schema.int_schema(strict=True, ge=1, le=MAX_COUNT),
    ),
]
Flag = Annotated[
    bool, Says("true or false", {"type": "boolean"}, core_schema.bool_schema(strict=True))
]
Number = Annotated[
    float,
    Says(
        "a number",
        {"type": "number"},
        core_schema.float_schema(strict=True, allow_inf_nan=False),
    ),
]
Numbers = Annotated[
    tuple[float, ...],
    Says(
        "a number, or a list like [0.5, 0.25, 0.5] with one for each channel",
        {"oneOf": [_NUMBER, {"type": "array", "items": _NUMBER, "minItems": 1}]},
        parsed(_parse_numbers),
        lambda n: n[0] if len(n) == 1 else list(n),
    ),
]
Positive = Annotated[
    float,
    Says(
        "a number above 0",
        {"type": "number", "exclusiveMinimum": 0},
        core_schema.float_schema(strict=True, gt=0, allow_inf_nan=False),
    ),
]
NotNegative = Annotated[
    float,
    Says(
        "a number of at least 0",
        {"type": "number", "minimum": 0},
        core_schema.float_schema(strict=True, ge=0, allow_inf_nan=False),
    ),
]
Share = Annotated[
    float,
    Says(
        "a number from 0 to below 1",
        {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        core_schema.float_schema(strict=True, ge=0, lt=1),
    ),
]
SizeField = Annotated[
    tuple[int, int],
    Says("a size like 3 or 1x7", _SIZE_SCHEMA, parsed(_parse_size), size_text),
]
KernelField = Annotated[
    tuple[int, int] | Literal["map"],
    Says(
        "a size like 3 or 1x7, or `map` for the whole map",
        {"oneOf": [*_SIZE_SCHEMA["oneOf"], {"const": "map"}]},
        parsed(_parse_kernel),
        lambda k: k if k == "map" else size_text(k),
    ),
]
ShapeField = Annotated[
    tuple[int, ...],
    Says(
        "a shape like 35x35x256, or 1000 for a vector",
        {"oneOf": [_COUNT, {"type": "string", "pattern": "^[0-9]+x[0-9]+x[0-9]+$"}]},
        parsed(_parse_shape),
        lambda s: s[0] if len(s) == 1 else shape_text(s),
    ),
]
MapField = Annotated[
    tuple[int, int, int],
    Says(
        "height x width x channels like 299x299x3",
        {"type": "string", "pattern": "^[0-9]+x[0-9]+x[0-9]+$"},
        parsed(_parse_map),
        shape_text,
    ),
]
PaddingField = Annotated[
    Literal["same", "valid"] | tuple[int, int, int, int],
    Says(
        "`same`, `valid`, a size like 1 or 1x3, or [top, bottom, left, right]",
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
        parsed(_parse_padding),
        _padding_text,
    ),
]
ActivationField = Annotated[
    Activation | None,
    Says(
        f"one of {', '.join(ACTIVATIONS)} or none",
        {"enum": [*ACTIVATIONS, "none"]},
        parsed(_parse_activation),
        lambda a: a or "none",
    ),
]
InitField = Annotated[
    Init,
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
                        "cut": {"type": "number", "exclusiveMinimum": 0},
                    },
                    "additionalProperties": False,
                },
            ]
        },
        parsed(parse_init),
        init_text,
    ),
]
WidthField = Annotated[
    Width | None,
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
        parsed(_parse_width),
        _width_text,
    ),
]


def says(annotation: object) -> Says:
    """Return the sentence and schema of one of the types above."""
    return next(m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Says))


@functools.cache
def _validator(annotation: object) -> SchemaValidator:
    return SchemaValidator(says(annotation).core)


def check(annotation: object, value: object) -> object:
    """Validate one value. Raises `WrongValue` with one sentence, whatever pydantic found."""
    try:
        return _validator(annotation).validate_python(value)
    except (ValidationError, WrongValue) as error:
        found = error.errors()[0].get("ctx", {}) if isinstance(error, ValidationError) else {}
        hint = getattr(found.get("error", error), "hint", None)
        message = f"expected {says(annotation).sentence}, got {plain(value)}"
        raise WrongValue(message, hint) from None


def write(annotation: object, value: object) -> Any:
    """Return the value as a spec or the IR's JSON writes it."""
    return says(annotation).write(value)


def plain(value: object) -> str:
    """Show a value in an error as YAML would write it, text in quotes, at most 60 characters."""
    text = yaml_text(value, quote="'")
    return text if len(text) <= 60 else f"{text[:57]}..."


def yaml_text(value: object, quote: str = "") -> str:
    """Write a plain value as YAML does on one line."""
    words = {True: "true", False: "false", None: "null"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, float) and not math.isfinite(value):
        return f".{value}".replace(".-", "-.")
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml_text(v, quote) for v in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {yaml_text(v, quote)}' for k, v in value.items())}}}"
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)
