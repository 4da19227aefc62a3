"""Work that grows with the text and no faster: counted, so that no clock decides."""

from __future__ import annotations

import re
from typing import Any, SupportsIndex

import pytest
import yaml

from archcompiler import whitespace
from archcompiler.position import Source
from archcompiler.whitespace import Whitespace


class Counted(str):
    """A text that counts how many characters were searched."""

    searched = 0

    def rfind(self, sub: str, start: Any = 0, end: Any = None, /) -> int:
        found = super().rfind(sub, start, end)
        Counted.searched += (len(self) if end is None else end) - max(found, start)
        return found

    def find(self, sub: str, start: Any = 0, end: Any = None, /) -> int:
        found = super().find(sub, start, end)
        stop = len(self) if end is None else end
        Counted.searched += (stop if found < 0 else found) - start
        return found


class Pattern:
    """A pattern that counts, too."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def search(self, text: str, start: SupportsIndex, end: SupportsIndex) -> object:
        Counted.searched += int(end) - int(start)
        return self.pattern.search(text, start, end)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        f"archc: 1{' ' * 2_000}#{chr(9) * 2_000}",
        "archc: 1 #" + "\x85" * 2_000,
        "# \u2028# \t" * 2_000,
        "#\t\t\t\t\t\t\t\n" * 500,
        "[" + "'\t', " * 500 + "]",
        "".join(f"a{n}: # \t\r" for n in range(500)),
    ],
)
def test_odd_whitespace_is_looked_for_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "searched", 0)
    monkeypatch.setattr(whitespace, "_COMMENT", Pattern(whitespace._COMMENT))
    spaces = Whitespace(Source("a.yaml", Counted(text)))
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        assert not spaces.after(event)
    assert not spaces.odd
    assert Counted.searched < 4 * len(text)
