"""The Python of every card runs as it stands, in a process without archc."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archcompiler.backend import backend
from archcompiler.build import emit
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
    again = "archc build inception_v3.yaml num_classes=7 input=HxW"
    assert again in files["README.md"]
    assert again in re.sub(r'"\n\s+"', "", files["model.py"])
