"""The Python of every card runs as it stands, in a process without archc."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.cli import main as command
from archcompiler.compiler import compile_file

CASES = Path(__file__).parent / "cases" / "emitted"
SPECS = ("residual_from", "training_heads", "softmax_output", "map_output")


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("name", SPECS)
def test_the_code_of_a_card_runs(name: str, framework: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    network = compile_file(CASES / f"{name}.yaml").network
    for file, text in emit(network, backend(framework)).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", card, re.M | re.S)
    trains = all(len(h.node.output.shape) == 1 for h in network.heads if h.training_only)
    trains = trains and len(network.output_head.node.output.shape) == 1
    assert len(blocks) == (2 if trains else 1)
    refuse = "import sys\nsys.modules['archcompiler'] = None\n"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", refuse + "\n".join(blocks)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_changed_build_says_so(tmp_path: Path) -> None:
    from archcompiler.overrides import parse_assignment

    changes = [parse_assignment("num_classes=7"), parse_assignment("input=139x139")]
    specs = Path(__file__).parent.parent / "specs"
    network = compile_file(specs / "inception_v3.yaml", changes).network
    files = emit(network, backend("torch"))
    assert "from inception_v3.yaml num_classes=7 input=139x139;" in files["model.py"]
    again = "archc build inception_v3 -b torch num_classes=7 input=HxW"
    assert again in files["README.md"]
    assert again in re.sub(r'"\n\s+"', "", files["model.py"])


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("spec", ["inception_v3", "two_structures"])
def test_the_command_of_a_card_works_as_written(
    spec: str, framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shipped spec is called by its name, from any folder; another by its file."""
    shipped = Path(__file__).parent.parent / "specs" / f"{spec}.yaml"
    path = shipped if shipped.exists() else CASES / f"{spec}.yaml"
    if path is not shipped:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = emit(compile_file(path).network, backend(framework))["README.md"]
    (advice,) = re.findall(r"`archc (build .*)`", card)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, advice.replace("HxW", "139x139").split())
    assert done.exit_code == 0, done.output
    model = tmp_path / "out" / f"{spec}-{framework}" / "model.py"
    assert "139, 139, 3" in model.read_text(encoding="utf-8")


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_card_says_why_there_is_no_loss(framework: str) -> None:
    files = emit(compile_file(CASES / "map_output.yaml").network, backend(framework))
    assert "def loss" not in files["model.py"]
    assert "--mode train" not in files["benchmark.py"]
    card = " ".join(files["README.md"].split())
    assert "is a map (9x9x3), which no loss here fits: `model.py` has no `loss`" in card
    files = emit(compile_file(CASES / "minimal.yaml").network, backend(framework))
    assert "no loss here fits" not in " ".join(files["README.md"].split())


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_no_card_has_two_blank_lines(framework: str) -> None:
    card = emit(compile_file(CASES / "minimal.yaml").network, backend(framework))["README.md"]
    assert "\n\n\n" not in card


def test_a_variant_without_a_summary_is_not_called_as_its_base(tmp_path: Path) -> None:
    path = tmp_path / "child.yaml"
    path.write_text("archc: 1\nname: child\nextends: inception_v3\n", encoding="utf-8")
    files = emit(compile_file(path).network, backend("torch"))
    assert '"""child, a variant of inception_v3.\n' in files["model.py"]
    assert "child, a variant of inception" in files["README.md"]
