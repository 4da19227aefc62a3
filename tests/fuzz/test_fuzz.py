"""The small tier: 20,000 mutated specs, 10,000 hostile texts, ways out of a folder, and hypothesis.

The large tier is the same program with larger counts: see docs/security.md.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import random
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcompiler
from archcompiler import codes, escape, locate, lock, source
from archcompiler.yaml_writer import to_yaml

HERE = Path(__file__).parent
posix = pytest.mark.skipif(os.name != "posix", reason="uses links and pipes")


def _load(name: str) -> ModuleType:
    """Import a file of this folder, whose name is too common for the path of all tests."""
    spec = importlib.util.spec_from_file_location(f"archc_fuzz_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzz = _load("run")
mutate, paths, trial, violate, watch = (
    sys.modules[name] for name in ("mutate", "paths", "trial", "violate", "watch")
)


@pytest.mark.parametrize("seed", range(1, 5))
def test_mutated_specs_are_good_or_refused(seed: int) -> None:
    found = fuzz.run("mutate", seed=seed, count=5_000)
    assert not [what for what in found if what.startswith("CRASH")]
    assert len(found) > 25
    assert found["good"] > 250


def test_wrong_specs_are_refused_at_the_right_line() -> None:
    assert fuzz.run("invalid", seed=1, count=500) == {"right line": 500}


def test_rules_of_every_room_are_broken() -> None:
    """Of the codes that a spec can give, those that no one line of a good spec can are listed."""
    whole = {"E101", "E102", "E103", "E107", "E109", "E110", "E113", "E115", "E310"}
    paths = {"E303", "E305", "E317", "E321"}  # these have cases of their own in cases/errors
    broken = {code for rule in violate.RULES for code in rule.codes}
    assert {code for code in codes.CODES if code < "E5"} - broken == whole | paths


@pytest.mark.parametrize("seed", range(1, 5))
def test_hostile_text_stays_text(seed: int) -> None:
    assert fuzz.run("strings", seed=seed, count=2_500) == {"good": 2_500}


@posix
@pytest.mark.parametrize("command", paths.COMMANDS, ids=lambda c: c[0])
def test_known_ways_out_are_refused(command: tuple[str, ...]) -> None:
    assert len(paths.ways()) >= 60
    outcomes = {paths.attempt(way, command)[1] for way in paths.ways()}
    assert outcomes == {"refused"}


@posix
def test_nothing_outside_of_a_folder_is_read() -> None:
    found = fuzz.run("paths", seed=1, count=400)
    assert set(found) == {"good", "refused"}
    assert found["good"] > 20


def _straced() -> bool:
    """Tell whether this machine lets a process be looked at."""
    if not shutil.which("strace"):
        return False
    return not subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode


@pytest.mark.skipif(not _straced(), reason="needs strace")
@pytest.mark.parametrize("mode", ["paths", "strings", "mutate"])
def test_the_kernel_sees_nothing_either(mode: str) -> None:
    root = str(Path(archcompiler.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(HERE / "syscalls.py"), mode, "--seed", "2", "--count", "100"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, f"{root}/backends"])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    figure = done.stdout.splitlines()[-1]
    assert re.fullmatch(
        rf"{mode}: 100 specs, [\d,]+ files opened, "
        "0 outside, 0 programs started, 0 addresses reached",
        figure,
    ), done.stdout + done.stderr


def test_both_parsers_read_mutated_specs_alike() -> None:
    pytest.importorskip("yaml._yaml", reason="PyYAML without libyaml")
    found = fuzz.run("loaders", seed=1, count=500)
    assert found == {"alike": 500}


def test_a_crash_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(trial, "compile_node", broken)
    assert fuzz.run("mutate", seed=1, count=40)["CRASH KeyError: 'a bug'"]
    nothing = SimpleNamespace(network=None)
    monkeypatch.setattr(trial, "compile_node", lambda node, source: nothing)
    found = fuzz.run("invalid", seed=1, count=40)
    assert [what for what in found if what.startswith("accepted")]


def test_a_spec_that_hangs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(trial, "LIMIT_S", 0.05)
    monkeypatch.setattr(source, "parse", endless)
    with pytest.raises(trial.Slow):
        fuzz.mutate(random.Random(1), fuzz.specs())


@posix
@pytest.mark.parametrize("what", ["base", "lock", "folder", "name"])
def test_a_way_out_is_seen(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the checks, archc reads what is outside, or tells of it."""
    if what == "lock":
        monkeypatch.setattr(lock, "_is_elsewhere", lambda *_: False)
    else:
        monkeypatch.setattr(locate, "is_open_spec", lambda *_: True)
    if what in ("base", "folder"):
        monkeypatch.setattr(Path, "is_relative_to", lambda *_: True)
    way = "token.yaml" if what == "name" else "../secret.yaml"
    command = ("check", "net.yaml")
    if what in ("lock", "folder"):
        way, command = "base.yaml", ("check", "net.yaml" if what == "lock" else ".")
    with pytest.raises(trial.Wrong, match=r"outside|did open"):
        paths.attempt(way, command, lock=None if what == "name" else "../secret.yaml")


def test_what_a_process_does_is_seen(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    own.mkdir()
    foreign.write_text("x", "utf-8")
    (own / "link").symlink_to(foreign)
    with watch.watch().held_to(own) as seen:
        (own / "free").write_text("x", "utf-8")
        Path(archcompiler.__file__).read_text("utf-8")
    assert seen == []
    for does in (
        foreign.read_text, (own / "link").read_text, lambda: (own / "link").write_text("y"),
        lambda: list(tmp_path.iterdir()), lambda: (own / "free").rename(tmp_path / "gone"),
        (tmp_path / "folder").mkdir, lambda: socket.socket().close(),
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: pickle.loads(pickle.dumps(Path)),
    ):  # fmt: skip
        with watch.watch().held_to(own) as seen:
            does()
        assert seen, does


def test_what_the_kernel_saw_is_sorted() -> None:
    syscalls = _load("syscalls")
    begin = f'7 access("{watch.BEGIN.format("/a/specs")}", F_OK) = -1 ENOENT'
    calls = [
        '7 openat(AT_FDCWD</a>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>', begin,
        '7 chdir("/a/specs") = 0', '7 openat(AT_FDCWD</a/specs>, "x.yaml", O_RDONLY) = 3</b/x>',
        '7 openat(AT_FDCWD</a/specs>, "x.yaml", O_RDONLY) = 3</a/specs/x.yaml>',
        '7 openat(AT_FDCWD</a/specs>, "../y", O_RDONLY) = -1 ENOENT (No such file)',
        '7 execve("/bin/true", ["true"], 0x1 /* 9 vars */) = 0',
        "7 connect(3<TCP:[1]>, {sa_family=AF_INET}, 16) = 0", f'7 access("{watch.END}", F_OK) = -1',
        '7 openat(AT_FDCWD</a>, "/etc/shadow", O_RDONLY) = 3</etc/shadow>',
    ]  # fmt: skip
    seen = syscalls.read(calls, ("/usr",))
    assert (seen.trials, seen.opened) == (1, 3)
    assert seen.outside == {"/b/x": 1, "/a/y": 1}
    assert (seen.started, seen.reached) == ({"execve": 1}, {"connect": 1})


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
