"""How text that a spec chose enters each output medium: one function a medium, and no other way.

Names of layers, blocks, heads and specs are checked identifiers (`names.py`) and need none of
these. Everything else that a spec, a file name or the command line may choose goes through one of
them: summaries, parameters that are words, paths of files, values that are quoted in messages.
"""

from __future__ import annotations

import io
import re
import shlex

COLONS = re.compile(r":(?=[^\x00-\x7f]*:)")
"""What GitHub's runner takes for a command when a line of a log starts with it.

Signs beyond ASCII may stand in it, here and below: .NET compares without those that nobody sees.
"""
_WORKFLOW_COMMAND = re.compile(rf"^([^\n!-\x7f]*){COLONS.pattern}", re.MULTILINE)
COMMAND = re.compile(r"#(?=[^\x00-\x7f]*#[\w\x80-\U0010ffff]*\[)")
"""The first `#` of what programs that keep logs take for a command anywhere in a line.

GitHub's runner and Azure's agent read `##[`, the agent `##vso[` in any case, too, and TeamCity
`##teamcity[`. One sign that is replaced by the same each time takes the least memory.
"""
_CODING = re.compile(r"(coding)([:=])")
"""What names the encoding of a Python file in a comment of its first two lines (PEP 263)."""
_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>#|!&~"})
_BLOCK_START = re.compile(r"^([-+=:]|[0-9]+(?=[.)](?: |$)))")
"""What starts a list, a rule or a heading where a line starts with it."""
_PIECE = re.compile("([!-_a-{}~]+)|[^!-_a-{}~]+")
"""A word in ASCII, or what of it may stand in a code span of one backtick, in a table, too.

Else what lies between two of these.
"""
_LIVE = re.compile(
    r"://|www\.|[@$]|#[a-z0-9]|:[a-z0-9_+-]+:|(?<![a-z0-9])(?:gh|ghsa|cve)-[a-z0-9]"
    r"|(?<![a-z0-9])(?=[0-9]{0,39}[a-f])(?=[a-f]{0,39}[0-9])[0-9a-f]{7,40}(?![a-z0-9])",
    re.IGNORECASE,
)
"""What GitHub takes for a link, a mention, a formula, a reference, an emoji or a commit.

It looks for these in the text that comes out, so neither backslashes nor entities hide them.
"""


# A terminal, or the log of a build


def show(text: str) -> str:
    """Escape what would not be seen, or would move the cursor: controls, bidi marks, odd spaces."""
    if text.isprintable():
        return text
    shown = io.StringIO()  # which holds no list of millions of parts
    for c in text:
        shown.write(c if c.isprintable() else c.encode("unicode_escape").decode("ascii"))
    return shown.getvalue()


def show_lines(text: str) -> str:
    """Escape each line of a text; none can be a command to the program that keeps the log."""
    return no_commands(text if text.isprintable() else "\n".join(map(show, text.split("\n"))))


def shell_word(text: str) -> str:
    """Quote a file's name, or an assignment, as one word of a command that may be pasted.

    A shell finds nothing to run in it, and archc no option.
    """
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def no_commands(text: str) -> str:
    """Break what the program that keeps a log would take for a command, in lines already shown."""
    text = COMMAND.sub(r"\\x23", text)
    return _WORKFLOW_COMMAND.sub(r"\1\\x3a", text)


# GitHub's workflow commands


def annotation(text: str) -> str:
    """Escape the message of a workflow command; line ends stay part of it, no other is in it."""
    shown = COMMAND.sub(r"\\x23", "\n".join(map(show, text.split("\n"))))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotation_property(value: object) -> str:
    """Escape a property of a workflow command, such as its file."""
    return annotation(show(str(value))).replace(":", "%3A").replace(",", "%2C")


# JSON


def json_document(value: object) -> str:
    """Write plain values as indented ASCII JSON, no command to a log, without a last line end."""
    import json

    return COMMAND.sub(r"\\u0023", json.dumps(value, indent=2, allow_nan=False))


# Markdown


def markdown(text: str) -> str:
    """Escape text for a paragraph or a cell of a table: one line that is nothing but text.

    A word that GitHub would make something of becomes a code span.
    """
    written = io.StringIO()
    for piece in _PIECE.finditer(show(" ".join(text.split()))):
        live = piece[1] and _LIVE.search(piece[1])
        written.write(_span(piece[1]) if live else piece[0].translate(_MARKDOWN))
    escaped = written.getvalue()
    escaped = _BLOCK_START.sub(lambda m: f"{m[0]}\\" if m[0].isdigit() else f"\\{m[0]}", escaped)
    return escaped.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _span(word: str) -> str:
    """Return a code span of a word, without the marks of the sentence behind it."""
    kept = word.rstrip(".,;!?)") or word
    return f"`{kept}`{word[len(kept) :].translate(_MARKDOWN)}"


def markdown_code(text: str) -> str:
    """Return a code span that shows the text, in a paragraph or a list."""
    shown = _ascii(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest or shown.strip() != shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_comment(text: str) -> str:
    """Escape text for inside `<!-- -->`, which it cannot end."""
    return re.sub("[<>]|-(?=-)|-$", lambda m: f"\\x{ord(m[0]):02x}", _ascii(text))


# Python


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
    quote = "'" if value.count('"') > value.count("'") else '"'
    body = value.encode("unicode_escape").decode("ascii")
    return quote + body.replace(quote, f"\\{quote}") + quote


def docstring(text: str) -> str:
    """Return free text as it may stand inside a docstring: one line, ASCII, nothing escapes."""
    folded = " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
    return _ascii(folded)


def comment(text: str) -> str:
    """Return free text as it may stand in a Python comment, on the first line of a file, too."""
    return _CODING.sub(lambda m: f"{m[1]}\\x{ord(m[2]):02x}", _ascii(" ".join(text.split())))


def _ascii(text: str) -> str:
    return show(text).encode("ascii", "backslashreplace").decode("ascii")
