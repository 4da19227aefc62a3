"""Python source text in the form the formatter leaves alone.

Two forms suffice: a call that fits its line, or one argument a line with a trailing comma. Spec
text reaches code only as an identifier or through `literal`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 88


def literal(value: object) -> str:
    """Write a constant in ruff's normal form; strings in double quotes, ASCII only."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"no literal for {type(value).__name__}")


def _string(value: str) -> str:
    body = ascii(value)[1:-1].replace("\\'", "'")
    if '"' in body and "'" not in body:
        return f"'{body}'"
    return '"' + body.replace('"', '\\"') + '"'


def docstring(text: str) -> str:
    """Return free text as it may stand inside a docstring: one line, ASCII, nothing escapes."""
    folded = " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
    return folded.encode("ascii", "backslashreplace").decode("ascii")


def paragraph(text: str, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Fold text into lines of at most `width`, each indented."""
    pad = " " * indent
    return textwrap.wrap(
        text,
        width, initial_indent=pad, subsequent_indent=pad, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


class Expression:
    """A call or a list: what may be laid out over several lines."""

    __slots__ = ("arguments", "close", "open", "tail")

    def __init__(
        self, head: str, arguments: Iterable[str | Expression], close: str = ")", tail: str = ""
    ) -> None:
        self.open, self.close, self.tail = head, close, tail
        self.arguments = tuple(arguments)

    def flat(self) -> str:
        """Return the expression on one line."""
        inner = ", ".join(a if isinstance(a, str) else a.flat() for a in self.arguments)
        return f"{self.open}{inner}{self.close}{self.tail}"

    def lines(self, indent: int, prefix: str = "", suffix: str = "") -> list[str]:
        """Lay the expression out between `prefix` and `suffix`, in lines of at most 88 columns."""
        flat = f"{' ' * indent}{prefix}{self.flat()}{suffix}"
        if len(flat) <= WIDTH or not self.arguments:
            return [flat]
        result = [f"{' ' * indent}{prefix}{self.open}"]
        for argument in self.arguments:
            if isinstance(argument, str):
                result.append(f"{' ' * (indent + 4)}{argument},")
            else:
                result += argument.lines(indent + 4, suffix=",")
        result.append(f"{' ' * indent}{self.close}{self.tail}{suffix}")
        return result


def call(function: str, *arguments: str | Expression, tail: str = "") -> Expression:
    """Return a call."""
    return Expression(f"{function}(", arguments, tail=tail)


def array(arguments: Iterable[str | Expression]) -> Expression:
    """Return a list display."""
    return Expression("[", arguments, close="]")


def keyword(name: str, value: str | Expression) -> str | Expression:
    """Return a keyword argument."""
    if isinstance(value, str):
        return f"{name}={value}"
    return Expression(f"{name}={value.open}", value.arguments, value.close, value.tail)


def assign(target: str, value: str | Expression, indent: int, comment: str = "") -> list[str]:
    """Return an assignment; the comment trails its first line where it fits, else it goes above."""
    prefix = f"{target} = " if target else ""
    lines = (
        [f"{' ' * indent}{prefix}{value}"]
        if isinstance(value, str)
        else value.lines(indent, prefix)
    )
    if not comment:
        return lines
    if len(lines) > 1:
        return [f"{lines[0]}  # {comment}", *lines[1:]]
    if len(lines[0]) + len(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}"]
    return [f"{' ' * indent}# {comment}", *lines]
