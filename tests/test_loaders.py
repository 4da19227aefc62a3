"""PyYAML's pure parser, where libyaml is missing: the same nodes, positions and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_hostile import MADE, spec_of

from archcompiler import source
from archcompiler.errors import ArchcError

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "specs").glob("*.yaml"), *(ROOT / "tests/cases").rglob("*.yaml")])
LARGE = {"014_random", "017_five_megabytes", "042_nodes"}
"""What the pure parser takes too long for in a test; none of them is about syntax."""
ODD = (
    "", "a", 'a: "\\ud800"', 'a: "\\q"', 'a: "\\x4"', 'a: "\\U00110000"', 'a: "\\uD83D\\uDE00"',
    "%YAML 9.9\n---\na: 1", "%YAML 1\n---\na", "%FOO bar\n---\na: 1", "%TAG ! x\n---\na",
    "{a: , b: 1}", "{a: ,b}", "{a:}", "{a: # c\n, b: 1}", "[a:, b]", "a:\nb: 1", "- \n- a",
    "a:   # c\nb:", "[a, , b]", "[, a]", "? a\n: \nb", "&x\n", "a: *b", "a: &b", "\"a\": 'b",
    "a: |\n  x\n y", "a: >-\n  x\n\n  y\n", "a: 'x\n  y'", 'a: "x\\\n  y"', "a: b: c",
    "a:\n\tb: c", "@a", "`a", "a: %b", "a: x # c", "- a\n b", "a\nb: c", "{a: b", "[a",
    "{a b: c}", "--- a\n--- b", "a: !!str", "!<x> a", "a: \x85b", "a: \u2028b", "\ufeffa: b",
    "a: b\r\nc: d\re: f", "? [a]\n: b", "{? a : b}", "a: ''",
    "{a: b?}", "{?a: b}", "[a?b, c]", "{a :}", "{a: !x,}", "{a: b}!x", "a:\tb", "a: b\t# c",
    "a: b # \tc", "a: 'b\tc'", 'a: "b\tc"', "a: |\n  b\tc\n", "a: b\t", "a: b\n\t\nc: d",
    "{a: b\tc", "a: 'b\t", "a: [b,\n\tc]", "a: \u2029b", "a: 'b\u2028c'", "a:\ufeffb",
    "a: {b: c\x00", "a: {b\n\x00", "a: b # c\x85d: e", "# x\u2028a: b", "a: b # c\rd: e",
    "a: b\rc: d", "a: b #\t\u2029", "#\t\t\ra: b", "a: 'b\r# c\r' # d\te",
)  # fmt: skip
Read = list[object]


def read(data: bytes, loader: object, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return everything that reading gives, as plain values."""
    monkeypatch.setattr(source, "_LOADER", loader)
    try:
        return plain(source.parse(source.decode(data, "a.yaml"), "a.yaml"))
    except ArchcError as error:
        return [
            (
                d.code,
                d.message,
                str(d.position),
                d.hint,
                [(r.label, str(r.position)) for r in d.rows],
            )
            for d in error.diagnostics
        ]


def plain(node: source.Node) -> Read:
    at = str(node.position)
    if isinstance(node, source.Scalar):
        return [at, repr(node.value), node.text]
    if isinstance(node, source.Sequence):
        return [at, [plain(item) for item in node.items]]
    return [at, [(e.key, str(e.position), plain(e.node)) for e in node.entries.values()]]


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="PyYAML without libyaml")
@pytest.mark.parametrize(
    "what", [*ODD, *(str(p.relative_to(ROOT)) for p in FILES), *sorted({*MADE} - LARGE)]
)
def test_both_parsers_read_alike(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if what in ODD:
        data = what.encode()
    else:
        data = spec_of(what) if what in MADE else (ROOT / what).read_bytes()
    fast = read(data, yaml.CSafeLoader, monkeypatch)
    assert read(data, yaml.SafeLoader, monkeypatch) == fast
