"""What somebody probably meant by a value that does not fit its attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archcompiler import fields
from archcompiler.errors import WrongValue, did_you_mean

_LONGEST_SIZE = 1_000
_WORDS: dict[str, object] = {
    "yes": True, "on": True, "no": False, "off": False, "linear": "none", "swish": "silu",
    "same_upper": "same", "global": "map", "xavier": "glorot_uniform", "he": "he_normal",
    "kaiming": "he_normal", "msra": "he_normal",
}  # fmt: skip


def suggestion(annotation: object, value: object) -> str | None:
    """Return a hint with a value that fits, or None where none is near."""
    for candidate in _candidates(value):
        try:
            fitting = fields.check(annotation, candidate)
        except WrongValue:
            continue
        return f"write `{fields.yaml_text(fields.write(annotation, fitting))}`"
    if large := _too_large(annotation, value):
        return large
    if isinstance(value, dict) and len(value) == 1 and None in value.values():
        value = next(iter(value))  # `{w}` is a mapping to YAML
    if annotation is fields.MapField and (size := _square(value)):
        return f"write `{size}`"
    if isinstance(value, str):
        if annotation in (fields.MapField, fields.ShapeField) and value.count("x") == 1:
            channels = 3 if annotation is fields.MapField else 64
            return f"the channels are missing, as in `{value}x{channels}`"
        schema = fields.says(annotation).schema
        near = did_you_mean(value, _words(schema))
        is_name = schema.get("type") in ("integer", "number") and value.isidentifier()
        if not near and (is_name or re.fullmatch(r"[A-Za-z_]\w*( *[-+*/%]+ *\w+)+", value)):
            return f"an expression starts with `$`: `${value}`"
        return near
    return None


def _too_large(annotation: object, value: object) -> str | None:
    """Return a hint with the largest number, where a count or a part of a size is larger."""
    most = f"{fields.MAX_COUNT}"
    if type(value) is int and value > fields.MAX_COUNT:
        return f"at most {fields.MAX_COUNT:,}"
    if not isinstance(value, str) or not value.isascii() or len(value) > _LONGEST_SIZE:
        return None
    capped = re.sub("0*([0-9]{10,})", lambda n: min(n[1], most, key=_rank), value)
    if capped == value:
        return None
    try:
        fields.check(annotation, capped)
    except WrongValue:
        return None
    return f"at most {fields.MAX_COUNT:,} each"


def _rank(digits: str) -> tuple[int, str]:
    """Return what orders digits as numbers."""
    return len(digits), digits


def _square(value: object) -> str | None:
    """Return the size of colour images that a number or a height and a width mean."""
    if type(value) is int and 0 < value <= fields.MAX_COUNT:
        return f"{value}x{value}x3"
    if isinstance(value, dict) and {*value} == {"height", "width"}:
        return f"{value['height']}x{value['width']}x3"
    return None


def _candidates(value: object) -> Iterator[object]:
    """Yield other ways to write `value`, the likeliest first."""
    if isinstance(value, str):
        yield from _readings("".join(value.lower().split()))
    elif value is False:
        yield "none"
    elif isinstance(value, float) and value.is_integer():
        yield int(value)
    elif isinstance(value, list) and all(type(v) is int for v in value):
        yield "x".join(map(str, value))
    elif isinstance(value, dict) and list(value) == ["height", "width"]:
        yield f"{value['height']}x{value['width']}"
    elif isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        if isinstance(inner, dict) and len(inner) == 1:
            yield {key: next(iter(inner.values()))}
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    if type(value) is int and value in (0, 1):
        yield bool(value)
    if type(value) in (int, float):
        yield {"multiplier": value}


def _readings(word: str) -> Iterator[object]:
    yield word
    if re.fullmatch(r"[0-9]{1,10}", word):
        yield int(word)
    if re.fullmatch(r"[0-9]{1,3}%", word):
        yield int(word[:-1]) / 100
    if word in _WORDS:
        yield _WORDS[word]
    yield word.replace("xavier", "glorot").replace("kaiming", "he")
    yield word.replace("-", "_")
    yield word.strip("()").replace(",", "x")
    if re.fullmatch(r"[0-9]{1,10}(x[0-9]{1,10}){3}", word):
        yield [int(n) for n in word.split("x")]


def _words(schema: Any) -> list[str]:
    """Return the words that a type's schema allows."""
    found = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    for part in schema.get("oneOf", ()):
        found += _words(part)
    return [w for w in found if isinstance(w, str)]
