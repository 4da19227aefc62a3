"""The reader's budgets, to the byte and to the node."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from archcompiler import source
from archcompiler.errors import ArchcError


def least(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the smallest budget of nodes that lets a text pass."""
    for budget in range(1, 100):
        monkeypatch.setattr(source, "MAX_NODES", budget)
        try:
            source.parse(text, "a.yaml")
        except ArchcError:
            continue
        return budget
    raise AssertionError("no budget is enough")


@pytest.mark.parametrize("copies", [0, 1, 4])
@pytest.mark.parametrize("value", ["[1, 2, [3]]", "{c: 1, d: {e: 2}}", "1"])
def test_an_alias_counts_all_that_it_repeats(
    value: str, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alias itself is one more."""
    short = f"a: &a {value}\nb: [{', '.join(['*a'] * copies)}]\n"
    long = f"a: {value}\nb: [{', '.join([value] * copies)}]\n"
    assert least(short, monkeypatch) == least(long, monkeypatch) + copies


def test_a_file_that_grows_is_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size says nothing, as it is 0 for files of /proc."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"")
    asked: list[int | None] = []

    class Growing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return b"x" * (size if size is not None and size >= 0 else source.MAX_BYTES * 2)

    monkeypatch.setattr(Path, "open", lambda *_: Growing())
    with pytest.raises(ArchcError) as raised:
        source.load(path)
    assert raised.value.diagnostics[0].code == "E102"
    assert asked == [source.MAX_BYTES + 1]
    assert os.path.getsize(path) == 0
