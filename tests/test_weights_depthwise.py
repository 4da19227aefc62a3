"""Depthwise and separable kernels, layer norms and layer scales: to other libraries and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weights_kit import CASES, Tensors, codes, same, values

from archcompiler import weights
from archcompiler.compiler import compile_file
from archcompiler.ir import Network
from archcompiler.weights import keras_file

SHAPES = {
    "slim": {
        "Conv2d_1a_7x7/depthwise_weights": (3, 3, 3, 4),
        "Conv2d_1a_7x7/pointwise_weights": (1, 1, 12, 5),
        "Deep/depthwise_weights": (3, 2, 6, 2),
        "Plain/depthwise_weights": (3, 3, 12, 1),
    },
    "other": {
        "Conv2d_1a_7x7/depthwise_weights": (12, 1, 3, 3),
        "Conv2d_1a_7x7/pointwise_weights": (5, 12, 1, 1),
        "Deep/depthwise_weights": (12, 1, 3, 2),
        "Plain/depthwise_weights": (12, 1, 3, 3),
    },
}
"""What each source's kernels are."""


@pytest.fixture(scope="module")
def network() -> Network:
    return compile_file(CASES / "deep.yaml").network


def _sent(network: Network, source: str, path: Path) -> Tensors:
    weights.export_weights(path, network, values(network), map_file=CASES / f"deep.{source}.yaml")
    return dict(weights.neutral.safetensors_file.read(path))


@pytest.mark.parametrize("source", SHAPES)
def test_there_and_back(network: Network, source: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    theirs = _sent(network, source, path)
    assert {n: theirs[n].shape for n in SHAPES[source]} == SHAPES[source]
    back = weights.import_weights(path, network, map_file=CASES / f"deep.{source}.yaml")
    assert same(back.tensors, values(network))


def test_the_multiplier_runs_fastest(network: Network, tmp_path: Path) -> None:
    theirs = _sent(network, "slim", tmp_path / "theirs.safetensors")
    kernel, ours = theirs["Conv2d_1a_7x7/depthwise_weights"], values(network)
    for channel, multiple in np.ndindex(3, 4):
        same_output = ours["Stem/depthwise/kernel"][:, :, 0, 4 * channel + multiple]
        assert (kernel[:, :, channel, multiple] == same_output).all()


def test_another_multiplier_does_not_fit(network: Network, tmp_path: Path) -> None:
    theirs = _sent(network, "slim", tmp_path / "theirs.safetensors")
    name = "Conv2d_1a_7x7/depthwise_weights"
    theirs[name] = theirs[name].reshape(3, 3, 4, 3)
    path = tmp_path / "changed.safetensors"
    weights.neutral.safetensors_file.write(path, theirs, {"format": "pt"})
    slim = CASES / "deep.slim.yaml"
    assert codes(lambda: weights.import_weights(path, network, map_file=slim)) == ["E904"]


def test_files_of_keras_name_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "deep.weights.h5"
    shapes = {"depthwise_kernel": (3, 3, 2, 1), "pointwise_kernel": (1, 1, 2, 4), "bias": (4,)}
    tensors = {f"sep/{name}": np.ones(shape, "float32") for name, shape in shapes.items()}
    tensors |= {"norm/gamma": np.ones(4, "float32"), "norm/beta": np.zeros(4, "float32")}
    keras_file.write(path, tensors, ("sep", "norm"))
    assert same(keras_file.read(path), tensors)
