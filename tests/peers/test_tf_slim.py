"""Inception V1 and V3 are TF-slim's, whose every variable has one name in the spec."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from support import Array, Twins, compare

from archcompiler.ir import Totals
from archcompiler.weights.sources import find_plan

RUN = Path(__file__).with_name("run_slim.py")
PARTS = {
    "conv/kernel": "weights",
    "kernel": "weights",
    "bias": "biases",
    "norm/beta": "BatchNorm/beta",
    "norm/moving_mean": "BatchNorm/moving_mean",
    "norm/moving_variance": "BatchNorm/moving_variance",
}
"""Our names of a layer's tensors to TF-slim's."""
RENAMED = {
    "Mixed_5c/Branch_1/Conv2d_0a_1x1": "Mixed_5c/Branch_1/Conv2d_0b_1x1",
    "Mixed_5c/Branch_1/Conv2d_0b_5x5": "Mixed_5c/Branch_1/Conv_1_0c_5x5",
    "Mixed_7b/Branch_1/Conv2d_0c_3x1": "Mixed_7b/Branch_1/Conv2d_0b_3x1",
}
"""Layers that TF-slim calls otherwise than in the block's other uses."""


@pytest.fixture
def slim_twins(twins: Callable[..., Twins]) -> Callable[..., Twins]:
    for package in ("tf_slim", "tf_keras"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (CONTRIBUTING.md says how)")
    return twins


def in_slim(pair: Twins) -> dict[str, Array]:
    """Return the weights by TF-slim's names."""
    found = {}
    for node in pair.network.walk():
        for weight in node.weights:
            name = node.weight_name(weight)
            part = PARTS[name.removeprefix(f"{node.path}/")]
            found[f"InceptionV3/{RENAMED.get(node.path, node.path)}/{part}"] = pair.weights[name]
    return found


def agrees(
    pair: Twins, weights: Mapping[str, Array], folder: Path, figure: Callable[..., None]
) -> None:
    """Run TF-slim's network with these weights, and compare every end point."""
    name = pair.network.name
    np.save(folder / "images.npy", pair.images)
    np.savez(folder / "weights.npz", **weights)
    run = subprocess.run([sys.executable, RUN, folder, name], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with np.load(folder / "points.npz") as points:
        wanted = dict(points)
    assert wanted.keys() == set(pair.end_points)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        comparison = compare({name: found[name] for name in pair.end_points}, wanted)
        figure(f"{name}, {framework}", f"tf_slim.nets.{name}", comparison)
        assert not comparison.apart


def test_inception_v3(
    slim_twins: Callable[..., Twins], tmp_path: Path, figure: Callable[..., None]
) -> None:
    pair = slim_twins("inception_v3")
    weights = in_slim(pair)
    assert sum(w.size for w in weights.values()) == 27_179_376
    assert pair.network.totals() == Totals(
        params=27_179_376, trainable=27_143_152, macs=5_718_899_296
    )
    agrees(pair, weights, tmp_path, figure)


@pytest.mark.long
def test_inception_v1(
    slim_twins: Callable[..., Twins], tmp_path: Path, figure: Callable[..., None]
) -> None:
    """The shipped map gives the names; slim refuses one too many or too few."""
    pair = slim_twins("inception_v1")
    names = {m.theirs: m.ours for m in find_plan(pair.network, "slim").matches if m.theirs}
    weights = {theirs: pair.weights[ours] for theirs, ours in names.items()}
    assert sum(w.size for w in weights.values()) == 6_632_184
    agrees(pair, weights, tmp_path, figure)
