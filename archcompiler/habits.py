"""What people write out of other habits, and how this language says it."""

from __future__ import annotations

import re
from collections.abc import Collection

from archcompiler.errors import nearest
from archcompiler.expression import ExpressionError, parse
from archcompiler.position import Position, Source

_BRACES = re.compile(r"\{\{?\s*(\w+)\s*\}?\}")
_SHELL = re.compile(r"\$\{[^,]*")


def as_expression(text: str) -> str | None:
    """Return the expression that was meant by `${w} * 2`, `2 * $w` or `$$w`; None if none was."""
    plain = _BRACES.sub(r"\1", text.replace("${", "{")).replace("$", "").strip()
    try:
        found = parse(plain, Position(Source("", plain), 1, 1))
    except ExpressionError:
        return None
    shown = f'"${plain}"' if "," in plain else f"${plain}"
    return shown if found.names and shown != text else None


def shell_expression(line: str, column: int) -> tuple[int, str] | None:
    """Return the column of a `${w}` in a line, up to a column, and a hint how it is written."""
    for found in _SHELL.finditer(line):
        meant = as_expression(_closed(found[0]))
        if meant and found.start() < column:
            return found.start() + 1, f"write `{meant}`"
    return None


def _closed(text: str) -> str:
    """Return a text without the braces at its end that close what is around it."""
    end, open_ends = len(text), text.count("}") - text.count("{")
    for at in range(len(text) - 1, -1, -1):
        if open_ends <= 0:
            break
        if text[at] == "}":
            end, open_ends = at, open_ends - 1
        elif text[at] == "{":
            open_ends += 1
    return text[:end].rstrip()


_SIGNS = {
    ":": "put a space behind the colon",
    " ": "put a colon behind the key",
    "=": "write a colon and a space",
}


def spaced(key: str, known: Collection[str]) -> str | None:
    """Return a hint where a key holds its value, as `w:64` or `w 64`."""
    for sign, what in _SIGNS.items():
        word, found, value = key.partition(sign)
        if found and word in known:
            return f"{what}: `{word}: {value.strip()}`"
    return None


def keyless(text: str, words: Collection[str]) -> str | None:
    """Return a hint where something stands alone that is no key: its text, or its own keys."""
    if len(words) == 1 and "".join(words).isidentifier():  # `{{w}}`
        return f"a parameter is read with a dollar: `${''.join(words)}`"
    return f"a value stands behind its key: `kernel: {text}`" if text else None


_VERBS = {
    "update": "set", "change": "set", "modify": "set", "edit": "set", "override": "set",
    "patch": "set", "delete": "remove", "del": "remove", "drop": "remove", "swap": "replace",
    "add": "after", "append": "after", "insert": "after", "insert_after": "after",
    "prepend": "before", "insert_before": "before",
}  # fmt: skip
_FORMS = {
    "set": "{set: PATH, kernel: 3}",
    "remove": "{remove: PATH}",
    "replace": "{replace: PATH, by: [...]}",
    "before": "{before: PATH, insert: [...]}",
    "after": "{after: PATH, insert: [...]}",
}


def verb_hint(keys: Collection[str]) -> str:
    """Return how a patch without a verb, that has these keys, is written."""
    for key in keys:
        verb = _VERBS.get(key.lower()) or nearest(key, _FORMS)
        if verb:
            return f"did you mean `{verb}`? `{_FORMS[verb]}`"
    if not {"with", "by", "insert", "defaults", "name", "kernel"}.isdisjoint(keys):
        return "what belongs to the patch above stands below its verb, without a `-`"
    if len(keys) == 1:
        return f"write `{{set: {''.join(keys)}, ...}}`, or one of {', '.join([*_FORMS][1:])}"
    return f"write `{_FORMS['set']}`, or one of {', '.join([*_FORMS][1:])}"
