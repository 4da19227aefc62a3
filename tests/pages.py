"""The pages of the documentation, their prose and their blocks of code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TOP_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
PAGES = [
    *DOCS,
    *(ROOT / name for name in TOP_PAGES),
    *sorted((ROOT / "docs").glob("decisions/*.md")),
]
LANGUAGE = ROOT / "docs" / "language.md"

READ_BY_PEOPLE = ("text", "sh", "mermaid", "toml", "diff")
EMITTED = ("model.py", "benchmark.py")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the number of its first line, what the comment before it says."""

    page: Path
    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(text: str, page: Path) -> Iterator[Block]:
    lines = text.split("\n")
    start, mark = None, ""
    for number, line in enumerate(lines):
        fence = re.fullmatch(r" *```(\w*)", line)
        if fence and start is None:
            start, language = number + 1, fence[1]
        elif fence and start is not None:
            inside = textwrap.dedent("".join(f"{line}\n" for line in lines[start:number]))
            marks = tuple(m.strip() for m in mark.split(",")) if mark else ()
            yield Block(page, start + 1, language, inside, marks)
            start, mark = None, ""
        elif start is None and line.strip():
            said = re.fullmatch(r" *<!-- (?:spec|emitted): (.+) -->", line)
            mark = said[1] if said else ""


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.M | re.S)


def on(page: Path) -> list[Block]:
    return list(blocks(page.read_text("utf-8"), page))
