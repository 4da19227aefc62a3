"""The command line: arguments, formats, exit codes, and what it costs to start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from archcompiler import __version__, compiler, locate
from archcompiler.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
GOOD = """\
archc: 1
name: {name}
input: 32x32x3
params: {{classes: 10}}
defaults: {{conv: {{padding: same}}}}
stem: {{conv: 8, kernel: 3, name: Conv_1, expect: 32x32x8}}
body: {{conv: 8, kernel: 3, stride: 2, name: Conv_2}}
heads: {{Logits: [global_avg_pool, {{dense: $classes, name: fc}}]}}
"""
LINE = "small  32x32x3 -> Logits 10   898 weights   368.720 kMACs   3 end points\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def process(words: Sequence[str], **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archcompiler"]
    return subprocess.run([*command, *words], text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a good spec, a wrong one, and what is no spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(GOOD.format(name="small"))
    (tmp_path / "wrong.yml").write_text(GOOD.format(name="wrong").replace("conv: 8", "cnov: 8", 1))
    (tmp_path / ".hidden.yaml").write_text("settings: of something else")
    (tmp_path / "notes.txt").write_text("no spec")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "other.yaml").write_text(GOOD.format(name="other"))
    return tmp_path


# check


def test_check_good(folder: Path) -> None:
    result = run("check", "small.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, LINE, "")


def test_check_inception() -> None:
    result = run("check", "inception_v3")
    assert result.exit_code == 0
    assert result.stdout == (
        "inception_v3  299x299x3 -> Logits 1000   5.713 GMACs   22 end points\n"
        "  27,179,376 weights (23,851,784 without training heads)\n"
    )


def test_check_shows_the_good_and_the_wrong(folder: Path) -> None:
    (folder / "zoo.yaml").write_text(GOOD.format(name="zoo"))
    result = run("check", ".", "--format", "concise")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "small  32x32x3 -> Logits 10   898 weights   368.720 kMACs   3 end points",
        "wrong.yml:6:8: error[E202] `cnov` is no op",
        "zoo    32x32x3 -> Logits 10   898 weights   368.720 kMACs   3 end points",
        "3 specs: 2 good, 1 wrong",
    ]
    assert result.stderr == ""


def test_check_with_assignments(folder: Path) -> None:
    result = run("check", "small.yaml", "classes=5", "input=16x16", "Conv_2.conv=4")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("small  16x16x3 -> Logits 5   541 weights")
    assert "note[E406]" in lines[1]


def test_errors_of_the_command_line_say_which_spec(folder: Path) -> None:
    result = run("check", "small.yaml", "deeper/other.yaml", "classes=ten")
    assert result.exit_code == 1
    assert re.findall(r"^   spec  (.+)$", result.stdout, re.M) == [
        "small.yaml",
        "deeper/other.yaml",
    ]
    assert "2 specs: 0 good, 2 wrong" in result.stdout
    assert "spec  " not in run("check", "small.yaml", "classes=ten").stdout


def test_json_is_one_document(folder: Path) -> None:
    result = run("check", "small.yaml", "wrong.yml", "--format", "json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    assert (found["code"], found["file"], found["line"]) == ("E202", "wrong.yml", 6)
    good = run("check", "small.yaml", "--format=json")
    assert (good.exit_code, json.loads(good.stdout)) == (0, [])
    missing = run("check", "nothing.yaml", "--format=json")
    assert (missing.exit_code, missing.stderr) == (2, "")
    assert [d["code"] for d in json.loads(missing.stdout)] == ["E703"]


def test_github_annotations(folder: Path) -> None:
    lines = run("check", ".", "--format", "github").stdout.splitlines()
    marked = [line for line in lines if line.startswith("::")]
    assert marked == [
        "::error file=wrong.yml,line=6,col=8,title=E202::"
        "`cnov` is no op%0Ahint: did you mean `conv`?"
    ]


def test_unreadable_outweighs_wrong(folder: Path) -> None:
    (folder / "pipe.yaml").symlink_to(folder / "gone")
    result = run("check", "wrong.yml", "pipe.yaml")
    assert result.exit_code == 2
    assert "E202" in result.stdout
    assert "error[E101] cannot read pipe.yaml: no such file or directory" in result.stdout


def test_what_may_not_be_looked_at_is_not_called_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()

    def denied(word: object) -> None:
        raise PermissionError(13, "Permission denied", str(word))

    monkeypatch.setattr("archcompiler.locate.os.listdir", denied)
    monkeypatch.setattr("archcompiler.locate.os.lstat", denied)
    said = "cannot read the folder closed: permission denied"
    assert said in run("check", "closed").stdout
    assert "cannot read gone.yaml: permission denied" in run("check", "gone.yaml").stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_folders_do_not_make_it_wait(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    (folder / "trap.yaml").mkdir()
    assert run("check", "fifo.yaml").exit_code == 2
    assert run("check", ".").exit_code == 2
    assert "holds no spec" in run("check", "trap.yaml").stdout


def test_large_files(folder: Path) -> None:
    (folder / "large.yaml").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    result = run("check", "large.yaml")
    assert result.exit_code == 1
    assert result.stdout == "error[E102] large.yaml is larger than 4 MiB\n"


def test_paths_are_shown_escaped(folder: Path) -> None:
    name = "a\x1b[31m\n::stop-commands::x.yaml"
    (folder / name).write_text(GOOD.format(name="small").replace("archc: 1", "archc: 2"))
    for form in ("full", "concise", "json", "github"):
        text = run("check", name, "--format", form).stdout
        assert "\x1b" not in text
        assert "\n::stop" not in text


# locate


def test_folders_are_sorted_and_not_searched(folder: Path) -> None:
    found = locate.locate([".", "small.yaml", str(folder / "deeper")])
    assert list(map(str, found.specs)) == [
        "small.yaml",
        "wrong.yml",
        str(folder / "deeper" / "other.yaml"),
    ]


def test_what_exists_wins(folder: Path) -> None:
    (folder / "lr=0.1.yaml").write_text(GOOD.format(name="small"))
    found = locate.locate(["lr=0.1.yaml", "classes=3"])
    assert list(map(str, found.specs)) == ["lr=0.1.yaml"]
    assert [a.target for a in found.assignments] == ["classes"]
    (folder / "inception_v3").mkdir()
    assert locate.locate(["inception_v3"]).specs[0].name == "inception_v3.yaml"
    (folder / "inception_v3" / "mine.yaml").write_text("")
    assert locate.locate(["inception_v3"]).specs == (Path("inception_v3", "mine.yaml"),)


def test_shipped_specs_are_those_of_the_folder() -> None:
    assert set(locate.shipped()) == {p.stem for p in (ROOT / "specs").glob("*.yaml")}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "inception_v33",
            "there is no spec `inception_v33`\n   hint: did you mean `inception_v3`?",
        ),
        ("smal.yaml", "there is no file smal.yaml\n   hint: did you mean `small.yaml`?"),
        ("no/such.yaml", "there is no file no/such.yaml\n"),
        ("inception_v3.yaml", "no file inception_v3.yaml\n   hint: did you mean `inception_v3`?"),
        ("xyz", "there is no spec `xyz`\n   hint: give a .yaml file, a folder, or one of "),
        ("", "there is no spec ``"),
        ("a\0b", r"there is no spec `a\x00b`"),
        ("x" * 5000, "there is no spec `xxx"),
        ("empty", "the folder empty holds no spec\n   hint: a spec ends in .yaml or .yml"),
    ],
)
def test_no_such_spec(folder: Path, word: str, message: str) -> None:
    (folder / "empty").mkdir()
    result = run("check", word)
    assert result.exit_code == 2
    assert result.stdout.startswith("error[E703] ")
    assert message in result.stdout


def test_all_wrong_words_are_told(folder: Path) -> None:
    result = run("check", "xyz", "small.yaml", "=3", "smal.yaml")
    assert result.exit_code == 2
    assert re.findall(r"\[(E\d+)\]", result.stdout) == ["E703", "E704", "E703"]


def test_assignments_alone_are_no_spec() -> None:
    result = run("check", "input=3x3")
    assert result.exit_code == 2
    assert "say which spec" in result.stderr


# The group


def test_version() -> None:
    assert run("--version").stdout == f"archc {__version__}\n"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits(command: str | None) -> None:
    result = run(*([command] if command else []), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "Usage: archc " if command is None else f"Usage: archc {command}"
    )
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_every_command_is_a_module_with_help() -> None:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.help
        assert name in run("--help").stdout
    others = {"__init__", "common", "backends"}
    assert {p.stem for p in (ROOT / "archcompiler" / "commands").glob("*.py")} - others == set(
        COMMANDS
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chekc", "a"], "there is no command 'chekc', did you mean `check`?"),
        (["sumary"], "did you mean `summary`?"),
        (["fly"], "there is no command 'fly'\n"),
        (["check", "a", "--fromat", "json"], "--format"),
        (["check", "a", "--format", "xml"], "'github'"),
        (["check"], "Missing argument"),
        (["summary", "inception_v3", "googlenet"], "takes one spec, got 2: "),
    ],
)
def test_usage(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_errors_of_other_commands_go_to_stderr(folder: Path) -> None:
    for command in ("summary", "resolve"):
        result = run(command, "wrong.yml")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "wrong.yml:6:8: error[E202] `cnov` is no op" in result.stderr


def test_notes_go_to_stderr(folder: Path) -> None:
    result = run("summary", "small.yaml", "input=16x16")
    assert result.exit_code == 0
    assert "note[E406]" in result.stderr
    assert "note" not in result.stdout


def test_bug(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def fails(*_: object) -> None:
        raise KeyError("first\nsecond \x1b[2J")

    monkeypatch.setattr(compiler, "validate", fails)
    result = run("check", "small.yaml")
    assert result.exit_code == 2
    assert "this is a bug in archc, not in your spec" in result.stderr
    assert result.stderr.splitlines()[-1] == r"KeyError: 'first\nsecond \x1b[2J'"
    assert "Traceback" not in result.stderr
    assert "Traceback" in run("--debug", "check", "small.yaml").stderr
    monkeypatch.setenv("ARCHC_DEBUG", "1")
    assert "Traceback" in run("check", "small.yaml").stderr


def test_interrupt(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiler, "validate", interrupted)
    result = run("check", "small.yaml")
    assert (result.exit_code, result.stderr) == (130, "archc: interrupted\n")


# Processes


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], "pydantic yaml jinja2"),
        (["--version"], "pydantic yaml jinja2"),
        (["explain", "E402"], "pydantic yaml jinja2"),
        (["check", "inception_v3"], "jinja2"),
        (["summary", "inception_v3"], "jinja2"),
        (["resolve", "inception_v3"], "jinja2"),
        (["lock", "inception_v3"], "jinja2"),
        (["diff", "inception_v3", "inception_v3"], "jinja2"),
        (["schema"], "jinja2"),
        (["env"], "yaml jinja2"),
        (["build", "inception_v3", "-b", "torch", "-b", "tensorflow"], ""),
        (["verify", "--help"], ""),
        (["bench", "--help"], ""),
        (["weights", "import", "--help"], ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_imports_are_light(tmp_path: Path, words: list[str], unwanted: str) -> None:
    code = (
        "import sys\nfrom archcompiler.cli import main\n"
        "try:\n    main(prog_name='archc')\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "tensorflow", "keras", "numpy", "safetensors", "h5py", *unwanted.split()}
    assert not heavy & set(done.stderr.splitlines()[-1].split())


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.parametrize("words", [["summary", "inception_v3"], ["check", "."], ["--help"]])
def test_nobody_reads(folder: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = process(words, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [["check", "small.yaml"], ["check", "--help"], ["--help"], ["-h"], ["--version"]],
    ids=" ".join,
)
def test_full_disk(folder: Path, words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = process(words, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, "archc: no space left on device\n")


def test_poor_environments(folder: Path) -> None:
    spec = GOOD.format(name="small").replace("archc: 1", "archc: 2  # é 畳")
    (folder / "odd.yaml").write_text(spec, "utf-8")
    for changed in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
        {"COLUMNS": "20"},
        {"HOME": ""},
    ):
        environment = {k: v for k, v in os.environ.items() if k != "TERM"} | changed
        done = subprocess.run(
            [sys.executable, "-m", "archcompiler", "check", "odd.yaml"],
            capture_output=True,
            env=environment,
        )
        assert done.returncode == 1
        assert done.stderr == b""
        assert b"error[E207]" in done.stdout
