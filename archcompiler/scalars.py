"""Plain scalars by the YAML 1.2 core schema: `1e-3` is a number, `no` and `1:30` are words."""

from __future__ import annotations

import re

from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.position import Position

MAX_DIGITS = 300

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_RADIX = re.compile(r"0[xo][0-9a-fA-F]+")


def core_value(text: str, position: Position) -> bool | int | float | str | None:
    """Return what a plain scalar means; E108 where it is no decimal number of a sane length."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise _fail("this number is out of range", position)
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if _RADIX.fullmatch(text):
        raise _fail(
            f"`{text}` is a hexadecimal or octal number in YAML",
            position,
            hint=f"write numbers in decimal; a size that starts with 0 needs quotes: `'{text}'`",
        )
    return text


def _fail(message: str, position: Position, hint: str | None = None) -> ArchcError:
    return ArchcError(Diagnostic(code="E108", message=message, position=position, hint=hint))
