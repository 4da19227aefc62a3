"""What repeats for a million characters is read, escaped and checked in proportion.

A child process does it, with limits of what it may compute and hold that only more than that needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archcompiler import escape, gate_card, gate_python, source
from archcompiler.errors import ArchcError
from archcompiler.yaml_writer import to_yaml

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses limits of POSIX")

ROOT = Path(__file__).parents[1]
LONG = 1_000_000
SECONDS = 60
BYTES = 250_000_000
PUMPS = (
    "a", "1a ", "`", "`a", ":a", "\t", " ", "\n", "_1", "a.", "a/", "#\t", "\\", "[", "$", "#",
    "##a", "`@", "@ ", "\u3000", "\xe9", ":\xe9", "#\xe9",
)  # fmt: skip


def card(text: str) -> None:
    gate_card.check("README.md", f"<!-- a -->\n{text}\n", "a", frozenset())


def constant(text: str) -> None:
    none: frozenset[str] = frozenset()
    allowed = gate_python.Allowed(
        imports=none, names=none, attributes=none, words=none, lines=none
    )  # fmt: skip
    code = f"X = {escape.literal(text)}"
    missed, tree = gate_python.Missed(), gate_python.parsed("a.py", code)
    gate_python.Python("a.py", code, tree, allowed, none, {}, missed).check()


READERS: dict[str, Callable[[str], object]] = {
    "escaped card": lambda text: card(escape.markdown(text)),
    "card": card,
    "constant": constant,
    "code span": escape.markdown_code,
    "comment of Markdown": escape.markdown_comment,
    "comment of Python": escape.comment,
    "docstring": escape.docstring,
    "log": lambda text: escape.show_lines(f"::##{text}"),
    "log of what is shown already": escape.no_commands,
    "annotation": lambda text: escape.annotation(f"##{text}"),
    "JSON": lambda text: escape.json_document(f"##{text}"),
    "YAML": lambda text: to_yaml({"a": f"##{text}"}),
    "scalar": lambda text: source.parse(f"a: b{text}", "a.yaml"),
    "comment": lambda text: source.parse(f"a: b{' ' * LONG}#{text}", "a.yaml"),
}


def read(reader: str) -> None:
    """Give a reader every long text; it may refuse it."""
    spans = "".join("`" * number + " " for number in range(1, 1400))
    for text in (*(pump * (LONG // len(pump)) + "!" for pump in PUMPS), spans):
        try:
            READERS[reader](text)
        except (ArchcError, gate_python.UnsafeOutput):
            continue


@pytest.mark.parametrize("reader", READERS)
def test_long_texts_end(reader: str) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_{0}, ({1}, {1}))".format
    limits = f"import resource; {limit('CPU', SECONDS)}; {limit('DATA', BYTES)}"
    code = f"{limits}; import test_patterns; test_patterns.read({reader!r})"
    path = ":".join(map(str, (ROOT, ROOT / "backends", Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]
