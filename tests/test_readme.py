"""Every console block of the README does what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEVELOPMENT = ".[dev]"


@dataclass(frozen=True)
class Shown:
    """One command of a console block, with the output below it."""

    command: str
    output: str


def shown(text: str) -> list[Shown]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append(Shown(command, output))
    return found


COMMANDS = shown(README)
SET_UP = [s for s in COMMANDS if "pip install" in s.command]
OTHERS = [s for s in COMMANDS if "pip install" not in s.command]


def matches(expected: str, actual: str) -> bool:
    """Compare line by line; `...` stands for the rest of a line, alone for any lines."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            head, dots, tail = line.partition("...")
            wild = dots and not tail
            pattern += re.escape(head if wild else line) + (r".*\n" if wild else r"\n")
    return re.fullmatch(pattern, actual) is not None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a clone has."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("tests/", ".")) or not (ROOT / name).exists():
            continue
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return tmp_path


def run(command: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "100"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_wildcards_can_fail() -> None:
    assert matches("a\nb ...\n", "a\nb c\n")
    assert not matches("a\nb ...\n", "a\nc c\n")
    assert matches("a\n...\nz\n", "a\nb\nc\nz\n")
    assert not matches("a\n...\nz\n", "a\nb\nc\n")
    assert not matches("a\n", "a\nb\n")


@pytest.mark.parametrize("example", OTHERS, ids=lambda s: s.command)
def test_a_command_prints_what_the_readme_shows(example: Shown, checkout: Path) -> None:
    here = str(Path(sys.executable).parent)
    done = run(example.command, checkout, f"{here}{os.pathsep}{os.environ['PATH']}")
    if not matches(example.output, done.stdout + done.stderr):
        assert done.stdout + done.stderr == example.output
    assert done.returncode == (1 if "error[" in example.output else 0)


def test_there_are_two_set_up_commands() -> None:
    assert len(SET_UP) == 2
    bare, full = SET_UP
    assert "dev" not in bare.command
    assert DEVELOPMENT in full.command
    assert full.command.endswith(".venv/bin/pytest -n auto"), "what .ci/run runs"


def test_the_first_set_up_command_builds_inception_without_a_framework(checkout: Path) -> None:
    done = run(SET_UP[0].command, checkout, os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    assert (checkout / "out/inception_v3-torch/model.py").is_file()
    installed = [p.name for p in checkout.glob(".venv/lib/python3*/site-packages/*")]
    assert "click" in installed
    heavy = {"torch", "tensorflow", "keras", "numpy"} & set(installed)
    assert not heavy, heavy


def test_the_first_picture_comes_early() -> None:
    lines = README.splitlines()
    assert lines.index("```console") < 20


def test_the_yaml_of_the_readme_is_a_network(tmp_path: Path) -> None:
    from archcompiler.compiler import compile_file

    block, variant = re.findall(r"^```yaml\n(.*?)^```", README, re.M | re.S)
    shipped = ROOT / "specs" / "inception_v3_fid.yaml"
    assert variant == shipped.read_text("utf-8")
    (tmp_path / "tiny.yaml").write_text(block, encoding="utf-8")
    network = compile_file(tmp_path / "tiny.yaml").network
    assert [e.name for e in network.end_points] == ["Conv_1", "Mixed_1", "Mixed_2", "Logits"]
