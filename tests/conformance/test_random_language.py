"""Random networks that use the whole language: both frameworks give the same end points."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import harness
import pytest
from harness import FRAMEWORKS, Case, Results, difference

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

COUNT = 30
CHECKS = {
    "torch": ("import", "points", "output", "step", "trace", "script"),
    "tensorflow": ("import", "points", "output", "step", "keras_file"),
}

Run = Mapping[str, Results]
"""The results by framework."""


@functools.cache
def networks() -> dict[str, Network]:
    """Return the first random specs that are right and that both backends take.

    The specs are those of `test_random_specs.py`, which asks other questions of them.
    """
    path = Path(__file__).parents[1] / "test_random_specs.py"
    spec = importlib.util.spec_from_file_location("random_specs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Network] = {}
    seed = 0
    while len(found) < COUNT:
        seed += 1
        name = f"net{seed}"
        text = to_yaml(module.Writer(seed).spec() | {"name": name})
        try:
            network = compile_node(parse(text, f"{name}.yaml"), source=f"{name}.yaml").network
            for framework in FRAMEWORKS:
                emit(network, backend(framework))
        except ArchcError:
            continue
        found[name] = network
    return found


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        return [
            Case(name=name, network=network, checks=CHECKS[framework])
            for name, network in networks().items()
        ]

    return harness.run(shared_folder / "random_language", cases)


def test_tools_find_nothing(tmp_path: Path) -> None:
    for framework in FRAMEWORKS:
        for name, network in networks().items():
            text = emit(network, backend(framework))["model.py"]
            (tmp_path / f"{name}_in_{framework}.py").write_text(text, encoding="utf-8")
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.long
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_random_networks_run(run: Run, framework: str) -> None:
    for name in networks():
        for check in CHECKS[framework]:
            failure = run[framework].failure(name, check)
            assert not failure, f"{name}, {check}: {failure}"


@pytest.mark.long
def test_random_networks_agree(run: Run) -> None:
    for name, network in networks().items():
        torch, tensorflow = (run[f].numbers(name, "points") for f in FRAMEWORKS)
        wanted = {e.name: e.node.output.shape for e in network.end_points}
        assert torch.keys() == tensorflow.keys() == wanted.keys(), name
        for point, shape in wanted.items():
            given = harness.map_from_framework("torch", torch[point])
            assert given.shape[1:] == shape
            assert difference(given, tensorflow[point]) <= 1e-5, (name, point)
