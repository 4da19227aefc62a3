"""Inception V1, V2 and V3 are TF-slim's, whose every variable has one name in the spec."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from support import Array, Twins, compare

from archcompiler import weights
from archcompiler.ir import Totals

RUN = Path(__file__).with_name("run_slim.py")
PARTS = {
    "conv/kernel": "weights",
    "conv/bias": "biases",
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
PRINTED = {
    "Mixed_5b/Branch_1/Con2d_0a_1x1": "Mixed_5b/Branch_1/Conv2d_0a_1x1",
    "Mixed_5c/Branch_1/Conv2d_0c_5x5": "Mixed_5c/Branch_1/Conv_1_0c_5x5",
    "Mixed_7a/Branch_0/Conv2d_0a_3x3": "Mixed_7a/Branch_0/Conv2d_1a_3x3",
}
"""Layers that tutorials print otherwise than TF-slim calls them."""


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
            layer = (RENAMED | PRINTED).get(node.path, node.path)
            found[f"InceptionV3/{layer}/{part}"] = pair.weights[name]
    return found


def agrees(
    pair: Twins,
    theirs: Mapping[str, Array],
    folder: Path,
    figure: Callable[..., None],
    network: str = "",
    *options: str,
) -> None:
    """Run TF-slim's network with these weights, and compare every end point."""
    name = pair.network.name
    np.save(folder / "images.npy", pair.images)
    np.savez(folder / "weights.npz", **theirs)
    command = [sys.executable, RUN, folder, network or name, *options]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with np.load(folder / "points.npz") as points:
        wanted = dict(points)
    assert wanted.keys() == set(pair.end_points)
    peer = ", ".join((f"tf_slim.nets.{network or name}", *options, f"{len(pair.images[0])}"))
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        comparison = compare({name: found[name] for name in pair.end_points}, wanted)
        figure(f"{name}, {framework}", peer, comparison)
        assert not comparison.apart


def test_inception_v3(
    slim_twins: Callable[..., Twins], tmp_path: Path, figure: Callable[..., None]
) -> None:
    pair = slim_twins("inception_v3")
    theirs = in_slim(pair)
    assert sum(w.size for w in theirs.values()) == 27_179_376
    assert pair.network.totals() == Totals(
        params=27_179_376, trainable=27_143_152, macs=5_718_899_296
    )
    agrees(pair, theirs, tmp_path, figure)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "option", "count"),
    [
        ("inception_v3_half", "depth_multiplier=0.5", 7_514_144),
        # What tutorials print passes options of norms, and no norm.
        ("inception_v3_printed", "plain", 27_143_152),
    ],
)
def test_variants_of_inception_v3(
    slim_twins: Callable[..., Twins],
    tmp_path: Path,
    figure: Callable[..., None],
    name: str,
    option: str,
    count: int,
) -> None:
    pair = slim_twins(name)
    theirs = in_slim(pair)
    assert sum(w.size for w in theirs.values()) == pair.network.totals().params == count
    agrees(pair, theirs, tmp_path, figure, "inception_v3", option)


@pytest.mark.parametrize(
    ("name", "changes", "count"),
    [
        ("inception_v1", (), 6_632_184),
        # Where the last pool is cut to the map.
        pytest.param("inception_v2", ("input=64x64",), 11_198_112, marks=pytest.mark.long),
        pytest.param("inception_v2", (), 11_198_112, marks=pytest.mark.long),
    ],
)
def test_names_are_those_of_the_map(
    slim_twins: Callable[..., Twins],
    tmp_path: Path,
    figure: Callable[..., None],
    name: str,
    changes: tuple[str, ...],
    count: int,
) -> None:
    """The shipped map gives the names; slim refuses one too many or too few."""
    pair = slim_twins(name, *changes)
    file = tmp_path / "theirs.safetensors"
    weights.export_weights(file, pair.network, pair.weights, "slim")
    theirs = weights.neutral.safetensors_file.read(file)
    assert sum(w.size for w in theirs.values()) == count
    agrees(pair, theirs, tmp_path, figure)
