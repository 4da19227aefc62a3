"""What tools say of the emitted files of many small, nasty networks and of the shipped ones."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from emitted import EVERY_NAME, NAMES, READ, SPECS, files, network
from harness import FRAMEWORKS

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.source import parse
from archcompiler.verify import hold


@pytest.fixture(scope="session")
def folder(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every emitted file, a framework's side by side."""
    home = tmp_path_factory.mktemp("files")
    for framework in FRAMEWORKS:
        # A folder called `torch` would make ruff take the package for one of ours.
        (home / f"for_{framework}").mkdir()
        for name in (*NAMES, *READ):
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
def test_mypy_finds_nothing(folder: Path, framework: str, mypy: Callable[..., str]) -> None:
    home = folder / f"for_{framework}"
    strict = ["--strict"] if framework == "torch" else []
    found = [str(p.relative_to(home)) for p in home.glob("model*.py")]
    assert not mypy(home, *strict, *found, "benchmark.py")


@pytest.mark.parametrize("name", [n for n in (*NAMES, *READ) if n != "long_names"])
def test_lines_fit_88_columns(name: str) -> None:
    for framework in FRAMEWORKS:
        for file, text in files(name, framework).items():
            if file.endswith(".py"):
                wide = [line for line in text.splitlines() if len(line) > 88]
                assert not wide, (framework, file)


def test_inception_v3_stays_readable() -> None:
    assert len(files("inception_v3", "torch")["model.py"].splitlines()) <= 400
    assert len(files("inception_v3", "tensorflow")["model.py"].splitlines()) <= 300


LOOPS = {
    "torch": (
        'self.Repeat = chain(**{f"block35_{i}": Block35(320) for i in range(1, 11)})',
        'self.Repeat_1 = chain(**{f"block17_{i}": Block17(1088) for i in range(1, 21)})',
        'f"block8_{i}": Block8(2080, factor=0.2, activation="relu")\n'
        "                for i in range(1, 10)",
    ),
    "tensorflow": (
        'for i in range(1, 11):\n        x = block35(x, f"Repeat.block35_{i}")',
        'for i in range(1, 21):\n        x = block17(x, f"Repeat_1.block17_{i}")',
        'for i in range(1, 10):\n        x = block8(x, f"Repeat_2.block8_{i}", factor=0.2, ',
    ),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_inception_resnet_v2_says_everything_once(framework: str) -> None:
    """Repeats are loops; a block with a ReLU and one without are one class; biases decay alike."""
    text = files("inception_resnet_v2", framework)["model.py"]
    for loop in LOOPS[framework]:
        assert text.count(loop) == 1
    assert len(re.findall(r"^(?:class|def) block\w*", text, re.MULTILINE | re.IGNORECASE)) == 3
    assert "OTHER_DECAY" not in text
    assert len(text.splitlines()) <= 400


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
    surroundings = (
        (tmp_path, {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "UTC"}),
        (tmp_path.parent, {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}),
    )
    for folder, variables in surroundings:
        done = subprocess.run(
            [sys.executable, "-c", _EMIT, *map(str, paths)],
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_verify_finds_no_difference(framework: str, tmp_path: Path) -> None:
    found = hold([network(n) for n in NAMES], backend(framework), tmp_path)
    assert len(found) == len(NAMES)
    assert [d.message for wrong in found.values() for d in wrong] == []


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
        ("{depthwise_conv: 3, padding: same, stride: 2, dilation: 2, name: a}", "and dilation"),
        ("{depthwise_conv: 3, padding: same, stride: 1x2, name: a}", "whose strides differ"),
        (
            "{separable_conv: 2, kernel: 3, padding: same, stride: 2x1, name: a}",
            "whose strides differ",
        ),
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


def test_the_names_of_files_were_tried() -> None:
    tried = {n.name for n in network(EVERY_NAME).body.nodes}
    assert {"chain", "check_size", "Tensor", "nn", "layers", "keras", "isinstance"} <= tried
