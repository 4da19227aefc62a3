"""Static shapes are real ones at legal input sizes: here a few of each shipped spec.

`every_size.py` is the program, and runs them all: see docs/numerics.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archcompiler.locate import shipped

SAMPLE = {"torch": 2, "tensorflow": 1}
"""How many sizes of each spec."""
SPECS = {
    "torch": [
        name for name in sorted(shipped()) if not name.startswith(("inception_v3_", "googlenet_"))
    ],
    "tensorflow": ["bn_inception", "googlenet", "inception_next_tiny", "inception_v2"],
}
"""TensorFlow needs some seconds for each; the variants of one network have the same windows."""


@pytest.mark.parametrize("framework", SAMPLE)
def test_shapes_are_those_of_the_framework(framework: str, tmp_path: Path) -> None:
    pytest.importorskip(framework)
    names = SPECS[framework]
    program = Path(__file__).with_name("every_size.py")
    words = ["--backend", framework, "--sample", str(SAMPLE[framework]), "--compute"]
    settings = {"CUDA_VISIBLE_DEVICES": "", "KERAS_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, program, *words, *(f"--spec={name}" for name in names)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | settings,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    *lines, last = run.stdout.splitlines()
    assert len(lines) == len(names)
    assert last.startswith(f"{len(names) * SAMPLE[framework]} builds")
    assert last.endswith(" 0 differ")
