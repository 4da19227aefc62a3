"""The gate's look at Markdown: a card has no markup that its template does not have.

Free text must have come through `escape.markdown` or `escape.markdown_code`: outside of code spans
and of escaped characters nothing may stand that CommonMark, or GitHub, makes something of.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterator

from archcompiler.gate_python import UnsafeOutput

_COMMENT = re.compile(r"<!-- (?:(?!--|[<>]).)* -->")
_TOKEN = re.compile(
    r"\\[!-/:-@[-`{-~]|&#(?:1[6-9][0-9]|[2-9][0-9]{2}|[0-9]{4,7});|`+|[^\\`&]+|[\\&]"
)
"""An escaped character, a letter beyond ASCII (the only entity), a run of backticks, the rest."""
_RUN = re.compile("`+")
_MARKUP = (
    ("HTML", re.compile(r"[<>]")),
    ("a link", re.compile(r"[\[\]]")),
    ("an open code span", re.compile(r"`")),
    ("a heading", re.compile(r"^ {0,3}(?:#|=+ *$|-+ *$)")),
    ("a code block", re.compile(r"^ {0,3}~~~")),
    ("emphasis", re.compile(r"[*~]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")),
    ("an entity", re.compile(r"&")),
)
"""What CommonMark makes something of, unless a backslash stands before it."""
_LIVE = (
    ("an address", re.compile(r"://|www\.|@", re.IGNORECASE)),
    ("a reference", re.compile(r"#[0-9a-z]|(?<![0-9a-z])(?:gh|ghsa|cve)-[0-9a-z]", re.IGNORECASE)),
    ("a formula", re.compile(r"\$")),
    ("an emoji", re.compile(r":[0-9A-Za-z_+-]+:")),
)
"""What GitHub makes something of outside of code spans, backslash or none."""
_HIDDEN = "\0"
"""What stands for a code span, a letter or an escaped character: a file cannot have it."""


def check(name: str, text: str, network: str, trusted: frozenset[str]) -> None:
    """Check a card. Raises `UnsafeOutput` with the first line at fault.

    One heading may name the network. Code blocks must end, and rows of a table be equally long.
    """
    first, *rest = text.split("\n")
    if not _COMMENT.fullmatch(first):
        raise UnsafeOutput(f"{name}:1 is no comment")
    columns = 0
    for number, line in _outside_blocks(name, rest):
        text = line.removeprefix(f"# {network} in ") if number == 3 else line
        what = "" if line.strip() in trusted else _found(text)
        if what:
            raise UnsafeOutput(f"{name}:{number} holds Markdown that no emitter may write: {what}")
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if cells and columns and cells != columns:
            raise UnsafeOutput(f"{name}:{number} has another number of cells than its table")
        columns = cells


def _found(line: str) -> str:
    """Say what a line holds that is not text; nothing where it holds none."""
    plain, shown = io.StringIO(), io.StringIO()  # a line may have millions of tokens
    for token in _outside_spans(line):
        escaped = len(token) > 1 and token[0] == "\\"
        plain.write(_HIDDEN if escaped else token)
        shown.write(token[1:] if escaped else token)
    found = [what for what, sign in _MARKUP if sign.search(plain.getvalue())]
    found += [what for what, sign in _LIVE if sign.search(shown.getvalue())]
    return found[0] if found else ""


def _outside_spans(line: str) -> Iterator[str]:
    """Yield a line's tokens with one that is hidden for each code span or letter, in one pass.

    A run of backticks opens a span if a later one is as long; backslashes mean nothing inside.
    """
    ends: dict[int, array[int]] = {}
    for run in _RUN.finditer(line):
        ends.setdefault(len(run[0]), array("L")).append(run.end())
    for found in ends.values():
        found.reverse()
    at = 0
    while token := _TOKEN.match(line, at):
        at, first = token.end(), token[0][0]
        later = ends.get(len(token[0])) if first == "`" else None
        while later and later[-1] <= at:
            later.pop()
        at = later.pop() if later else at
        hidden = at > token.end() or (first == "&" and len(token[0]) > 1)
        yield _HIDDEN if hidden else token[0]


def _outside_blocks(name: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(lines, 2):
        rest = line.lstrip("`")
        if line.startswith("```") and (not rest if fenced else "`" not in rest):
            fenced = not fenced
        elif not fenced:
            yield number, line
    if fenced:
        raise UnsafeOutput(f"{name} ends in a code block")
