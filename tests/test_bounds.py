"""Work that grows with the text and no faster: counted, so that no clock decides."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator
from typing import Any, SupportsIndex

import pytest
import yaml

from archcompiler import diagnostics, draft, lost, near, position, source, whitespace
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError, Diagnostic, Report
from archcompiler.near import nearest
from archcompiler.overrides import parse_assignment
from archcompiler.paths import Paths
from archcompiler.position import Position, Source
from archcompiler.texts import Texts
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
        "archc: 1 #" + "\t" * 2_000,
        "# \t# \t" * 2_000,
        "#\t\t\t\t\t\t\t\n" * 500,
        "[" + "'\t', " * 500 + "]",
        "a: 1" + "\r" * 2_000,
        "".join(f"a{n}: # \t\n" for n in range(500)),
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


def misspelled(word: str, choose: random.Random) -> str:
    """Return a word with one to four letters dropped, doubled or replaced."""
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(word))
        word = word[:at] + choose.choice(["", "x", word[at] * 2]) + word[at + 1 :] or "x"
    return word


@pytest.mark.parametrize("count", [3, 40, 400])
def test_the_nearest_word_is_that_of_difflib(count: int) -> None:
    """Names of layers, letters and all: nothing that people write meets the bounds."""
    choose = random.Random(count)
    parts = ("Mixed", "Conv2d", "Branch", "Block", "Logits", "Max")
    known = [
        f"{choose.choice(parts)}_{choose.randrange(9)}{choose.choice('abc')}/"
        f"{choose.choice(parts)}_{n}"
        for n in range(count)
    ]
    for _ in range(50):
        word = misspelled(choose.choice(known), choose)
        folded = {k.lower(): k for k in known}
        near_ones = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.65)
        assert nearest(word, known) == (folded[near_ones[0]] if near_ones else None)


@pytest.mark.parametrize("length", [1, 20, 63, 128, 4_000])
def test_the_nearest_of_many_words_takes_bounded_work(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    class Matcher(difflib.SequenceMatcher[str]):
        def ratio(self) -> float:
            compared.append(len(self.a) * len(self.b))
            return super().ratio()

    monkeypatch.setattr(near.difflib, "SequenceMatcher", Matcher)
    choose = random.Random(length)
    words = ["".join(choose.choices("ab", k=length)) for _ in range(1_100)]
    nearest(words[0], (w for w in words[1:]))
    assert sum(compared[:-1]) < near.MOST_LETTERS
    assert len(compared) <= near.MOST_WORDS
    assert length < near.LONGEST or len(compared) <= 2


START = "archc: 1\nname: x\ninput: 8x8x3\nstem: {conv: 4, kernel: 1, padding: same, name: S}\n"
END = "heads: {Logits: [global_avg_pool]}\n"


def errors_of(text: str, *words: str) -> int:
    """Return how many errors a spec has."""
    node, assignments = source.parse(text, "x.yaml"), [parse_assignment(w) for w in words]
    with pytest.raises(ArchcError) as caught:
        compile_node(node, assignments, source="x.yaml")
    return len(caught.value.diagnostics)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names that are looked up in a spec's text from now on."""
    found: list[str] = []
    names = Texts._names
    monkeypatch.setattr(
        Texts, "_names", lambda self, start, name: (found.append(name), names(self, start, name))[1]
    )
    return found


@pytest.mark.parametrize("sign", [":", "[", "/", "."])
def test_many_words_are_not_all_looked_up(sign: str, looked: list[str]) -> None:
    """Each name of a path is looked up once, and no more of them than a path may have."""
    count = {"/": 63, ".": 16}.get(sign, 3_000)
    assert errors_of(f"{START}body: []\n{END}", f"a{f'{sign}a' * count}=1") == 1
    assert len(looked) <= 2 * source.MAX_DEPTH


def test_paths_to_nothing_are_looked_up_once(looked: list[str]) -> None:
    patches = "".join(f"  - {{remove: {'/'.join(['a'] * 59)}/b{n}}}\n" for n in range(20))
    layer = "{identity, name: R}"
    assert errors_of(f"{START}body: [{layer}]\n{END}patch:\n  - {{remove: R}}\n{patches}") == 20
    assert len(looked) <= 20 * 2 * 60


def test_few_of_the_paths_around_a_wrong_one_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of few names may have all the layers there are below them."""
    read: list[str] = []
    inside = lost.Lines.inside
    monkeypatch.setattr(
        lost.Lines,
        "inside",
        lambda self, start: (read.append(start) or inner for inner in inside(self, start)),
    )
    layers = ", ".join(f"{{identity, name: n{n}}}" for n in range(3_000))
    body = f"body: [{{name: G, layers: [{{name: H, layers: [{layers}]}}]}}]\n"
    assert errors_of(f"{START}{body}{END}patch: [{{remove: G/{'x' * 60}}}]\n") == 1
    assert 1_000 <= len(read) <= 2_000


def test_how_deep_a_wrong_path_is_right_takes_one_pass() -> None:
    lines = lost.Lines.of(["a", "a/b", "a/bc/d", "a/b/c", "a/b/c/d/e", "b/c"])
    depths = {"a": 1, "a/b": 2, "a/b/c/d": 4, "a/bc/d": 2, "x/b": 0, "b/c": 1, "c": 0, "": 0}
    for path, depth in depths.items():
        assert lines.deepest(path.split("/")) == depth, path
    many = [f"g{'/g' * 40}/n{n}" for n in range(300)]
    counted = Counted(lost.Lines.of(many).text)
    Counted.searched = 0
    assert lost.Lines(counted, counted).deepest(["g"] * 60) == 41
    assert Counted.searched < 2 * len(counted)


@pytest.mark.parametrize("letter", ["x", "\u7573", "\u0301", "\u202e"])
@pytest.mark.parametrize("column", [1, 300_000, 600_001])
def test_of_a_long_line_little_is_looked_at(
    letter: str, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    shown, cells = diagnostics.show, diagnostics._cells
    monkeypatch.setattr(diagnostics, "show", lambda t: (looked.append(len(t)), shown(t))[1])
    monkeypatch.setattr(diagnostics, "_cells", lambda t: (looked.append(len(t)), cells(t))[1])
    at = Position(Source("a.yaml", letter * 600_000), 1, column)
    wrong = Diagnostic(code="E204", message="wrong", position=at)
    _, line, _ = diagnostics.render([wrong], "full").split("\n")
    assert len(line) < 160
    assert line.count("...") == 1 + (column == 300_000)
    assert sum(looked) < 50_000


def test_lines_are_found_without_reading_all_before_each(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []

    class Ends:
        def finditer(self, text: str) -> Iterator[re.Match[str]]:
            return (found.append(1) or end for end in position_ends.finditer(text))

        def search(self, text: str, start: int) -> re.Match[str] | None:
            found.append(1)
            return position_ends.search(text, start)

    position_ends = position.LINE_END
    monkeypatch.setattr(position, "LINE_END", Ends())
    text = "".join(f"{n}\r\n" for n in range(1, 20_001))
    one = Source("a.yaml", text)
    numbers = [1, 2, 1_023, 1_024, 1_025, 1_026, 2_048, 2_049, 10_000, *range(19_980, 20_001)]
    assert [one.line(n) for n in numbers] == [str(n) for n in numbers]
    assert [one.line(n) for n in (-1, 0, 20_001, 20_002, 20_481, 99_999)] == [""] * 6
    assert len(found) < 20_000 + 1_025 * (len(numbers) + 6)
    assert len(one._starts) == 20


def test_layers_that_stand_together_share_the_text_around_them() -> None:
    paths = Paths(Report())
    around = "Group" * 200
    for n in range(1_000):
        assert paths.register(f"{around}/N{n}", at := Position(Source("a.yaml"), n, 1))
    assert not paths.register(f"{around.upper()}/n0", at)
    texts = {id(text): len(text) for key in paths.positions for text in key}
    assert sum(texts.values()) < 2 * len(around) + 1_000 * 5


def test_neighbours_share_the_text_around_them() -> None:
    around = "Group" * 200
    parted = [*draft._parted(f"{around}/N{n}" for n in range(100))]
    assert parted[7] == (around.lower(), "n7")
    assert len({id(start) for start, _ in parted}) == 1
