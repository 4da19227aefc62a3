"""The driver of `archc bench`."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_kit import LAST_LINE, LONG, PURE_MODEL, build

from archcompiler.bench import WIDTH, Figures, Result, run_benchmarks, table

FAKE = """\
import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--json")
parser.add_argument("--steps", type=int)
args = parser.parse_args()
print("12:00:00: step 0, duration = 0.200")
print(f"pid {os.getpid()} in {os.getcwd()}")
record = {
    "model": "tiny", "mode": "forward", "dtype": "float32", "batch_size": 32, "steps": args.steps,
    "warmup": 10, "mean": 0.2, "sd": 0.004, "median": MEDIAN, "p90": 0.21, "p99": 0.3,
    "drift": 1.02, "images_per_second": 160.0, "durations": [0.2], "framework": "Fake 1.0",
    "device": "cpu", "threads": 2, "platform": "here", "peak_memory": None, "something": "else",
}
with open(args.json, "w") as file:
    json.dump(record, file)
"""


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a benchmark.py and returns its folder."""

    def write(name: str, script: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "benchmark.py").write_text(script)
        return tmp_path / name

    return write


Fake = Callable[[str, str], Path]


def figures(**changes: object) -> Figures:
    """Return plausible figures."""
    plain = Figures(
        model="tiny",
        mode="forward",
        dtype="float32",
        batch_size=32,
        steps=100,
        warmup=10,
        mean=18.237,
        sd=8.856,
        median=12.3,
        p90=30.1,
        p99=37.0,
        drift=3.01,
        images_per_second=1.755,
        durations=(12.3,),
        framework="Fake 1.0",
        device="cpu",
        threads=2,
        platform="here",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_runs_in_turn_in_fresh_processes(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {
        "one": fake("a", FAKE.replace("MEDIAN", "0.2")),
        "two": fake("b", FAKE.replace("MEDIAN", "0.3")),
    }
    monkeypatch.chdir(folders["one"].parent)
    lines: list[str] = []
    results = run_benchmarks(folders, ["--steps", "7"], lines.append)
    assert [result.backend for result in results] == ["one", "two"]
    assert [r.figures.median for r in results if r.figures] == [0.2, 0.3]
    assert [r.figures.steps for r in results if r.figures] == [7, 7]
    assert lines[0] == "one: 12:00:00: step 0, duration = 0.200"
    assert lines[2] == "two: 12:00:00: step 0, duration = 0.200"
    words = [line.split() for line in (lines[1], lines[3])]
    assert len({os.getpid(), *(int(word[2]) for word in words)}) == 3
    assert {word[4] for word in words} == {str(Path.cwd())}
    assert sorted(p.name for p in folders["one"].iterdir()) == ["benchmark.py"]


def test_lines_come_as_they_are_printed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    script = "import time\nprint('first')\ntime.sleep(0.5)\nprint('second')\n"
    times: list[float] = []
    run_benchmarks({"one": fake("a", script)}, [], lambda _: times.append(time.perf_counter()))
    assert times[1] - times[0] > 0.3


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import no_such_framework\n", "ModuleNotFoundError: No module named 'no_such_framework'"),
        ("import sys\nprint('x\\n' * 10**6, 'y\\n\\n', file=sys.stderr)\nsys.exit(2)\n", "y"),
        ("raise SystemExit(3)\n", "exit code 3"),
        ("import os\nos.kill(os.getpid(), 9)\n", "ended by signal 9 (Killed)"),
        (
            "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
            "bytearray(2 << 30)\n",
            "MemoryError",
        ),
        ("", "benchmark.py wrote no --json record"),
        ("import sys\nopen(sys.argv[-1], 'w').write('{')\n", "--json record, file: Invalid JSON"),
        (
            FAKE.replace("MEDIAN", "0.2").replace('"p90"', '"p91"'),
            "--json record, p90: Field required",
        ),
        (FAKE.replace("MEDIAN", "'fast'"), "--json record, median: Input should be"),
    ],
)
def test_a_failure_keeps_the_others(fake: Fake, script: str, error: str) -> None:
    folders = {"bad": fake("a", script), "good": fake("b", FAKE.replace("MEDIAN", "0.2"))}
    bad, good = run_benchmarks(folders, ["--steps", "1"], lambda _: None)
    assert bad.figures is None
    assert bad.error is not None
    assert bad.error.startswith(error)
    assert "\n" not in bad.error
    assert good.figures is not None
    assert good.error is None


def test_a_missing_folder_is_an_error_of_that_backend(tmp_path: Path) -> None:
    (result,) = run_benchmarks({"one": tmp_path / "none"}, [], lambda _: None)
    assert result.error is not None
    assert "No such file" in result.error


def test_nothing_runs_on_when_the_caller_stops(fake: Fake, tmp_path: Path) -> None:
    late = tmp_path / "late"
    script = f"""
        import time
        print("started")
        time.sleep(2)
        open({str(late)!r}, "w").close()
    """

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_benchmarks({"one": fake("a", textwrap.dedent(script))}, [], stop)
    assert time.perf_counter() - began < 2
    time.sleep(2.2)
    assert not late.exists()


def test_real_skeleton_through_the_driver(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    lines: list[str] = []
    (result,) = run_benchmarks({"pure": folder}, ["--steps", "3"], lines.append)
    assert result.error is None
    assert result.figures is not None
    assert len(result.figures.durations) == 3
    assert result.figures.peak_memory == 2**30
    assert LAST_LINE.fullmatch(lines[1].removeprefix("pure: "))
    assert "1.00 GiB" in table([result])


def test_table() -> None:
    slow = figures(median=24.6, peak_memory=3 * 2**30, framework="Other 2.0")
    text = table(
        [
            Result(backend="torch", figures=figures()),
            Result(backend="jax", error="ModuleNotFoundError: No module named 'jax'"),
            Result(backend="tensorflow", figures=slow),
        ]
    )
    assert text.splitlines() == [
        "tiny, forward, batch 32, float32, 100 steps after 10; times in ms, "
        "ratio of medians to torch",
        "backend      median      p90      p99         mean +/- sd  images/s  drift    memory  "
        "ratio",
        "torch       12300.0  30100.0  37000.0  18237.0 +/- 8856.0       1.8   3.01         -   "
        "1.00",
        "jax         error: ModuleNotFoundError: No module named 'jax'",
        "tensorflow  24600.0  30100.0  37000.0  18237.0 +/- 8856.0       1.8   3.01  3.00 GiB   "
        "2.00",
        "torch: Fake 1.0, cpu, 2 threads, here",
        "tensorflow: Other 2.0, cpu, 2 threads, here",
    ]


def test_the_ratio_is_to_the_first_that_ran() -> None:
    text = table(
        [
            Result(backend="torch", error="gone"),
            Result(backend="tensorflow", figures=figures()),
        ]
    )
    assert "ratio of medians to tensorflow" in text
    assert text.splitlines()[3].endswith("1.00")


def test_the_table_fits_100_columns() -> None:
    wide = figures(
        model=LONG, peak_memory=139 * 2**30, images_per_second=98765.4, platform="Linux-" * 30
    )
    results = [
        Result(backend="a_backend_of_a_third_party", figures=wide),
        Result(backend="another_backend_of_a_third_party", error="a long story " * 30),
        Result(backend="failed", error="x" * 300),
    ]
    for shown in (results, results[1:], []):
        assert max(map(len, table(shown).splitlines()), default=0) <= WIDTH


def test_no_framework_is_imported_by_the_driver() -> None:
    code = "import sys, archcompiler.bench\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "tensorflow", "keras", "numpy", "jinja2"} & set(done.stdout.split())
