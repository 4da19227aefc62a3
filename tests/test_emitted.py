"""The emitted code of many small, nasty networks and of the shipped ones: read by tools, and run.

Each framework runs all networks in one process of its own (see `conformance/harness.py`); a test
here reads one result.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import numpy as np
import pytest
from harness import FRAMEWORKS, Case, Results, difference

from archc_torch.naming import RESERVED as TORCH_RESERVED
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file, compile_node
from archcompiler.errors import ArchcError
from archcompiler.initializer import Init
from archcompiler.ir import Network
from archcompiler.names import parameter_problem, problem
from archcompiler.overrides import parse_assignment
from archcompiler.softmax import gives_probabilities
from archcompiler.source import parse
from archcompiler.verify import verify_all
from archcompiler.yaml_writer import to_yaml

ROOT = Path(__file__).parents[1]
SPECS = {
    p.stem: p
    for p in (*(ROOT / "tests/cases/emitted").glob("*.yaml"), *(ROOT / "specs").glob("*.yaml"))
    if p.parent.name == "emitted" or p.stem in ("inception_v3", "googlenet")
}
SHIPPED = ("googlenet", "inception_v3")
LARGER = "size_free_larger"
"""`size_free`, built for the larger images."""
EVERY_NAME = "every_name"
"""A network made of the names that the other networks' files use themselves."""

# What costs seconds is tried on some of them: odd structures, odd names, every kind of output.
THOROUGH = (
    *SHIPPED, "branch_reads_outer", "ceil_pools", "from_sections", "head_reads_head",
    "helper_names", "map_output", "minimal", "same_stride_two", "split_forks", "training_heads",
)  # fmt: skip
CHECKS = {
    "torch": ("import", "points", "output", "step", "init", "sizes", "trace", "script"),
    "tensorflow": ("import", "points", "output", "step", "init", "traces", "keras_file"),
}
MORE_CHECKS = {"torch": ("export", "compiled"), "tensorflow": ("saved_model",)}

Run = Callable[[str], Results]


@functools.cache
def network(name: str) -> Network:
    if name == EVERY_NAME:
        return compile_node(parse(_every_name(), f"{name}.yaml"), source=f"{name}.yaml").network
    if name == LARGER:
        sizes = [parse_assignment("input=24x15")]
        return compile_file(SPECS["size_free"], sizes).network
    return compile_file(SPECS[name]).network


@functools.cache
def files(name: str, framework: str) -> dict[str, str]:
    return emit(network(name), backend(framework))


def checks(framework: str, name: str) -> tuple[str, ...]:
    return (*CHECKS[framework], *(MORE_CHECKS[framework] if name in THOROUGH else ()))


NAMES = (*sorted(SPECS), EVERY_NAME)


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        found = [Case(name=n, network=network(n), checks=checks(framework, n)) for n in NAMES]
        batch = harness.larger_images("size_free", network("size_free"))
        larger = Case(name=LARGER, network=network(LARGER), checks=("points",), images=batch)
        return [*found, larger]

    return functools.cache(lambda f: harness.run(f, shared_folder / "emitted", lambda: cases(f)))


# What tools say of the files


@pytest.fixture(scope="session")
def folder(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every emitted file, a framework's side by side."""
    home = tmp_path_factory.mktemp("files")
    for framework in FRAMEWORKS:
        # A folder called `torch` would make ruff take the package for one of ours.
        (home / f"for_{framework}").mkdir()
        for name in NAMES:
            for file, text in files(name, framework).items():
                if file.endswith(".py"):
                    path = home / f"for_{framework}" / file.replace(".py", f"_{name}.py")
                    path.write_text(text, encoding="utf-8")
        # benchmark.py imports `model`: one network's files keep their own names.
        for file in ("model.py", "benchmark.py"):
            text = files("inception_v3", framework)[file]
            (home / f"for_{framework}" / file).write_text(text, encoding="utf-8")
    return home


def _tool(*command: str, cwd: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_ruff_finds_nothing(folder: Path) -> None:
    _tool("ruff", "check", "--isolated", "--no-cache", ".", cwd=folder)


def test_no_file_needs_a_formatter(folder: Path) -> None:
    _tool("ruff", "format", "--isolated", "--no-cache", "--diff", ".", cwd=folder)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_mypy_finds_nothing(folder: Path, framework: str) -> None:
    home = folder / f"for_{framework}"
    strict = ["--strict"] if framework == "torch" else []
    found = [str(p.relative_to(home)) for p in home.glob("model*.py")]
    _tool("mypy", "--config-file=", "--cache-dir=.cache", *strict, *found, "benchmark.py", cwd=home)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "long_names"])
def test_lines_fit_88_columns(name: str) -> None:
    for framework in FRAMEWORKS:
        for file, text in files(name, framework).items():
            if file.endswith(".py"):
                wide = [line for line in text.splitlines() if len(line) > 88]
                assert not wide, (framework, file)


def test_inception_v3_stays_readable() -> None:
    assert len(files("inception_v3", "torch")["model.py"].splitlines()) <= 400
    assert len(files("inception_v3", "tensorflow")["model.py"].splitlines()) <= 300


@pytest.mark.parametrize("name", NAMES)
def test_the_files_import_their_framework_and_nothing_else(name: str) -> None:
    allowed = {
        "torch": {"collections", "torch", "typing"},
        "tensorflow": {"keras", "tensorflow", "typing"},
    }
    for framework in FRAMEWORKS:
        tree = ast.parse(files(name, framework)["model.py"])
        found = {
            module.split(".")[0]
            for node in ast.walk(tree)
            for module in (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [str(node.module)]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert found <= allowed[framework]


_EMIT = """\
import hashlib, sys
from pathlib import Path
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file

digest = hashlib.sha256()
for path in sys.argv[1:]:
    network = compile_file(Path(path)).network
    for framework in ("torch", "tensorflow"):
        for name, text in emit(network, backend(framework)).items():
            digest.update(f"{name}\\n{text}".encode())
print(digest.hexdigest())
"""


def test_the_bytes_depend_on_the_spec_alone(tmp_path: Path) -> None:
    paths = [SPECS[name] for name in sorted(SPECS)]
    digest = hashlib.sha256()
    for name in sorted(SPECS):
        for framework in FRAMEWORKS:
            for file, text in files(name, framework).items():
                digest.update(f"{file}\n{text}".encode())
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _EMIT, *map(str, paths)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_verify_finds_no_difference(framework: str, tmp_path: Path) -> None:
    found = verify_all([network(n) for n in NAMES], backend(framework), tmp_path)
    assert [d.message for d in found] == []


# What the code does


@pytest.mark.parametrize(
    ("framework", "name", "check"),
    [(f, n, c) for f in FRAMEWORKS for n in NAMES for c in checks(f, n)],
)
def test_the_code_runs(run: Run, framework: str, name: str, check: str) -> None:
    failure = run(framework).failure(name, check)
    assert not failure, failure


def _points(run: Run, framework: str, name: str) -> dict[str, np.ndarray]:
    found = run(framework).numbers(name, "points")
    return {k: harness.map_from_framework(framework, v) for k, v in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_end_points_agree(run: Run, name: str) -> None:
    torch, tensorflow = (_points(run, f, name) for f in FRAMEWORKS)
    wanted = {e.name: e.node.output.shape for e in network(name).end_points}
    assert torch.keys() == tensorflow.keys() == wanted.keys()
    # A softmax turns a relative error of its input into an absolute one, times its size.
    soft = {h.name for h in network(name).heads if gives_probabilities(network(name), h)}
    for point, shape in wanted.items():
        assert torch[point].shape[1:] == shape
        limit = 1e-4 if point in soft else 1e-5
        assert difference(torch[point], tensorflow[point]) <= limit, point


def test_a_network_without_fixed_sizes_is_right_at_others(run: Run) -> None:
    torch = run("torch").numbers("size_free", "sizes")["output"]
    weights = harness.weights(network("size_free"))
    assert weights.keys() == harness.weights(network(LARGER)).keys()
    tensorflow = run("tensorflow").numbers(LARGER, "points")["Logits"]
    assert difference(torch, tensorflow) <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_is_in_the_losses_of_keras(run: Run, name: str) -> None:
    found = float(run("tensorflow").numbers(name, "step")["decay"])
    wanted = harness.decay(network(name), harness.weights(network(name)))
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-12)


def _cross_entropy(output: np.ndarray) -> float:
    """Return the mean cross entropy of logits, or of what is probabilities already."""
    powers = np.exp(output - output.max(-1, keepdims=True))
    is_soft = np.allclose(output.sum(-1), 1.0, atol=1e-5) and output.min() >= 0.0
    shares = output if is_soft else powers / powers.sum(-1, keepdims=True)
    rows = np.arange(len(output))
    return float(-np.log(shares[rows, rows % output.shape[-1]]).mean())


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("map_output", "minimal")])
def test_the_loss_weighs_the_cross_entropies(run: Run, name: str) -> None:
    found = run("torch").numbers(name, "step")
    weights = [1.0, *(h.loss_weight or 0.0 for h in network(name).training_heads)]
    entropies = [_cross_entropy(found[str(i)].astype(float)) for i in range(len(weights))]
    wanted = sum(w * e for w, e in zip(weights, entropies, strict=True))
    assert float(found["loss"]) == pytest.approx(wanted, rel=1e-4)
    tensorflow = run("tensorflow").numbers(name, "step")["loss"]
    assert float(tensorflow) == pytest.approx(wanted, rel=1e-4)


# Initial values


def _deviation(init: Init, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return an initialiser's standard deviation and its largest value."""
    words = {
        "glorot_uniform": Init("variance_scaling", 1.0, "fan_avg", "uniform"),
        "glorot_normal": Init("variance_scaling", 1.0, "fan_avg", "truncated_normal"),
        "he_uniform": Init("variance_scaling", 2.0, "fan_in", "uniform"),
        "he_normal": Init("variance_scaling", 2.0, "fan_in", "truncated_normal"),
    }
    init = words.get(init.kind, init)
    number = init.value or 0.0
    kind = init.kind
    if kind == "variance_scaling":
        receptive = float(np.prod(shape[:-2]))
        fan_in, fan_out = receptive * shape[-2], receptive * shape[-1]
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        kind, number = str(init.distribution), (number / fans[str(init.mode)]) ** 0.5
        number *= {"truncated_normal": 1 / 0.8796, "normal": 1.0, "uniform": 3**0.5}[kind]
    if kind == "truncated_normal":
        return number * 0.8796, number * 2
    return (number, float("inf")) if kind == "normal" else (number / 3**0.5, number)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ["initialisers", "decays", "vector_norms", "googlenet"])
def test_weights_start_as_the_spec_says(run: Run, framework: str, name: str) -> None:
    found = run(framework).numbers(name, "init")
    values = harness.canonical(framework, network(name), found)
    constants = {"zeros": 0.0, "ones": 1.0}
    kinds = set()
    for node in network(name).walk():
        for weight in node.weights:
            drawn, init = values[node.weight_name(weight)], weight.init
            kinds.add(init.kind)
            if init.kind in ("constant", "ones", "zeros"):
                wanted = constants.get(init.kind, init.value)
                assert (drawn == np.float32(wanted)).all(), node.path
                continue
            deviation, largest = _deviation(init, weight.shape)
            assert np.abs(drawn).max() <= largest * 1.001, node.path
            assert np.unique(drawn).size > drawn.size / 2, node.path
            if drawn.size > 500:
                assert drawn.std() == pytest.approx(deviation, rel=0.1), node.path
                assert abs(drawn.mean()) <= deviation / 4, node.path
    assert name != "initialisers" or len(kinds) == 11


# What cannot be emitted


def _fails(body: str) -> ArchcError:
    text = f"""\
archc: 1
name: refused
input: 9x9x3
defaults: {{conv: {{padding: same}}}}
blocks: {{cell: {{layers: [{body}]}}}}
stem: []
body: [{{block: cell, name: cell}}]
heads: {{Logits: [global_avg_pool]}}
"""
    made = compile_node(parse(text, "refused.yaml"), source="refused.yaml").network
    emit(made, backend("torch"))
    with pytest.raises(ArchcError) as caught:
        emit(made, backend("tensorflow"))
    return caught.value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{conv: 2, kernel: 3, stride: 2, dilation: 2, name: a}", "stride and dilation"),
        (
            "{conv: 2, kernel: 1, name: a, end_point: true}, {identity, from: input, name: b}",
            "`cell/a`",
        ),
    ],
)
def test_tensorflow_refuses_what_it_cannot_do(body: str, said: str) -> None:
    (diagnostic,) = _fails(body).diagnostics
    assert diagnostic.code == "E501"
    assert said in diagnostic.message
    assert diagnostic.position is not None


# Names


def _own_names(text: str) -> Iterator[str]:
    """Yield the names that a file defines, imports or reads, but attributes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg


def _every_name() -> str:
    """Write a network whose blocks, layers and parameters have the names that files use."""
    names = {
        name
        for spec in ("inception_v3", "many_ops", "same_stride_two", "split_forks", "map_norms")
        for framework in FRAMEWORKS
        for name in _own_names(files(spec, framework)["model.py"])
        if not re.fullmatch(r"\w*\d\w*|[a-z]", name)
    }
    allowed = {n.lower(): n for n in sorted(names | TORCH_RESERVED) if problem(n) is None}
    blocks, body = {}, []
    for name in sorted(allowed.values()):
        layer = {"conv": 2, "kernel": 1, "name": name}
        block: dict[str, object] = {"layers": [layer]}
        if parameter_problem(name) is None:
            layer["conv"] = f"${name}"
            block = {"params": {name: 2}, **block}
        blocks[name] = block
        body.append({"block": name, "name": name})
    first = {"conv": 2, "kernel": 3, "stride": 2, "padding": "same", "name": "first_one"}
    return to_yaml(
        {
            "archc": 1,
            "name": "every_name",
            "input": "8x8x3",
            "defaults": {
                "conv": {"padding": "valid", "norm": "batch_norm", "activation": "relu"},
                "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False},
            },
            "blocks": blocks,
            "stem": [first],
            "body": body,
            "heads": {"final_one": ["global_avg_pool", {"dense": 4, "name": "loss"}]},
        }
    )


def test_the_names_of_files_were_tried() -> None:
    tried = {n.name for n in network(EVERY_NAME).body.nodes}
    assert {"chain", "check_size", "Tensor", "nn", "layers", "keras", "isinstance"} <= tried
