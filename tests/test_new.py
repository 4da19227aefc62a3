"""`archc new`: every commented line of a new variant may lose its `#`."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_file, compile_node, trace_file
from archcompiler.locate import shipped
from archcompiler.source import parse
from archcompiler.variant import places, start


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = Path(__file__).parent / "cases" / "new"
SMALL = "archc: 1\nname: small\ninput: 8x8x3\nstem: []\nbody: []\nheads: {Logits: []}\n"


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


def base_of(name: str, folder: Path) -> str:
    """Return the word for a shipped spec, or for a copy of a case."""
    if name in shipped():
        return name
    shutil.copytree(CASES, folder, dirs_exist_ok=True)
    return f"{name}.yaml"


@pytest.mark.parametrize(
    "name", [*sorted(shipped()), *sorted(p.stem for p in CASES.glob("*.yaml"))]
)
def test_every_place_to_start_is_right(name: str, folder: Path) -> None:
    base = base_of(name, folder)
    assert new("mine", "--from", base).exit_code == 0
    text = Path("mine.yaml").read_text("utf-8")
    head = "\n".join(line for line in text.splitlines() if not line.startswith("# "))
    found = sections(text)
    assert {part[0].split(":")[0] for part in found} >= {"input", "params", "defaults", "patch"}
    trials = [part for part in found if len(part) == 1 or not part[0].startswith("patch")]
    trials += [["patch:", line] for part in found for line in part[1:] if "patch" in part[0]]
    for lines in [*trials, [line for part in found for line in part]]:
        Path("tried.yaml").write_text(head + "\n".join(lines) + "\n", "utf-8")
        compile_file(Path("tried.yaml"))


def test_no_word_of_the_base_is_code(folder: Path) -> None:
    """Whatever the base's words are, the variant says what it extends and nothing else."""
    assert new("mine", "--from", base_of("hostile", folder)).exit_code == 0
    text = Path("mine.yaml").read_text("utf-8")
    live = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line.partition(":")[0] for line in live] == ["archc", "name", "summary", "extends"]
    mine = compile_file(Path("mine.yaml")).network
    assert mine.params == compile_file(Path("hostile.yaml")).network.params
    assert "blocks/rep/R/own" in text, "what repeats has no path in a template"
    assert "name: Dropout_2}" in text
    assert "`archc summary hostile.yaml` shows every path" in text


@pytest.mark.parametrize("name", ["a #b", "'q", "[x]", "&a", "my net", "123", "-x", "null", "{a}"])
def test_any_name_of_a_file_that_can_be_extended(name: str, folder: Path) -> None:
    (folder / f"{name}.yaml").write_text(SMALL, "utf-8")
    assert new("mine", f"--from={name}.yaml").exit_code == 0
    assert compile_file(Path("mine.yaml")).network.lineage == ("small",)


@pytest.mark.parametrize("name", ["a: b", "a~b", "a$b", "a\nb: c", "s\udcff\udcfe", ".a"])
def test_a_name_that_cannot_be_extended(name: str, folder: Path) -> None:
    try:
        (folder / f"{name}.yaml").write_text(SMALL, "utf-8")
    except (OSError, UnicodeError):
        pytest.skip("no file is called so here")
    found = new("mine", "--from", f"{name}.yaml")
    assert found.exit_code == 2
    assert "error[E114] no `extends` can say `" in found.stderr
    assert not Path("mine.yaml").exists()


def test_the_summary_it_names_is_one(folder: Path) -> None:
    (folder / "bases").mkdir()
    for base in ("googlenet", "bases/small net.yaml"):
        if base not in shipped():
            shown = SMALL.replace("body: []", "body: [{dropout: 0.1, name: d}]")
            (folder / base).write_text(shown, "utf-8")
        Path("mine.yaml").unlink(missing_ok=True)
        assert new("mine", "--from", base).exit_code == 0
        named = re.search(r"`archc (summary .*)` shows", Path("mine.yaml").read_text("utf-8"))
        assert named
        assert CliRunner().invoke(main, shlex.split(named[1])).exit_code == 0


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


@pytest.mark.parametrize("base", sorted(shipped()))
def test_examples_are_tried_together_first(base: str) -> None:
    """A large network is compiled once for them, not once for each."""
    trace = trace_file(shipped()[base])
    first = start("mine", base, trace.network)
    tried: list[str] = []

    def holds(text: str) -> bool:
        tried.append(text)
        compile_node(parse(text, "mine.yaml"), source="mine.yaml")
        return True

    shown = places(first, trace.spec, trace.network, base, holds)
    assert len(tried) == 1
    assert len(tried[0].splitlines()) > len(first.splitlines()) + 3
    assert set(tried[0].removeprefix(first).split("\n")) <= {
        line.removeprefix("# ") for line in shown.split("\n")
    }
