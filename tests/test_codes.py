"""`archc explain`: every code is explained, and every example is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler import codes, source
from archcompiler.cli import main
from archcompiler.codes import CODES
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.source import Mapping

ROOT = Path(__file__).parents[1]

# What an example does not show.
REST = {
    "archc": "archc: 1",
    "name": "name: small",
    "input": "input: 32x32x3",
    "defaults": "defaults:\n  conv: {padding: same}\n  max_pool: {padding: valid, stride: 2}",
    "stem": "stem:\n  - {conv: 16, kernel: 3, stride: 2, name: Conv_1}",
    "body": "body: []",
    "heads": "heads:\n  Logits:\n    - global_avg_pool\n    - {dense: 10, name: fc}",
}

EXAMPLES = [
    (code, word, text)
    for code, found in CODES.items()
    for word, text in re.findall(r"^(Wrong|Right):\n\n```yaml\n(.*?)^```", found.text, re.M | re.S)
]


def whole(example: str) -> str:
    """Complete a part of a spec: a list is its body."""
    if example.startswith("- "):
        example = "body:\n" + example
    own = re.findall(r"^(\w+):", example, re.M)
    if "extends" in own:
        own += ["input", "defaults", "stem", "body", "heads"]
    return "\n".join([*(text for key, text in REST.items() if key not in own), example])


def codes_of(text: str) -> set[str]:
    try:
        compile_node(source.parse(text, "example"), source="example")
    except ArchcError as error:
        return {d.code for d in error.diagnostics}
    return set()


def test_codes_are_those_of_the_sources() -> None:
    sources = [p for d in ("archcompiler", "backends") for p in (ROOT / d).rglob("*.py")]
    used = {c for p in sources for c in re.findall(r'"(E\d{3})"', p.read_text("utf-8"))}
    used -= {"E999"}
    lacking = "\n".join(f"## {code}: ..." for code in sorted(used - set(CODES)))
    assert not lacking, f"add to archcompiler/explanations.md:\n{lacking}"
    assert set(CODES) == used, "explained, but nothing raises it"


def test_codes_are_in_order_and_shaped_alike() -> None:
    assert list(CODES) == sorted(CODES)
    for code, found in CODES.items():
        words = re.findall(r"^(\w+):\n\n```(?:yaml|sh)\n.+?^```$", found.text, re.M | re.S)
        assert words in (["Wrong", "Right"], ["Try"]), code
        assert len(found.text.partition("\n\n")[0]) > 40, f"{code} says too little"


@pytest.mark.parametrize(("code", "word", "text"), EXAMPLES)
def test_example(code: str, word: str, text: str) -> None:
    if code in ("E104", "E110") and word == "Wrong":  # the whole text, wrong as it is
        assert codes_of(text) == {code}
    else:
        assert codes_of(text if "heads:" in text and "archc:" in text else whole(text)) == (
            {code} if word == "Wrong" else set()
        )


def test_examples_are_tried() -> None:
    with_yaml = {code for code, *_ in EXAMPLES}
    assert len(with_yaml) > 40
    assert all((c, w) in {e[:2] for e in EXAMPLES} for c in with_yaml for w in ("Wrong", "Right"))


def test_explain() -> None:
    for word in ("E402", "e402", "402"):
        result = CliRunner().invoke(main, ["explain", word])
        assert result.exit_code == 0
        assert result.stdout.startswith(f"E402: {CODES['E402'].title}\n\n")
        assert "Branch_1" in result.stdout


def test_explain_lists_all() -> None:
    result = CliRunner().invoke(main, ["explain"])
    assert result.exit_code == 0
    assert [line[:4] for line in result.stdout.splitlines()] == list(CODES)
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_explain_unknown() -> None:
    result = CliRunner().invoke(main, ["explain", "E4002"])
    assert result.exit_code == 2
    assert "error[E706] there is no error code `E4002`" in result.stderr
    assert "hint: did you mean `E402`?" in result.stderr


def test_read_keeps_sections_apart() -> None:
    found = codes.read("intro\n## E101: a\n\none\n\n## E102: b\n\ntwo ## E103: not a heading\n")
    assert {c: (e.title, e.text) for c, e in found.items()} == {
        "E101": ("a", "one"),
        "E102": ("b", "two ## E103: not a heading"),
    }


def test_base_is_good() -> None:
    assert codes_of(whole("x-nothing: here\n")) == set()
    assert isinstance(source.parse(whole("x-nothing: here\n"), "base"), Mapping)
