"""The test kit for backends: it finds nothing in ours, and each mistake in a broken one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from archc_torch import TorchBackend
from archcompiler.backend import backend
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.ir import Network
from archcompiler.testing import check_backend


@pytest.mark.parametrize("framework", ["torch", pytest.param("tensorflow", marks=pytest.mark.long)])
def test_the_test_kit_finds_nothing(framework: str) -> None:
    assert check_backend(backend(framework)) == []


class _Broken(TorchBackend):
    """The torch backend with a mistake of each kind."""

    attributes: ClassVar[frozenset[str]] = TorchBackend.attributes | {"detach"}
    changes: ClassVar[dict[str, tuple[str, str]]] = {
        "conv_0": ("padding=1", "padding=2"),
        "conv_1": ("bias=False", "bias=True"),
        "batch_norm_0": ("nn.BatchNorm2d(3, ", "nn.BatchNorm2d(3, affine=False, "),
        "batch_norm_1": ("momentum=0.01", "momentum=0.02"),
        "max_pool_2": ("import torch\n", "import no_such_module\n"),
        "avg_pool_0": ("count_include_pad=False", "count_include_pad=True"),
        "conv_4": ("self.conv(x)", "self.conv(x.detach())"),
    }

    def emit(self, network: Network) -> dict[str, str]:
        if network.name == "dense_0":
            raise ArchcError(Diagnostic(code="E501", message="no dense"))
        if network.name == "flatten_0":
            raise KeyError("flatten")
        files = super().emit(network)
        if network.name in self.changes:
            old, new = self.changes[network.name]
            assert old in files["model.py"], files["model.py"]
            files["model.py"] = files["model.py"].replace(old, new, 1)
        return files


def test_the_test_kit_finds_mistakes(tmp_path: Path) -> None:
    found = check_backend(_Broken(), tmp_path)
    shapes = [d for d in found if d.code != "E807"]
    assert [d.code for d in shapes] == ["E501", "E803", "E803", "E801", "E802", "E802", "E802"]
    messages = "\n".join(d.message for d in shapes)
    for part in ("no dense", "KeyError('flatten')", "no_such_module", "Logits/gamma"):
        assert part in messages
    numbers = [(d.message, d.rows[0].value) for d in found if d.code == "E807"]
    assert numbers == [
        (f"PyTorch computes `{name}` otherwise than defined", what)
        for name, what in (
            ("conv_4", "gradients: gradient of input, float32"),
            ("avg_pool_0", "gradients: output, float32"),
            ("batch_norm_1", "training: Logits/moving_mean, float32"),
        )
    ]


def test_only_the_reference_needs_numpy() -> None:
    modules = ("archcompiler.testing", "archcompiler.reference")
    code = "\n".join(
        ("import sys", *(f"import {m}; print('numpy' in sys.modules)" for m in modules))
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
