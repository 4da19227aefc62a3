"""Child processes that build: forked, so that each costs milliseconds, and with a fault inside."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from durable_faults import Fault, Faults
from durable_folders import Build

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.cli import main as archc
from archcompiler.commands import build as command
from archcompiler.commands.common import all_networks
from archcompiler.ir import Network

ROOT = Path(__file__).parents[2]
SPECS = ("minimal", "training_heads", "softmax_output")
HUNG_S = 60


@dataclass(slots=True)
class Child:
    """A build under way."""

    pid: int
    said: int
    begun: int

    def end(self) -> tuple[int, str]:
        """Return the exit code, negative for a signal, and what it said on stderr."""
        with os.fdopen(self.said, encoding="utf-8") as said:
            text = said.read()
        os.close(self.begun)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), text


@dataclass(slots=True)
class Builder:
    """Starts builds. What they are of is compiled once, before the first fork."""

    home: Path
    builds: list[Build] = field(default_factory=list)

    def prepare(self) -> None:
        """Compile everything, and let the command find it compiled."""
        networks: dict[tuple[str, ...], list[tuple[Path, Network]]] = {}
        emitted: dict[tuple[str, str], dict[str, str]] = {}
        for name in SPECS:
            spec = str(ROOT / f"tests/cases/emitted/{name}.yaml")
            [(_, network)] = networks[(spec,)] = all_networks((spec,))
            for one in ("torch", "tensorflow"):
                files = emitted[network.name, one] = emit(network, backend(one))
                if name == SPECS[-1]:  # so that a file can be stale, as with backends of others
                    del files["benchmark.py"]
                self.builds.append(Build.of((spec, "--backend", one), files, network.source))
        command.all_networks = lambda words: networks[tuple(words)]  # type: ignore[assignment]
        known = {one: backend(one) for one in ("torch", "tensorflow")}
        command.backend = known.__getitem__  # type: ignore[assignment]
        command.emit = lambda network, one: emitted[network.name, one.name]  # type: ignore[assignment]
        gc.collect()
        gc.freeze()

    def start(
        self,
        folder: Path,
        build: Build,
        *,
        force: bool = False,
        fault: Fault | None = None,
        largest: int | None = None,
        gate: int | None = None,
    ) -> Child:
        """Start `archc build` of one build into the folder."""
        words = ["build", *build.words, "--output", str(folder), *["--force"][: int(force)]]
        said, say = os.pipe()
        begun, begin = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            os.close(say)
            os.close(begin)
            return Child(pid, said, begun)
        code = 3
        try:
            code = _child(words, folder, (say, begin, gate), fault, largest)
        finally:  # and nothing before it: a signal that came late would unwind the parent's copy
            os._exit(code)

    def run(self, folder: Path, build: Build, *, force: bool = False) -> tuple[int, str]:
        """Build, undisturbed."""
        return self.start(folder, build, force=force).end()


def _child(
    words: list[str],
    folder: Path,
    pipes: tuple[int, int, int | None],
    fault: Fault | None,
    largest: int | None,
) -> int:
    """Run the command with its output in a pipe; returns the exit code."""
    say, begin, gate = pipes
    code = 3
    try:
        signal.alarm(HUNG_S)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor, wanted in ((nothing, 0), (nothing, 1), (say, 2)):
            os.dup2(descriptor, wanted)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
        if gate is not None:
            os.read(gate, 1)
        code = _run(words, folder, begin, fault, largest)
    except BaseException:
        traceback.print_exc()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _run(
    words: list[str], folder: Path, begin: int, fault: Fault | None, largest: int | None
) -> int:
    """Run the command in this process; the fault's steps count from where it writes."""
    faults = Faults(fault, folder)
    faults.install()
    write = command.write

    def written(*args: object, **kwargs: object) -> object:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        os.write(begin, b"w")
        faults.armed = True
        try:
            return write(*args, **kwargs)  # type: ignore[arg-type]
        finally:
            faults.armed = False

    def compiled(words: tuple[str, ...]) -> object:
        os.write(begin, b"s")
        return all_of(words)

    all_of = command.all_networks
    command.all_networks, command.write = compiled, written  # type: ignore[assignment]
    try:
        archc(words, prog_name="archc")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:  # after the command's end
        return 130
    return 0
