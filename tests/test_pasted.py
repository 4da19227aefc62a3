"""The commands that archc shows: pasted into a shell, they run nothing that a file's name says."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_node
from archcompiler.lock import lock_path
from archcompiler.source import parse

CASES = Path(__file__).parent / "cases" / "lock"
GOOD, LOCK = ((CASES / f"good.{kind}").read_text("utf-8") for kind in ("yaml", "lock"))
ODD_NAMES = ("a$(touch PWNED)`id`.yaml", "two words.yaml", "it's.yaml", "a;b&c.yaml", "-o.yaml")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.skipif(os.name == "nt", reason="no file is called so there")
@pytest.mark.parametrize("state", ["drifted", "broken", "a link", "none", "reformatted"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_command_of_a_hint_is_that_file_s_own(
    name: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever pastes it into a shell runs archc on this file, and nothing that its name says."""
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / name
    spec.write_text(GOOD, "utf-8")
    path, text = lock_path(spec), LOCK
    if state == "a link":
        path.symlink_to("elsewhere")
    elif state == "broken":
        path.write_text("archc_lock: 1\n<<<<<<<\n")
    elif state != "none":
        old, new = ("params: 448", "params: 449") if state == "drifted" else ("}\n", " }\n")
        path.write_text(text.replace(old, new))
    found = " ".join(run("lock", "--check", ".").stdout.split())
    shown = re.search(r"`(archc lock .*yaml'?)` writes", found)
    assert shown
    words = shlex.split(shown[1], comments=True)
    assert words[:2] == ["archc", "lock"]
    assert [Path(word) for word in words[2:]] == [Path(name)]
    assert not words[2].startswith("-")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_command_for_another_size_names_files_quoted(name: str) -> None:
    spec = "archc: 1\nname: a\ninput: 8x8x3\nstem: []\nbody: []\nheads: {Logits: []}\n"
    network = compile_node(parse(spec, name), source=name).network
    network = dataclasses.replace(network, changes=("Logits.x=[1, 2]",))
    words = shlex.split(network.command_for_size("torch"))
    file = f"./{name}" if name.startswith("-") else name
    assert words == ["archc", "build", file, "-b", "torch", "Logits.x=[1, 2]", "input=HxW"]


def test_the_command_for_the_schema_names_a_folder_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a $(id)").mkdir()
    said = run("new", "a $(id)/mine", "--from", "googlenet").stdout
    assert "archc schema > 'a $(id)/archc.schema.json'" in said
