"""Hostile and broken input: the numbered cases of docs/security.md, each with its exact text.

`cases/hostile/NNN_NAME.yaml` is a spec and `NNN_NAME.txt` the command with what it prints, as in
cases/errors; what is too large or too odd for a file that people read is made by `MADE`. To write
the texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_hostile.py && git diff tests/cases/hostile
"""

from __future__ import annotations

import ast
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_file
from archcompiler.extends import chain
from archcompiler.ir_json import to_json
from archcompiler.merge import merge
from archcompiler.source import load
from archcompiler.validate import validate

TESTS = Path(__file__).parent
CASES = TESTS / "cases" / "hostile"
GOOD = """\
archc: 1
name: small
input: 32x32x3
params: {n: 8}
defaults: {conv: {padding: same}}
stem: {conv: $n, kernel: 3, name: Conv_1}
body: []
heads: {Logits: [global_avg_pool, {dense: 10, name: fc}]}
"""
DEEP = 2_000
MADE: dict[str, Callable[[], bytes]] = {
    "010_brackets": lambda: b"[" * 30_000,
    "010_brackets_by_the_million": lambda: b"[" * 1_000_000,
    "010_maps": lambda: b"".join(b"%sa:\n" % (b" " * n) for n in range(DEEP)),
    "010_flow_maps": lambda: b"{a: " * 100_000,
    "010_closing_braces": lambda: b"archc: 1\na: {b: ${" + b"}" * 200_000 + b", c: 1}\n",
    "010_sequences": lambda: b"- " * 100_000,
    "013_nul": lambda: GOOD.encode().replace(b"small", b"sm\0all"),
    "013_escape": lambda: GOOD.encode().replace(b"small", b"sm\x1ball"),
    "013_surrogate": lambda: GOOD.encode().replace(b"small", b"sm\xed\xa0\x80all"),
    "013_escaped_surrogate": lambda: GOOD.encode().replace(b"small", b'"sm\\ud800all"'),
    "013_key_behind_a_comment": lambda: f"{GOOD}# x\u2028y: z\n".encode(),
    "013_key_behind_a_carriage_return": lambda: f"{GOOD}# x\ry: z\n".encode(),
    "013_noncharacter": lambda: GOOD.encode().replace(b"small", b"sm\xef\xbf\xbfall"),
    "014_utf_16": lambda: GOOD.encode("utf-16"),
    "014_utf_16_without_mark": lambda: GOOD.encode("utf-16-le"),
    "014_latin_1": lambda: GOOD.replace("small", "sm\xe4ll").encode("latin-1"),
    "014_random": lambda: random.Random(14).randbytes(4 * 1024 * 1024),
    "017_five_megabytes": lambda: b"# " + b"x" * 5 * 1024 * 1024,
    "020_5000_digits": lambda: GOOD.encode().replace(b"32x32x3", b"9" * 5_000),
    "020_20000_hexadecimal_digits": lambda: GOOD.encode().replace(
        b"32x32x3", b"0x" + b"f" * 20_000
    ),
    "042_nodes": lambda: GOOD.encode().replace(
        b"body: []", b"body:\n" + b"  - {conv: 8, kernel: 1}\n" * 70_000
    ),
}
NAMES = sorted({*(path.stem for path in CASES.glob("[0-9]*")), *MADE})

TOLD_ELSEWHERE = {
    45: (
        "test_extends.py::test_a_circle_is_shown_once",
        "test_extends.py::test_chains_have_a_limit",
    ),
    46: (
        "test_extends.py::test_nothing_outside_is_read",
        "test_extends.py::test_a_link_out_of_the_folder_is_outside",
    ),
    47: ("test_extends.py::test_a_base_that_cannot_be_read",),
    15: ("test_hostile.py::test_015_byte_order_mark_and_line_ends",),
    19: ("test_hostile.py::test_019_an_exponent_without_a_point",),
    53: ("test_hostile_text.py::test_summaries", "test_gate.py::test_code"),
    54: (
        "test_hostile_text.py::test_names_of_files",
        "test_escape.py::test_names_of_files_are_text",
    ),
    56: ("test_escape.py::test_markdown", "test_hostile_text.py::test_summaries"),
    58: ("test_escape.py::test_documents",),
    59: ("test_hostile_text.py::test_summaries",),
    60: (
        "test_writer.py::test_a_file_where_the_folder_should_be_is_refused",
        "test_writer.py::test_a_build_that_fails_anywhere_leaves_everything_as_it_was",
    ),
    61: (
        "test_writer.py::test_the_same_build_again_touches_nothing",
        "test_writer.py::test_an_edited_file_is_refused_and_every_version_kept_by_force",
        "test_writer.py::test_a_folder_of_somebody_else_is_refused",
        "test_writer.py::test_a_new_build_touches_only_what_changed_and_removes_what_is_stale",
    ),
    62: ("test_writer.py::test_a_link_in_place_of_a_file_is_refused",),
    63: (
        "test_writer_crash.py::test_a_full_disk_leaves_the_last_build_and_no_new_folder",
        "test_cli.py::test_full_disk",
    ),
    64: (
        "test_writer_crash.py::test_killed_at_any_step_a_build_leaves_whole_files_and_the_next_one_succeeds",
        "test_writer_crash.py::test_killed_at_any_step_a_forced_build_loses_nobody_s_bytes",
        "test_cli.py::test_interrupt",
        "fuzz/test_durable.py::test_nothing_is_lost",
    ),
    65: (
        "test_writer_crash.py::test_concurrent_builds_leave_one_build_each",
        "fuzz/test_durable.py::test_nothing_is_lost",
    ),
    66: (
        "test_cli.py::test_nobody_reads",
        "test_cli.py::test_poor_environments",
        "test_hostile.py::test_066_closed_streams",
    ),
    67: ("test_hostile.py::test_067_no_working_directory", "test_hostile.py::test_067_clock"),
    68: (
        "test_commands.py::test_verify_refuses_what_was_asked_for_and_cannot_run",
        "test_commands.py::test_verify_without_any_framework",
    ),
    69: (
        "test_bench.py::test_a_failure_keeps_the_others",
        "test_bench.py::test_outputs_that_are_not_finite_are_seen",
        "test_bench.py::test_a_device_that_is_not_there",
    ),
    70: ("test_hostile.py::test_070_a_backend_that_cannot_be_imported",),
    71: (
        "test_emitted_files.py::test_the_bytes_depend_on_the_spec_alone",
        "test_hostile.py::test_071_one_build_everywhere",
        "fuzz/test_durable.py::test_twenty_builds_are_one",
    ),
    72: ("test_hostile.py::test_072_one_wrong_spec_of_many",),
}  # fmt: skip
"""The cases that no spec alone makes, with the tests that hold them."""


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def spec_of(name: str) -> bytes:
    return MADE[name]() if name in MADE else (CASES / f"{name}.yaml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.yaml").write_bytes(spec_of(name))
    text = CASES / f"{name}.txt"
    wanted = text.read_text("utf-8") if text.exists() else ""
    command = wanted.partition("\n")[0] or f"$ archc check {name}.yaml"
    result = run(*command.removeprefix("$ archc ").split())
    code = "" if result.exit_code == 1 else f"(exit code {result.exit_code})\n"
    found = f"{command}\n{result.stdout}{code}"
    if os.environ.get("ARCHC_UPDATE"):
        text.write_text(found, "utf-8")
    assert found == wanted
    assert not result.stderr
    assert [path.name for path in Path().iterdir()] == [f"{name}.yaml"]


PLACELESS = {"001_empty", "017_five_megabytes"}
"""What has no line to show."""


def test_texts_have_what_a_text_must_have() -> None:
    for path in CASES.glob("*.txt"):
        command, *lines = path.read_text("utf-8").split("\n")
        shown = "\n".join(lines)
        assert shown.replace("\n", "").isprintable(), path.name
        assert "Traceback" not in shown
        assert "bug in archc" not in shown
        place = rf"^(::error file=)?({path.stem}\.yaml|command line)(:|,line=)[0-9]+"
        json = command.endswith("json")
        placed = re.search(place, shown, re.MULTILINE) or json or path.stem in PLACELESS
        assert placed or lines[-2] == "(exit code 0)", path.name
        if "error[" in lines[0] and "--format" not in command and path.stem not in PLACELESS:
            assert re.search(r"^ +\| +\^$", shown, re.MULTILINE), f"{path.name} has no caret"


def test_every_case_is_held() -> None:
    numbers = {int(name[:3]) for name in NAMES}
    assert sorted({*numbers, *TOLD_ELSEWHERE}) == [n for n in range(1, 73)]
    for tests in TOLD_ELSEWHERE.values():
        for place in tests:
            file, _, name = place.partition("::")
            tree = ast.parse((TESTS / file).read_text("utf-8"))
            assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, place


COSTLY = sorted({*MADE, "009_alias_bomb", "042_repeat", "042_nested_repeat"} - {"042_nodes"})
COSTS = """
import re, sys, time
from click.testing import CliRunner
from archcompiler.cli import main
import archcompiler.commands.check
for name in sys.argv[1:]:
    start = time.process_time()
    result = CliRunner().invoke(main, ["check", name + ".yaml"])
    spent = time.process_time() - start
    assert result.exit_code in (1, 2), (name, result.output)
    assert spent < 1, f"{name}: {spent} s"
# The peak of getrusage begins with that of the process that started this one.
with open("/proc/self/status") as status:
    peak = int(re.search(r"VmHWM:\\s+([0-9]+) kB", status.read())[1])
assert peak < 300 * 1024, f"{peak} KB"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts kilobytes as Linux does")
def test_costs(tmp_path: Path) -> None:
    """Each of the costly cases takes under a second of one core, all of them under 300 MB."""
    for name in COSTLY:
        (tmp_path / f"{name}.yaml").write_bytes(spec_of(name))
    done = subprocess.run(
        [sys.executable, "-c", COSTS, *COSTLY], cwd=tmp_path, env=_environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **more}


def process(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archcompiler", *words]
    return subprocess.run(command, text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


# Cases that are no single spec


def test_015_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    path, texts = tmp_path / "small.yaml", set()
    plain = GOOD.encode()
    for data in (
        plain, b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\r\n"), plain.replace(b"\n", b"\r"),
        plain.rstrip(b"\n"), b"---\n" + plain + b"...\n",
    ):  # fmt: skip
        path.write_bytes(data)
        text = to_json(compile_file(path).network)
        texts.add(re.sub(r'"position": "[^"]*"', "", text))
    assert len(texts) == 1


def test_017_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    os.mkdir("folder.yaml")
    os.symlink("nowhere", "dangling.yaml")
    os.symlink("round.yaml", "round.yaml")
    with open("sparse.yaml", "wb") as file:
        file.truncate(100 * 1024 * 1024)
    said = {
        "pipe.yaml": (2, "E101", "no regular file"),
        "/dev/zero": (2, "E101", "no regular file"),
        "dangling.yaml": (2, "E101", "no such file"),
        "round.yaml": (2, "E101", "symbolic links"),
        "folder.yaml": (2, "E703", "holds no spec"),
        "missing.yaml": (2, "E703", "there is no file"),
        "sparse.yaml": (1, "E102", "larger than 4 MiB"),
    }
    if os.geteuid():
        Path("secret.yaml").touch(0o000)
        said["secret.yaml"] = (2, "E101", "permission denied")
    for word, (code, name, reason) in said.items():
        result = run("check", word)
        assert result.exit_code == code, word
        assert f"error[{name}]" in result.output, word
        assert reason in result.output, word


def test_018_words_are_words(tmp_path: Path) -> None:
    words = ("no", "on", "off", "yes", "y", "1:7", "1_000", "2026-11-21", "0b11", "1e", "+1e", "=")
    numbers = {"007": 7, "+12": 12, "-0": 0, "1.": 1.0, ".5": 0.5, "1E2": 100.0, "~x": "~x"}
    entries = [f"a{n}: {word}" for n, word in enumerate((*words, *numbers))]
    path = tmp_path / "small.yaml"
    path.write_text(GOOD.replace("n: 8", f"n: 8, {', '.join(entries)}"), "utf-8")
    found = [value for value, _ in validate(merge(chain(load(path)))).params.values()][1:]
    assert found == [*words, *numbers.values()]
    assert [type(v) for v in found] == [type(v) for v in (*words, *numbers.values())]


def test_019_an_exponent_without_a_point(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    norm = "{batch_norm, epsilon: 1e-3, decay: 0.9, gamma: true, name: bn}"
    path.write_text(GOOD.replace("body: []", f"body: {norm}"), "utf-8")
    (node,) = (n for n in compile_file(path).network.walk() if n.name == "bn")
    assert repr(getattr(node.op, "epsilon")) == "0.001"  # noqa: B009


@pytest.mark.skipif(os.name != "posix", reason="closes streams as POSIX does")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_066_closed_streams(closed: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(GOOD, "utf-8")
    script = f'"{sys.executable}" -m archcompiler check small.yaml {closed}'
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=_environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or ">&-" in closed


@pytest.mark.skipif(os.name != "posix", reason="removes a folder that is in use")
def test_067_no_working_directory(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    spec = tmp_path / "small.yaml"
    spec.write_text(GOOD, "utf-8")
    script = (
        "import os, runpy, sys; os.rmdir(os.getcwd()); sys.argv[0] = 'archc';"
        "runpy.run_module('archcompiler', run_name='__main__')"
    )
    removed = "the working directory was removed"
    for words, code, said in (
        (["check", str(spec)], 0, ""),
        (["check", "inception_v3"], 0, ""),
        (["check", "small.yaml"], 2, removed),
        (["check", "."], 2, removed),
        (["new", "foo", "--from", "inception_v3"], 2, f"archc: {removed}"),
        (["build", str(spec), "-b", "torch"], 2, f"cannot write to out/small-torch: {removed}"),
        (["build", str(spec), "-b", "torch", "-o", str(tmp_path / "out")], 0, ""),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], cwd=gone, env=_environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        gone.mkdir()
        assert "Traceback" not in done.stderr, words
        assert "bug in archc" not in done.stderr, (words, done.stderr)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stdout + done.stderr, (words, done.stdout, done.stderr)


def test_067_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that archc writes has a time in it, so no clock can be wrong."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(GOOD, "utf-8")
    assert run("build", "small.yaml", "-b", "torch", "-o", "out").exit_code == 0
    for stamp in (0, 4_300_000_000):
        os.utime("small.yaml", (stamp, stamp))
        for path in Path("out").iterdir():
            os.utime(path, (stamp, stamp))
        result = run("build", "small.yaml", "-b", "torch", "-o", "out", "--check")
        assert (result.exit_code, result.output) == (0, "out is up to date\n")


FRAMEWORKS = {
    "torch raises": ("torch", {"torch": "raise OSError('libcudart.so.12:\\nno such file')"},
        "PyTorch cannot be used here: importing torch fails with OSError: libcudart.so.12: no"),
    "torch exits": ("torch", {"torch": "raise SystemExit(7)"},
        "PyTorch cannot be used here: importing torch fails with SystemExit: 7"),
    "torch dies": ("torch", {"torch": "import os; os._exit(7)"},
        "PyTorch cannot be used here: importing it ends Python"),
    "torch is old": ("torch", {"torch": "__version__ = '1.13.1+cu117'"},
        "PyTorch cannot be used here: torch 1.13.1+cu117 is too old, 2.6 is the oldest that will"),
    "tensorflow raises": ("tensorflow", {"tensorflow": "import no_such_module"},
        "importing tensorflow fails with ModuleNotFoundError: No module named 'no_such_module'"),
    "tensorflow is old": ("tensorflow", {"tensorflow": "__version__ = '2.9.3'"},
        "TensorFlow cannot be used here: tensorflow 2.9.3 is too old, 2.18 is the oldest"),
    "keras is missing": ("tensorflow", {"tensorflow": "", "keras": "raise ImportError"},
        "TensorFlow cannot be used here: importing keras fails with ImportError"),
    "keras is old": ("tensorflow", {"tensorflow": "", "keras": "__version__ = '2.15.0'"},
        "TensorFlow cannot be used here: keras 2.15.0 is too old, 3 is the oldest that will do"),
    "keras is elsewhere": (
        "tensorflow",
        {"tensorflow": "__version__ = '2.21.0-rc1'", "keras": "from types import *\n"
         "__version__ = '3.15.1'\nbackend = SimpleNamespace(backend=lambda: 'torch')"},
        "TensorFlow cannot be used here: KERAS_BACKEND makes Keras run on torch"),
}  # fmt: skip


@pytest.mark.parametrize("case", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_068_a_framework_that_cannot_be_used(
    tmp_path: Path, case: tuple[str, dict[str, str], str]
) -> None:
    pytest.importorskip("safetensors")
    name, modules, said = case
    (tmp_path / "small.yaml").write_text(GOOD, "utf-8")
    for module, text in modules.items():
        (tmp_path / f"{module}.py").write_text(text)
    env = _environment()
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])
    done = process("verify", "small.yaml", "-b", name, cwd=tmp_path, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("error[E707] ")
    assert said in done.stdout
    assert f"pip install -U 'archcompiler[{name}]'" in done.stdout
    assert "bug in archc" not in done.stdout
    for words in (["check", "small.yaml"], ["build", "small.yaml", "-b", name]):
        done = process(*words, cwd=tmp_path, env=env, capture_output=True)
        assert (done.returncode, done.stderr) == (0, ""), words


def plug_in(folder: Path, module: str, source: str, name: str = "") -> None:
    """Install a distribution with a backend."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"of_{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Of-{module}\nVersion: 1\n")
    points = f"[archc.backends]\n{name or module} = {module}:BACKEND\n"
    (info / "entry_points.txt").write_text(points)


def test_070_a_backend_cannot_take_the_place_of_archc_s_own(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(GOOD, "utf-8")
    plug_in(tmp_path, "evil", "open('ran', 'w')", "torch")
    env = _environment()
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])
    done = process(
        "build",
        "small.yaml",
        "-b",
        "torch",
        "-o",
        "out",
        cwd=tmp_path,
        env=env,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    said = "note[E702] the backend `torch` is that of `archcompiler`; `Of-evil` has one, too\n"
    assert done.stderr.startswith(said)
    assert "import torch" in (tmp_path / "out" / "model.py").read_text()
    assert not (tmp_path / "ran").exists()


def test_070_a_backend_that_cannot_be_imported(tmp_path: Path) -> None:
    """A broken plug-in is an error for who asks for it, and nothing to anybody else."""
    (tmp_path / "small.yaml").write_text(GOOD, "utf-8")
    plug_in(tmp_path, "broken", "raise RuntimeError('\\x1b[2J')")
    plug_in(tmp_path, "leaving", "raise SystemExit(7)")
    plug_in(tmp_path, "odd", "class Odd(BaseException): ...\nraise Odd('odd')")
    plug_in(tmp_path, "nothing", "BACKEND = 1")
    env = _environment()
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])
    wanted = {
        ("build", "small.yaml", "-b", "leaving"): (
            2,
            "error[E702] the backend `leaving` of `Of-leaving` cannot be loaded: SystemExit: 7\n",
        ),
        ("build", "small.yaml", "-b", "odd"): (2, "`Of-odd` cannot be loaded: Odd: odd\n"),
        ("build", "small.yaml", "-b", "nothing"): (2, "of `Of-nothing` (nothing:BACKEND) is no"),
        ("check", "small.yaml"): (0, ""),
        ("build", "small.yaml", "-b", "torch"): (0, ""),
        ("build", "small.yaml", "-b", "broken"): (2, "cannot be loaded: RuntimeError: \\x1b[2J"),
        ("env",): (0, ""),
    }
    for words, (code, said) in wanted.items():
        done = process(*words, cwd=tmp_path, env=env, capture_output=True)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_071_one_build_everywhere(tmp_path: Path) -> None:
    """The same bytes under any hash seed, locale, time zone, folder and optimisation."""
    spec = GOOD.replace("small", "small\nsummary: \xe4\u754c \u2003").encode()
    builds = set()
    for number, (folder, flags, more) in enumerate(
        (
            ("plain", (), {"PYTHONHASHSEED": "1", "TZ": "UTC"}),
            ("with space", ("-O",), {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}),
            ("\xfcn\u0131c\xf6de", (), {"PYTHONHASHSEED": "3", "LC_ALL": "tr_TR.UTF-8"}),
            ("deep/er", ("-OO",), {"PYTHONHASHSEED": "0", "LC_ALL": "C", "COLUMNS": "20"}),
        )
    ):
        home = tmp_path / f"{number}" / folder
        home.mkdir(parents=True)
        (home / "small.yaml").write_bytes(spec)
        for framework in ("torch", "tensorflow"):
            words = ["build", "small.yaml", "-b", framework, "-o", f"o/{framework}"]
            done = subprocess.run(
                [sys.executable, *flags, "-m", "archcompiler", *words], cwd=home,
                env=_environment(**more), capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        files = sorted(path for path in home.rglob("o/*/*"))
        builds.add(tuple((path.parts[-2:], path.read_bytes()) for path in files))
        shutil.rmtree(home)
    assert len(builds) == 1


def test_072_one_wrong_spec_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(200):
        text = GOOD.replace("small", f"net_{number}")
        if number == 123:
            text = text.replace("conv: $n", "cnov: $n")
        Path(f"net_{number:03}.yaml").write_text(text, "utf-8")
    result = run("check", ".")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert sum("weights" in line for line in lines) == 199
    assert [line for line in lines if "error[" in line] == [
        "net_123.yaml:6:8: error[E202] `cnov` is no op"
    ]
    assert lines[-1] == "200 specs: 199 good, 1 wrong"
