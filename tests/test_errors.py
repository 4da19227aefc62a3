"""What somebody reads who made a mistake: every file in cases/errors has its exact text.

Each case is a spec `NAME.yaml` and `NAME.txt`: the command, what it prints, and its exit code where
that is not 1. To write the texts anew after a message changed, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_errors.py && git diff tests/cases/errors
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler import lost
from archcompiler.cli import main
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.source import parse
from archcompiler.texts import Texts

CASES = Path(__file__).parent / "cases" / "errors"
SOURCES = Path(__file__).parents[1] / "archcompiler"
NAMES = sorted({path.stem for path in CASES.iterdir() if path.is_file()})

# Codes of files, folders and the environment; of the others a spec alone is the cause.
NOT_OF_A_SPEC = {"E101", "E102", "E113", *(f"E{n}" for n in range(500, 1000))} - {"E704"}


def run(command: str) -> str:
    """Return what a case's text holds: the command, its output, its exit code."""
    words = command.split()
    assert words[:2] == ["$", "archc"]
    result = CliRunner().invoke(main, words[2:])
    assert words[2] != "check" or not result.stderr
    code = "" if result.exit_code == 1 else f"(exit code {result.exit_code})\n"
    return f"{command}\n{result.stdout}{result.stderr}{code}"


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (CASES / f"{name}.yaml").is_file(), f"{name}.txt has no spec: remove it"
    monkeypatch.chdir(CASES)
    path = CASES / f"{name}.txt"
    wanted = path.read_text("utf-8") if path.exists() else ""
    command = wanted.partition("\n")[0] or f"$ archc check {name}.yaml"
    found = run(command)
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == wanted


def test_assignments_that_hints_give_are_read() -> None:
    texts = [path.read_text("utf-8") for path in CASES.glob("line_*.txt")]
    hints = {
        hint for text in texts for hint in re.findall(r"hint: write `?([^`\s]+=[^`\s]+)", text)
    }
    assert len(hints) > 10
    for hint in hints:
        found = re.findall(r"error\[(E\d+)\]", run(f"$ archc check inception_v3 {hint}"))
        assert {"E201", "E204", "E310", "E704"}.isdisjoint(found), hint


def test_what_mistakes_are_laid_beside_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 patches of nothing, each could go through all the layers of the spec anew."""
    layers = "".join(f"  - {{conv: 4, kernel: 1, name: C{n}}}\n" for n in range(30))
    wrong = "".join(f"  - {{set: X{n}/kernel, conv: 3}}\n" for n in range(30))
    start = "archc: 1\nname: x\ninput: 8x8x3\ndefaults: {conv: {padding: same}}\n"
    spec = (
        f"{start}stem: {{conv: 4, kernel: 1, name: S}}\nbody:\n{layers}"
        f"heads: {{Logits: [global_avg_pool]}}\npatch:\n  - {{remove: C0}}\n{wrong}"
    )
    made: list[str] = []
    read, lines = Texts.__post_init__, lost.Lines.of
    monkeypatch.setattr(Texts, "__post_init__", lambda self: made.append("texts") or read(self))
    monkeypatch.setattr(lost.Lines, "of", lambda paths: made.append("lines") or lines(paths))
    with pytest.raises(ArchcError) as failure:
        compile_node(parse(spec, "x.yaml"), source="x.yaml")
    assert len(failure.value.diagnostics) == 30, failure.value
    assert sorted(made) == ["lines", "texts"]


def test_every_code_has_a_case() -> None:
    texts = "".join(path.read_text("utf-8") for path in CASES.glob("*.txt"))
    shown = set(re.findall(r"(?:error|note)\[(E\d{3})\]", texts))
    codes = {
        code
        for path in SOURCES.rglob("*.py")
        for code in re.findall(r'"(E\d{3})"', path.read_text("utf-8"))
    }
    assert codes - NOT_OF_A_SPEC == shown - NOT_OF_A_SPEC


def test_nothing_drives_the_terminal() -> None:
    for path in CASES.glob("*.txt"):
        text = path.read_text("utf-8")
        odd = {c for c in text if not c.isprintable() and c != "\n"}
        assert not odd, f"{path.name} holds {odd}"


def test_snippets_fit_in_80_columns() -> None:
    for path in CASES.glob("*.txt"):
        for line in path.read_text("utf-8").splitlines():
            assert len(line) <= 80 or not line.startswith("   |"), f"{path.name}: {line}"
