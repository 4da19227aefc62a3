"""`archc new`: every commented line of a new variant may lose its `#`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_file
from archcompiler.locate import shipped


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*words: str) -> Result:
    return CliRunner().invoke(main, ["new", *words])


def sections(text: str) -> list[list[str]]:
    """Return the commented parts behind the explanation, without their `#`."""
    parts = text.split("\n\n")[2:]
    return [[re.sub(r"^# ", "", line) for line in part.splitlines()] for part in parts]


@pytest.mark.parametrize("base", sorted(shipped()))
def test_is_the_base_as_written(base: str) -> None:
    assert new("mine", "--from", base).exit_code == 0
    mine, theirs = compile_file(Path("mine.yaml")).network, compile_file(shipped()[base]).network
    assert mine.name == "mine"
    assert mine.lineage[0] == base
    assert mine.totals() == theirs.totals()
    assert [e.name for e in mine.end_points] == [e.name for e in theirs.end_points]


@pytest.mark.parametrize("base", sorted(shipped()))
def test_every_place_to_start_is_right(base: str) -> None:
    new("mine", "--from", base)
    text = Path("mine.yaml").read_text("utf-8")
    head = "\n".join(line for line in text.splitlines() if not line.startswith("# "))
    found = sections(text)
    assert {part[0].split(":")[0] for part in found} >= {"input", "params", "defaults", "patch"}
    trials = [part for part in found if len(part) == 1 or not part[0].startswith("patch")]
    trials += [["patch:", line] for part in found for line in part[1:] if "patch" in part[0]]
    for lines in [*trials, [line for part in found for line in part]]:
        Path("tried.yaml").write_text(head + "\n".join(lines) + "\n", "utf-8")
        compile_file(Path("tried.yaml"))


def test_a_file_below_is_named_by_its_way(folder: Path) -> None:
    (folder / "bases").mkdir()
    (folder / "bases" / "net.yaml").write_bytes(shipped()["googlenet"].read_bytes())
    assert new("mine", "--from", "bases/net.yaml").exit_code == 0
    assert "\nextends: bases/net.yaml\n" in Path("mine.yaml").read_text("utf-8")
    refused = new("bases/inner/mine", "--from", "bases/net.yaml")
    assert refused.exit_code == 2
    assert "error[E114]" in refused.stderr


def test_nothing_is_overwritten(folder: Path) -> None:
    (folder / "mine.yaml").write_text("kept", "utf-8")
    found = new("mine", "--from", "googlenet")
    assert found.exit_code == 2
    assert "error[E601] mine.yaml is there already" in found.stderr
    assert (folder / "mine.yaml").read_text("utf-8") == "kept"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("aux", "--from", "googlenet"), "device on Windows"),
        (("a-b", "--from", "googlenet"), "letters, digits and _ only"),
        (("mine", "--from", "googlenett"), "did you mean `googlenet`?"),
        (("nowhere/mine", "--from", "googlenet"), "cannot write nowhere/mine.yaml"),
        (("mine",), "--from"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str) -> None:
    found = new(*words)
    assert found.exit_code == 2
    assert said in found.stderr
    assert not Path("mine.yaml").exists()
