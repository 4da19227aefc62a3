"""What the programs that keep the logs of CI runs take for commands."""

from __future__ import annotations

import re

UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0]")
"""Printable signs that have no width, and that a comparison by culture overlooks."""
AT_START = re.compile(r"^\s*::", re.MULTILINE)
"""What GitHub's runner reads at the start of a line."""
ANYWHERE = re.compile(r"##[a-z]*\[", re.IGNORECASE)
"""What GitHub, Azure and TeamCity read in the middle of a line, too."""


def seen(text: str) -> str:
    """Return a text as a comparison by culture has it."""
    return UNSEEN.sub("", text)


def commands(text: str) -> list[str]:
    """Return what of a log is taken for a command."""
    text = seen(text)
    return AT_START.findall(text) + ANYWHERE.findall(text)
