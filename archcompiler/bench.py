"""Run the generated benchmark.py of several backends in turn and tabulate what they measured.

Each runs in a process of its own, so that no framework shares threads, memory or a device with
another, and none is imported here. Single medians wander by a few per cent from run to run: the
ratio is a first look, not a figure to gate on.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

WIDTH = 100
LONGEST_NAME = 14
HEADINGS = "backend", "median", "p90", "p99", "mean +/- sd", "images/s", "drift", "memory", "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one benchmark.py wrote with `--json`: times in seconds, memory in bytes."""

    model: str
    mode: str
    dtype: str
    batch_size: int
    steps: int
    warmup: int
    mean: float
    sd: float
    median: float
    p90: float
    p99: float
    drift: float
    images_per_second: float
    durations: tuple[float, ...]
    framework: str
    device: str
    threads: int | str
    platform: str
    peak_memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome for one backend: its figures, or in one line why there are none."""

    backend: str
    figures: Figures | None = None
    error: str | None = None


def run_benchmarks(
    folders: Mapping[str, Path], arguments: Sequence[str], echo: Callable[[str], None]
) -> list[Result]:
    """Run `benchmark.py` of each backend's folder in turn and return the results in that order.

    `arguments` go to every one of them (without `--json`, which is ours); `echo` gets each line
    as it is printed, with the backend's name before it. A run that fails becomes a result with an
    error; it does not keep the others from running.
    """
    return [_run(backend, folder, arguments, echo) for backend, folder in folders.items()]


def table(results: Sequence[Result]) -> str:
    """Return the results as text of at most 100 columns, with ratios to the first that ran."""
    measured = [(r.backend, r.figures) for r in results if r.figures is not None]
    rows = [_cells(result, measured[0][1]) if measured else _error(result) for result in results]
    whole = [row for row in (HEADINGS, *rows) if len(row) == len(HEADINGS)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    widths[0] = max(len(row[0]) for row in (HEADINGS, *rows))
    lines = [_line(row, widths) for row in rows]
    if measured:
        name, first = measured[0]
        run = f"{first.model}, {first.mode}, batch {first.batch_size}, {first.dtype}"
        steps = f"{first.steps} steps after {first.warmup}"
        caption = _wrapped(f"{run}, {steps}; times in ms, ratio of medians to {name}")
        lines = [caption, _line(HEADINGS, widths), *lines]
    for backend, f in measured:
        setting = f"{f.framework}, {f.device}, {f.threads} threads, {f.platform}"
        lines.append(_wrapped(f"{backend}: {setting}"))
    return "\n".join(lines)


def _run(
    backend: str, folder: Path, arguments: Sequence[str], echo: Callable[[str], None]
) -> Result:
    """Run one benchmark.py to its end."""
    with tempfile.TemporaryDirectory(prefix="archc-bench-") as scratch:
        record = Path(scratch, "record.json")
        script = str(folder / "benchmark.py")
        command = [sys.executable, "-u", script, *arguments, "--json", str(record)]
        with Path(scratch, "stderr").open("w+", encoding="utf-8", errors="replace") as stderr:
            status = _stream(command, stderr, lambda line: echo(f"{backend}: {line}"))
            stderr.seek(0)
            if status:
                return Result(backend=backend, error=_reason(status, stderr.read()))
        try:
            figures = TypeAdapter(Figures).validate_json(record.read_bytes())
        except FileNotFoundError:
            return Result(backend=backend, error="benchmark.py wrote no --json record")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "file"
            return Result(backend=backend, error=f"--json record, {where}: {first['msg']}")
    return Result(backend=backend, figures=figures)


def _stream(command: Sequence[str], stderr: IO[str], take: Callable[[str], None]) -> int:
    """Run a command, hand over each line of its output as it comes, return the exit status."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                take(line.rstrip())
        except BaseException:  # Ctrl-C too: leave no benchmark running behind our back
            process.kill()
            raise
    return process.returncode


def _reason(status: int, stderr: str) -> str:
    """Say in one line why a process failed; a signal leaves nothing of use on stderr."""
    if status < 0:
        return f"ended by signal {-status} ({signal.strsignal(-status)})"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {status}"


def _short(name: str) -> str:
    """Cut a name that would make the table wider than it may be."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _error(result: Result) -> tuple[str, ...]:
    """Return the row of a run that failed."""
    return _short(result.backend), f"error: {result.error}"


def _cells(result: Result, first: Figures) -> tuple[str, ...]:
    """Return the row of a run, as one cell a heading."""
    if (figures := result.figures) is None:
        return _error(result)
    memory = figures.peak_memory
    return (
        _short(result.backend),
        _ms(figures.median),
        _ms(figures.p90),
        _ms(figures.p99),
        f"{_ms(figures.mean)} +/- {_ms(figures.sd)}",
        f"{figures.images_per_second:.1f}",
        f"{figures.drift:.2f}",
        "-" if memory is None else f"{memory / 2**30:.2f} GiB",
        f"{figures.median / first.median:.2f}",
    )


def _ms(seconds: float) -> str:
    """Write a time in ms with about four digits."""
    ms = 1000 * seconds
    return f"{ms:.3f}" if ms < 10 else f"{ms:.2f}" if ms < 100 else f"{ms:.1f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Align a row; an error takes the place of the figures."""
    name = f"{row[0]:<{widths[0]}}"
    if len(row) < len(widths):
        return _wrapped(f"{name}  {row[1]}")
    figures = zip(row[1:], widths[1:], strict=True)
    return "  ".join([name, *(f"{cell:>{width}}" for cell, width in figures)])


def _wrapped(text: str) -> str:
    """Break a line that would be wider than the table may be."""
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
