"""The types of parameters: a value that replaces another is of its type."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

_KINDS: dict[type, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a word",
}  # fmt: skip


def kind(value: object) -> str:
    """Say in words of what type a parameter is."""
    return _KINDS[type(value)]


def alike(value: object, old: T) -> T | None:
    """Return a value as the type of the one it replaces; None where it is of another."""
    if type(old) is float and type(value) is int:
        value = float(value)
    return value if isinstance(value, type(old)) and type(value) is type(old) else None
