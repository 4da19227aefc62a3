"""Plain values as YAML in the house style: one layer a line where it fits, else one key a line.

Text is quoted where `source.py` (YAML 1.2 core, no octal or hexadecimal numbers) would read
something else. Prettier at width 100 leaves the result as it is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from archcompiler.escape import COLONS, COMMAND

WIDTH = 100

# What an empty line stands before.
_SECTIONS = ("params", "defaults", "blocks", "stem", "body", "heads")
# What is never written on one line, unless it is empty.
_TALL = ("blocks", "stem", "body", "heads", "layers", "branches")

_NOT_TEXT = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE|0[xo][0-9a-fA-F]+"
    r"|[-+]?[0-9]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def to_yaml(document: Mapping[str, object]) -> str:
    """Write a document of dicts, lists and scalars; None is a key that stands alone."""
    lines: list[str] = []
    for key, value in document.items():
        if key in _SECTIONS:
            lines.append("")
        for number, line in enumerate(_entry(key, value, 0)):
            starts_block = key == "blocks" and number > 1 and re.match("  [^ ]", line)
            lines += ["", line] if starts_block else [line]
    return "\n".join(lines) + "\n"


def flow(value: object) -> str:
    """Write a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pair(k, v) for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return _scalar(value, inside_flow=True)


def _pair(key: str, value: object) -> str:
    written = _scalar(key, inside_flow=True)
    return written if value is None else f"{written}: {flow(value)}"


def _entry(key: str, value: object, indent: int) -> Iterator[str]:
    """Write `key: value`, on one line where that fits."""
    label = f"{' ' * indent}{_scalar(key, inside_flow=True)}:"
    if value is None:
        yield label
    elif not isinstance(value, Mapping | list):
        yield from _long(label, _scalar(value, inside_flow=False), value, indent)
    elif _fits(key, value, len(label) + 1):
        yield f"{label} {flow(value)}"
    else:
        yield label
        yield from _lines(value, indent + 2)


def _long(label: str, text: str, value: object, indent: int) -> Iterator[str]:
    """Fold text that is too long for a line; words stay whole."""
    folds = isinstance(value, str) and value.isprintable() and value == " ".join(value.split())
    # What may be a command to the program that keeps a log needs the escapes that quotes have.
    folds = folds and not COLONS.search(str(value)) and not COMMAND.search(str(value))
    if len(label) + 1 + len(text) <= WIDTH or not folds:
        yield f"{label} {text}"
        return
    pad = " " * (indent + 2)
    yield f"{label} >-"
    yield from textwrap.wrap(
        str(value), WIDTH, initial_indent=pad, subsequent_indent=pad,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _lines(value: object, indent: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _entry(key, part, indent)
        return
    assert isinstance(value, list)
    for item in value:
        if _fits("", item, indent + 2):
            yield f"{' ' * indent}- {flow(item)}"
        else:
            first, *rest = _lines(item, indent + 2)
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest


def _fits(key: str, value: object, column: int) -> bool:
    """Tell whether the value may stand on one line after `column` characters, and does."""
    if not value or not isinstance(value, Mapping | list):
        return True
    if key in _TALL:
        return False
    items = value if isinstance(value, list) else [value]
    layers = [item for item in items if isinstance(item, Mapping)]
    if layers and len(items) > 1:
        return False  # one layer a line
    if any(key in _TALL for layer in layers for key in layer):
        return False
    return column + len(flow(value)) <= WIDTH


def _scalar(value: object, *, inside_flow: bool) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _is_plain(value, inside_flow) else _quoted(value)
    return repr(value)


def _is_plain(text: str, inside_flow: bool) -> bool:
    """Tell whether text may stand without quotes; where that is intricate, it may not."""
    if not re.match(r"[A-Za-z0-9(]", text) or not text.isprintable() or _NOT_TEXT.fullmatch(text):
        return False
    odd = r"[][{},:]" if inside_flow else r":( |$)"
    if re.search(odd, text) or " #" in text or COMMAND.search(text):
        return False
    return text == text.rstrip()


def _quoted(text: str) -> str:
    body = "".join(_ESCAPES.get(c) or _escaped(c) for c in text)
    return '"' + COMMAND.sub(r"\\x23", body) + '"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
