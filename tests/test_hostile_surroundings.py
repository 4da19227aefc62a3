"""The numbered cases of docs/security.md that no single spec makes: encodings, files, software."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_hostile import GOOD, environment, run

from archcompiler.compiler import compile_file
from archcompiler.extends import chain
from archcompiler.ir_json import to_json
from archcompiler.merge import merge
from archcompiler.source import load
from archcompiler.validate import validate


def process(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archcompiler", *words]
    return subprocess.run(command, text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


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
        ["sh", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True,
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
            [sys.executable, "-c", script, *words], cwd=gone, env=environment(),
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
    env = environment()
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
    env = environment()
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
    env = environment()
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
                env=environment(**more), capture_output=True, text=True, check=False,
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
