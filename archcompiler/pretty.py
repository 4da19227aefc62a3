"""Python source text in the form the formatter leaves alone.

Two forms suffice: a call that fits its line, or one argument a line with a trailing comma. Spec
text reaches code only as an identifier or through `literal` of `escape.py`, which is here by the
same name.
"""

from __future__ import annotations

import keyword as python
import textwrap
from collections.abc import Iterable

from archcompiler.escape import docstring as docstring
from archcompiler.escape import literal as literal
from archcompiler.names import snake_case

WIDTH = 88
LONGEST_NAME = 40
"""The longest name of a local variable or of a parameter that no one chose."""


def variable(name: str) -> str:
    """Return a name in snake case as it may stand for a variable."""
    found = snake_case(name)[:LONGEST_NAME].rstrip("_")
    return f"{found}_" if python.iskeyword(found) else found


def paragraph(text: str, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Fold text into lines of at most `width`, each indented."""
    pad = " " * indent
    return textwrap.wrap(
        text,
        width, initial_indent=pad, subsequent_indent=pad, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


class Expression:
    """A call, a list or a subscription: what may be laid out over several lines."""

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


class Comprehension(Expression):
    """A comprehension: on one line, inside its brackets on one, or its item and its loop on two."""

    __slots__ = ()

    def flat(self) -> str:
        """Return the expression on one line."""
        return f"{self.open}{' '.join(map(one_line, self.arguments))}{self.close}{self.tail}"

    def lines(self, indent: int, prefix: str = "", suffix: str = "") -> list[str]:
        """Lay the expression out, as `Expression` does."""
        flat = f"{' ' * indent}{prefix}{self.flat()}{suffix}"
        if len(flat) <= WIDTH:
            return [flat]
        parts = [f"{' ' * (indent + 4)}{one_line(a)}" for a in self.arguments]
        inner = f"{' ' * (indent + 4)}{' '.join(map(one_line, self.arguments))}"
        if len(inner) <= WIDTH:
            parts = [inner]
        end = f"{' ' * indent}{self.close}{self.tail}{suffix}"
        return [f"{' ' * indent}{prefix}{self.open}", *parts, end]


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


def one_line(value: str | Expression) -> str:
    """Return a value on one line."""
    return value if isinstance(value, str) else value.flat()


def statement(prefix: str, value: str | Expression, indent: int) -> list[str]:
    """Return `prefix` (such as `return `) and a value; in parentheses where only that makes it fit.

    The formatter does so if the first line is too long and every line inside would fit.
    """
    made = Expression(value, (), close="") if isinstance(value, str) else value
    lines = made.lines(indent, prefix)
    inner = made.lines(indent + 4)
    if len(lines[0]) <= WIDTH or any(len(line) > WIDTH for line in inner):
        return lines
    pad = " " * indent
    return [f"{pad}{prefix}(", *inner, f"{pad})"]


def assign(target: str, value: str | Expression, indent: int, comment: str = "") -> list[str]:
    """Return an assignment; the comment trails its first line where it fits, else it goes above."""
    lines = statement(f"{target} = ", value, indent)
    if not comment:
        return lines
    in_parentheses = lines[0].endswith(" = (")
    if not in_parentheses and len(lines[0]) + len(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}", *lines[1:]]
    return [f"{' ' * indent}# {comment}", *lines]


def assign_item(container: str, key: str, value: str | Expression, indent: int) -> list[str]:
    """Return an assignment to an item of a dictionary; a long key gets a line of its own."""
    target, pad = f"{container}[{literal(key)}]", " " * indent
    if indent + len(target) + len(" = (") <= WIDTH:
        return assign(target, value, indent)
    return [f"{pad}{container}[", f"{pad}    {literal(key)}", *statement("] = ", value, indent)]


def doc_lines(text: str, indent: int, *, title: str = "") -> tuple[str, ...]:
    """Return a docstring of one line, or of several: then a title has a paragraph of its own."""
    pad = " " * indent
    one = f'{pad}"""{title}: {text}"""' if title else f'{pad}"""{text}"""'
    if len(one) <= WIDTH:
        return (one,)
    first, *rest = paragraph(f'"""{f"{title}." if title else text}', indent)
    return (first, *rest, *(["", *paragraph(text, indent)] if title else []), f'{pad}"""')
