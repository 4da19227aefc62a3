"""The benchmark.py that every build contains: figures, text, and what is each backend's own."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jinja2
import pytest
from bench_kit import (
    KERAS_MODEL,
    LAST_LINE,
    LONG,
    PURE_MODEL,
    TORCH_MODEL,
    Bench,
    build,
    render,
    run_ok,
    start,
)

from archcompiler.bench import Result, run_benchmarks

STEP_LINE = re.compile(r"\d\d:\d\d:\d\d: step (\d+), duration = \d+\.\d{3}")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the shared part of benchmark.py, imported."""
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    stub = ModuleType("model")
    stub.INPUT_SHAPE = (7, 5, 3)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "model", stub)
    spec = importlib.util.spec_from_file_location("rendered_benchmark", folder / "benchmark.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# What is measured, on the skeleton alone


def test_summary_of_known_durations(module: ModuleType) -> None:
    times = [0.1 * n for n in range(1, 101)]
    figures = module.summarise(times[::-1], 8)
    assert figures["mean"] == pytest.approx(5.05)
    assert figures["sd"] == pytest.approx(math.sqrt((100**2 - 1) / 12) / 10)
    assert figures["median"] == pytest.approx(5.05)
    assert (figures["p90"], figures["p99"]) == (times[89], times[98])
    assert figures["drift"] == pytest.approx(0.55 / 9.55)
    assert figures["images_per_second"] == pytest.approx(8 / 5.05)


def test_sd_is_the_populations_and_stable(module: ModuleType) -> None:
    times = [1e6 + 1e-3, 1e6 - 1e-3]
    assert module.summarise(times, 1)["sd"] == pytest.approx(1e-3, rel=1e-4)
    assert module.summarise([1.0, 3.0], 1)["sd"] == 1.0


def test_one_step_has_a_summary(module: ModuleType) -> None:
    figures = module.summarise([0.5], 32)
    assert figures == {
        "mean": 0.5,
        "sd": 0.0,
        "median": 0.5,
        "p90": 0.5,
        "p99": 0.5,
        "drift": 1.0,
        "images_per_second": 64.0,
    }


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 19, 20, 50, 99, 100, 101, 1000])
def test_percentiles_are_by_rank(module: ModuleType, steps: int) -> None:
    times = [float(n) for n in range(1, steps + 1)]
    figures = module.summarise(times, 1)
    for percent in (90, 99):
        smallest = next(t for t in times if 100 * sum(u <= t for u in times) >= percent * steps)
        assert figures[f"p{percent}"] == smallest


def test_drift_sees_what_the_mean_hides(module: ModuleType) -> None:
    seed_like = [12.0] * 60 + [15.0] * 20 + [30.0] * 10 + [37.0] * 10
    assert module.summarise(seed_like, 32)["drift"] == pytest.approx(37 / 12)
    assert module.summarise([1.0] * 5 + [100.0] + [1.0] * 14, 1)["drift"] == 1.0


def test_the_clock_waits_and_the_warm_up_does_not_count(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    lines = run_ok(folder, "--warmup", "2", "--steps", "3", "--json", "pure/out.json")
    record = json.loads((folder / "out.json").read_text())
    assert len(record["durations"]) == 3
    assert 0.03 <= record["durations"][0] < 0.2, "the first measured step waits 30 ms"
    assert max(record["durations"][1:]) < 0.03
    assert [STEP_LINE.fullmatch(line) is not None for line in lines[:2]] == [True, False]


def test_a_line_each_ten_measured_steps(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", "INPUT_SHAPE = (7, 5, 3)\nCOSTS = []\n")
    lines = run_ok(folder)
    shown = [match for line in lines if (match := STEP_LINE.fullmatch(line))]
    assert [int(match[1]) for match in shown] == list(range(0, 100, 10))
    last = LAST_LINE.fullmatch(lines[10])
    assert last
    assert last.groups() == ("Forward", "100")
    assert re.fullmatch(r"median \d+\.\d{4}, p90 \d+\.\d{4}, p99 \d+\.\d{4} sec", lines[11])
    assert re.fullmatch(r"drift \d+\.\d\d, \d+\.\d images/s", lines[12])
    assert lines[13:] == [f"Python, toy, 1 threads, {sys.platform}"]


def test_at_least_two_warm_up_steps(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    run_ok(folder, "--warmup", "0", "--steps", "1", "--json", "pure/out.json")
    record = json.loads((folder / "out.json").read_text())
    assert record["warmup"] == 2
    assert record["durations"][0] < 0.2


@pytest.mark.parametrize(("mode", "prefix"), [("forward", "infer"), ("train", "train")])
def test_csv_has_timms_columns(tmp_path: Path, mode: str, prefix: str) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    files = ["--csv", "pure/out.csv", "--json", "pure/out.json"]
    run_ok(folder, "--mode", mode, "--steps", "2", "--batch-size", "6", *files)
    record = json.loads((folder / "out.json").read_text())
    with (folder / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "model": "tiny",
        f"{prefix}_samples_per_sec": str(round(record["images_per_second"], 2)),
        f"{prefix}_step_time": str(round(1000 * record["mean"], 3)),
        f"{prefix}_batch_size": "6",
        f"{prefix}_img_size": "5",
        "infer_gmacs": "5.71",
        "param_count": "23.85",
    }


def test_json_says_everything(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL)
    options = ["--device", "cpu", "--dtype", "bfloat16", "--batch-size", "3"]
    run_ok(folder, *options, "--steps", "4", "--json", "pure/out.json")
    record = json.loads((folder / "out.json").read_text())
    said = {
        "model": "tiny",
        "macs": 5_713_216_096,
        "params": 23_851_784,
        "input_shape": [7, 5, 3],
        "mode": "forward",
        "steps": 4,
        "warmup": 10,
        "batch_size": 3,
        "dtype": "bfloat16",
        "device": "cpu",
        "framework": "Python",
        "peak_memory": 2**30,
    }
    assert record.items() >= said.items()
    assert record["mean"] == pytest.approx(statistics.fmean(record["durations"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps and --batch-size start at 1, --threads at 0"),
        (["--steps", "-3"], "--steps and --batch-size start at 1, --threads at 0"),
        (["--batch-size", "0"], "--steps and --batch-size start at 1, --threads at 0"),
        (["--threads", "-1"], "--steps and --batch-size start at 1, --threads at 0"),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--device", "cuda:7"], "argument --device: invalid choice: 'cuda:7'"),
        (["--mode", "sleep"], "argument --mode: invalid choice: 'sleep'"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_a_wrong_argument_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = start(build(tmp_path / "pure", "pure", PURE_MODEL), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"benchmark.py: error: {message}")
    assert done.stderr.count("\n") == 1


def test_without_a_loss_there_is_no_train_mode(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL, has_loss=False)
    assert start(folder, "--mode", "train").returncode == 2
    assert "train" not in (folder / "benchmark.py").read_text()
    assert LAST_LINE.fullmatch(run_ok(folder, "--steps", "1")[1])


def test_outputs_that_are_not_finite_have_no_figures(tmp_path: Path) -> None:
    folder = build(tmp_path / "pure", "pure", PURE_MODEL + "FINITE = False\n")
    done = start(folder, "--json", "pure/out.json", "--csv", "pure/out.csv")
    assert done.returncode == 1
    assert done.stderr == "benchmark.py: error: the last output is not finite\n"
    assert not list(folder.glob("out.*"))
    (result,) = run_benchmarks({"pure": folder}, [], lambda _: None)
    assert result == Result(backend="pure", error=done.stderr.strip())


# The text of the file


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
@pytest.mark.parametrize("has_loss", [True, False])
@pytest.mark.parametrize("name", ["a", "inception_v3", LONG])
def test_form(tmp_path: Path, backend: str, has_loss: bool, name: str) -> None:
    text = render(backend, Bench(name=name, class_name=name.title(), has_loss=has_loss))
    compile(text, "benchmark.py", "exec")
    assert text.endswith("main()\n")
    assert len(text.splitlines()) <= 180
    assert max(map(len, text.splitlines())) <= 88
    assert text.startswith("# Code generated by archc")
    net = tmp_path / "net"
    net.mkdir()
    (net / "benchmark.py").write_text(text)
    (net / "model.py").touch()
    for where, check in itertools.product((net, tmp_path), (["check"], ["format", "--diff"])):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", "--no-cache", str(net)]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_templates_need_every_field() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("torch", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "package", "flags"),
    [("torch", "torch", ["--strict"]), ("tensorflow", "keras", [])],
)
@pytest.mark.parametrize("has_loss", [True, False])
def test_types(
    tmp_path: Path,
    mypy: Callable[..., str],
    backend: str,
    package: str,
    flags: list[str],
    has_loss: bool,
) -> None:
    for needed in ("mypy", package):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"no {needed}")
    keras = KERAS_MODEL.replace("import keras", "import keras  # type: ignore[import-untyped]")
    keras = keras.replace("as tf\n", "as tf  # type: ignore[import-untyped]\n")
    model = TORCH_MODEL if backend == "torch" else keras
    folder = build(tmp_path / backend, backend, model, has_loss=has_loss)
    assert not mypy(folder, *flags, "benchmark.py")


# The two backends, on hand-written models that print what they see


def seen(lines: list[str], word: str) -> list[str]:
    """Return what follows a word at the start of a line."""
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]


def test_torch_forward(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = build(tmp_path / "torch", "torch", TORCH_MODEL)
    lines = run_ok(folder, "--steps", "12", "--warmup", "3", "--batch-size", "2", "--threads", "1")
    calls = seen(lines, "SEEN")
    assert len(calls) == 15
    assert set(calls) == {"False True (2, 3, 7, 5) torch.float32 False False"}
    assert len(set(seen(lines, "WEIGHT"))) == 1
    assert [int(m[1]) for line in lines if (m := STEP_LINE.fullmatch(line))] == [0, 10]
    assert "Forward across 12 steps" in lines[-4]
    assert re.fullmatch(r"PyTorch \S+, cpu, 1 threads, Python \S+, .+", lines[-1])


def test_torch_train(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = build(tmp_path / "torch", "torch", TORCH_MODEL)
    shape = ["--batch-size", "2", "--channels-last", "--dtype", "float64"]
    lines = run_ok(folder, "--mode", "train", "--steps", "1", "--warmup", "2", *shape)
    assert set(seen(lines, "SEEN")) == {"True False (2, 3, 7, 5) torch.float64 True True"}
    weights = seen(lines, "WEIGHT")
    assert len(set(weights)) == len(weights) == 3, "each step moves the weights"
    last = LAST_LINE.fullmatch(lines[-4])
    assert last
    assert last.groups() == ("Forward-backward", "1")


def test_tensorflow_forward(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    folder = build(tmp_path / "tensorflow", "tensorflow", KERAS_MODEL)
    lines = run_ok(folder, "--steps", "12", "--batch-size", "2", "--threads", "1")
    traces = [trace for trace in seen(lines, "TRACED") if not trace.startswith("None")]
    assert traces == ["False float32 (2, 7, 5, 3)"], "traced once, in inference mode"
    assert [int(m[1]) for line in lines if (m := STEP_LINE.fullmatch(line))] == [0, 10]
    assert "Forward across 12 steps" in lines[-4]
    assert re.fullmatch(r"TensorFlow \S+, Keras \S+, cpu, 1 threads, Python .+", lines[-1])


def test_tensorflow_train(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    folder = build(tmp_path / "tensorflow", "tensorflow", KERAS_MODEL)
    options = ["--batch-size", "2", "--dtype", "float64", "--warmup", "2", "--steps", "1"]
    lines = run_ok(folder, "--mode", "train", *options)
    traces = [trace for trace in seen(lines, "TRACED") if not trace.startswith("None")]
    assert traces == ["True float64 (2, 7, 5, 3)"]
    assert seen(lines, "INPUT") == ["float64"]
    sizes = [float(size) for size in seen(lines, "SIZE")]
    assert len(sizes) == 3
    assert sizes[1] / sizes[0] == pytest.approx(1 - 2 * 100 * 1e-4), "the decay is in the loss"
    last = LAST_LINE.fullmatch(lines[-4])
    assert last
    assert last.groups() == ("Forward-backward", "1")


@pytest.mark.parametrize("mode", ["forward", "train"])
@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_outputs_that_are_not_finite_are_seen(tmp_path: Path, backend: str, mode: str) -> None:
    pytest.importorskip({"torch": "torch", "tensorflow": "keras"}[backend])
    model = TORCH_MODEL.replace("return y.mean((2, 3))", "return y.mean((2, 3)) * float('nan')")
    if backend == "tensorflow":
        nan = "keras.layers.Rescaling(float('nan'), name='Logits')"
        pool = 'keras.layers.GlobalAveragePooling2D(name="Logits")(x)'
        model = KERAS_MODEL.replace(pool, f"{nan}({pool.replace('Logits', 'Pool')})")
        model = model.replace("return 0.0 *", "return tf.reduce_sum(outputs['Logits']) +")
    folder = build(tmp_path / backend, backend, model)
    done = start(folder, "--mode", mode, "--steps", "1", "--warmup", "2", "--batch-size", "2")
    assert done.returncode == 1, done.stderr
    assert done.stderr.endswith("benchmark.py: error: the last output is not finite\n")


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = start(build(tmp_path / "torch", "torch", TORCH_MODEL), "--device", "cuda")
    assert done.returncode == 2
    assert done.stderr.startswith("benchmark.py: error: argument --device: invalid choice: 'cuda'")


@pytest.mark.parametrize(
    ("package", "fake", "expected"),
    [
        (
            "torch",
            "import torch\n"
            "torch.accelerator.current_accelerator = lambda: torch.device('cuda')\n"
            "torch.accelerator.device_count = lambda: 2\n",
            ["cuda", "cuda:0", "cuda:1", "cpu"],
        ),
        (
            "tensorflow",
            "import tensorflow as tf\n"
            "tf.config.list_physical_devices = lambda kind: ['one', 'two']\n",
            ["gpu", "cuda", "gpu:0", "gpu:1", "cuda:0", "cuda:1", "cpu"],
        ),
    ],
)
def test_devices(tmp_path: Path, package: str, fake: str, expected: list[str]) -> None:
    pytest.importorskip(package)
    folder = build(tmp_path / package, package, "INPUT_SHAPE = (7, 5, 3)\n")
    code = f"{fake}import benchmark\nprint(benchmark.devices())\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{expected}\n", done.stderr
