"""What each error code means, for `archc explain`; the texts are in `explanations.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("explanations.md")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code: a title, and what it means with the wrong example and the right one (Markdown)."""

    title: str
    text: str


def read(markdown: str) -> dict[str, Explanation]:
    """Split the file at its headings `## E402: title`."""
    parts = re.split(r"^## (E\d{3}): (.+)\n", markdown, flags=re.MULTILINE)
    codes, titles, texts = parts[1::3], parts[2::3], parts[3::3]
    found = zip(codes, titles, texts, strict=True)
    return {code: Explanation(title, text.strip()) for code, title, text in found}


CODES: dict[str, Explanation] = read(PATH.read_text(encoding="utf-8"))
