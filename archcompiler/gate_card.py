"""The gate's look at Markdown: a card has no markup that its template does not have.

Free text must have come through `escape.markdown` or `escape.markdown_code`: outside of code spans
and of escaped characters nothing may stand that CommonMark, or GitHub, makes something of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archcompiler.gate_python import UnsafeOutput

_COMMENT = re.compile(r"<!-- (?:(?!--|[<>]).)* -->")
_TOKEN = re.compile(r"\\[!-/:-@[-`{-~]|`+|[^\\`]+|\\")
"""An escaped character, a run of backticks, or what lies between."""
_RUN = re.compile("`+")
_LETTER = re.compile(r"&#(?:1[6-9][0-9]|[2-9][0-9]{2}|[0-9]{4,7});")
"""What stands for a letter beyond ASCII: the only entity."""
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
"""What stands for a code span, or an escaped character: a file cannot have it."""


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
        what = "" if line.strip() in trusted else _found(_LETTER.sub(_HIDDEN, text))
        if what:
            raise UnsafeOutput(f"{name}:{number} holds Markdown that no emitter may write: {what}")
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if cells and columns and cells != columns:
            raise UnsafeOutput(f"{name}:{number} has another number of cells than its table")
        columns = cells


def _found(line: str) -> str:
    """Say what a line holds that is not text; nothing where it holds none."""
    tokens = _outside_spans(line)
    plain = "".join(_HIDDEN if len(t) > 1 and t[0] == "\\" else t for t in tokens)
    shown = "".join(t[1:] if len(t) > 1 and t[0] == "\\" else t for t in tokens)
    found = [what for what, sign in _MARKUP if sign.search(plain)]
    found += [what for what, sign in _LIVE if sign.search(shown)]
    return found[0] if found else ""


def _outside_spans(line: str) -> list[str]:
    """Return a line's tokens with one that is hidden for each code span, in one pass.

    A run of backticks opens a span if a later one is as long; backslashes mean nothing inside.
    """
    ends: dict[int, list[int]] = {}
    for run in reversed([*_RUN.finditer(line)]):
        ends.setdefault(len(run[0]), []).append(run.end())
    tokens, at = [], 0
    while token := _TOKEN.match(line, at):
        at = token.end()
        later = ends.get(len(token[0]), []) if token[0][0] == "`" else []
        while later and later[-1] <= at:
            later.pop()
        at = later.pop() if later else at
        tokens.append(token[0] if at == token.end() else _HIDDEN)
    return tokens


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
