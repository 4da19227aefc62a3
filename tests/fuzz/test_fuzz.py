"""The small tier: 20,000 mutated specs, 10,000 hostile texts, and hypothesis on free text.

The large tier is the same program with larger counts: see docs/security.md.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcompiler import escape, source
from archcompiler.yaml_writer import to_yaml

HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    """Import a file of this folder, whose name is too common for the path of all tests."""
    spec = importlib.util.spec_from_file_location(f"archc_fuzz_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzz, mutate = _load("run"), _load("mutate")


@pytest.mark.parametrize("seed", range(1, 5))
def test_mutated_specs_are_good_or_refused(seed: int) -> None:
    found = fuzz.run("mutate", seed=seed, count=5_000)
    assert not [what for what in found if what.startswith("CRASH")]
    assert len(found) > 20
    assert found["good"] > 100


def test_wrong_specs_are_refused_at_the_right_line() -> None:
    found = fuzz.run("invalid", seed=1, count=500)
    assert not [what for what in found if what.startswith(("CRASH", "accepted"))]
    assert found["right line"] >= 495


@pytest.mark.parametrize("seed", range(1, 5))
def test_hostile_text_stays_text(seed: int) -> None:
    assert fuzz.run("strings", seed=seed, count=2_500) == {"good": 2_500}


def test_both_parsers_read_mutated_specs_alike() -> None:
    pytest.importorskip("yaml._yaml", reason="PyYAML without libyaml")
    found = fuzz.run("loaders", seed=1, count=500)
    assert found == {"alike": 500}


def test_a_crash_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(fuzz, "compile_node", broken)
    assert fuzz.run("mutate", seed=1, count=40)["CRASH KeyError: 'a bug'"]
    nothing = SimpleNamespace(network=None)
    monkeypatch.setattr(fuzz, "compile_node", lambda node, source: nothing)
    found = fuzz.run("invalid", seed=1, count=40)
    assert [what for what in found if what.startswith("accepted")]


def test_a_spec_that_hangs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "LIMIT_S", 0.05)
    monkeypatch.setattr(fuzz.source, "parse", endless)
    draw = random.Random(1)
    with pytest.raises(fuzz.Slow):
        fuzz.strings(draw, fuzz.specs())


ODD = "\0\x1b\r\n\x85\u2028'\"\\`{}[]<>#%:|-= ab0"
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(CHARACTERS, max_size=40) | st.text(alphabet=ODD, max_size=30)
KEY = st.from_regex(r"[a-z]\w{0,8}", fullmatch=True) | TEXT
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEY, PLAIN, min_size=1, max_size=4))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_yaml_that_is_written_reads_back(document: dict[str, object]) -> None:
    written = to_yaml(document)
    assert all(c.isprintable() or c == "\n" for c in written)
    assert repr(mutate.plain(source.parse(written, "a.yaml"))) == repr(document)


@given(TEXT)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_every_medium_takes_any_text(text: str) -> None:
    assert escape.show_lines(text).count("\n") == text.count("\n")
    for shown in (escape.show(text), escape.annotation(text), escape.markdown(text),
                  escape.markdown_code(text), escape.markdown_comment(text), escape.comment(text),
                  escape.docstring(text), escape.literal(text)):  # fmt: skip
        assert "\n" not in shown
        assert all(c.isprintable() for c in shown)
