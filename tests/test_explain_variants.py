"""What people read about variants: every file in cases/explain is commands and what they print.

Each line that begins with `$ ` is a command, behind it stands its output, on 80 columns where it
does not say how many, and its exit code where that is not 0. To write the texts anew, and then to
read each of them:

    ARCHC_UPDATE=1 pytest tests/test_explain_variants.py && git diff tests/cases/explain
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler.cli import main

CASES = Path(__file__).parent / "cases" / "explain"
NAMES = sorted(path.stem for path in CASES.glob("*.txt"))
COMMAND = re.compile(r"\$ (?:COLUMNS=(\d+) )?archc (.+)")


def ran(command: str) -> str:
    """Return a command and what it prints."""
    parts = COMMAND.fullmatch(command)
    assert parts, command
    columns = parts[1] or "80"
    result = CliRunner(env={"COLUMNS": columns}).invoke(main, parts[2].split())
    assert max(map(len, result.output.splitlines())) <= int(columns)
    code = f"(exit code {result.exit_code})\n" if result.exit_code else ""
    return f"{command}\n{result.output}{code}"


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    path = CASES / f"{name}.txt"
    wanted = path.read_text("utf-8")
    commands = [line for line in wanted.splitlines() if line.startswith("$ ")]
    found = "\n".join(map(ran, commands))
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == wanted


def test_every_spec_is_asked_about() -> None:
    texts = "".join(path.read_text("utf-8") for path in CASES.glob("*.txt"))
    assert all(f" {path.name} " in texts for path in CASES.glob("*.yaml"))
