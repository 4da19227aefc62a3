"""What a reader of Markdown makes of a text: markdown-it-py, and by hand what GitHub adds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
GITHUB = re.compile(
    r"(?:https?|ftp)://|www\.|[^\s<]@[a-z0-9]|(?<![a-z0-9])@[a-z0-9]|#[0-9]|\bgh-[0-9]"
    r"|:[a-z0-9_+-]+:|\$",
    re.IGNORECASE,
)
"""Its links, mentions, references, emoji and formulas; it looks for them outside of code spans."""
TEXT = frozenset({"text", "text_special", "code_inline"})


def text_of(inline: Token) -> str:
    """Return the text of a paragraph or a heading, as it is shown."""
    return "".join(child.content for child in inline.children or () if child.type in TEXT)


def paragraph(markdown: str) -> str:
    """Return the text of what must be one paragraph with no markup but code spans, or nothing."""
    tokens = PARSER.parse(markdown)
    if not tokens:
        return ""
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children or ()} <= TEXT
    assert list(additions(tokens)) == []
    return text_of(tokens[1])


def summary(card: str) -> str:
    """Return the text of the paragraph below a card's title."""
    tokens = PARSER.parse(card)
    assert [t.type for t in tokens[:4]] == ["html_block", "heading_open", "inline", "heading_close"]
    assert [t.type for t in tokens[4:7]] == ["paragraph_open", "inline", "paragraph_close"]
    return text_of(tokens[5])


def markup(card: str) -> list[str]:
    """Return the kinds of all that a card holds, in order, but for text and code spans."""
    flat = (t for token in PARSER.parse(card) for t in (token, *(token.children or ())))
    return [token.type for token in flat if token.type not in TEXT]


def additions(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield what GitHub makes something of in texts, outside of code."""
    for token in tokens:
        plain = ("\0" if c.type == "code_inline" else c.content for c in token.children or ())
        yield from GITHUB.findall("".join(plain))


def github(card: str) -> list[str]:
    """Return what GitHub makes something of in a card, beside Markdown."""
    return [*additions(PARSER.parse(card))]
