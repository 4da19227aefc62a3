"""GoogLeNet is the one that Keras tutorials print, but for the first padding and the two norms."""

from __future__ import annotations

from collections.abc import Callable

import plain_googlenet
import pytest
from support import Points, Twins, compare

SAME = "conv1_7x7_s2.padding=same"  # pads 2 and 3 pixels, where Caffe pads 3 and 3
NO_NORMS = ("pool1_norm1.alpha=1e-30", "conv2_norm2.alpha=1e-30")
"""Norms that divide by exactly 1: in floats, 1 + 1e-30 is 1."""


def points_of(pair: Twins) -> Points:
    """Run the other network with the weights of ours."""
    from archc_tensorflow.weights import path

    peer = plain_googlenet.build()
    ours = {
        path(node, w): pair.weights[node.weight_name(w)]
        for node in pair.network.walk(inference=True)
        for w in node.weights
    }
    theirs = {v.path: v for v in peer.weights}
    assert theirs.keys() == ours.keys()
    for name, variable in theirs.items():
        variable.assign(ours[name])
    assert peer.count_params() == 6_998_552
    assert pair.network.totals(inference=True).params == 6_998_552
    return plain_googlenet.end_points(peer, pair.end_points, pair.images)


def test_every_common_end_point_agrees(
    twins: Callable[..., Twins], figure: Callable[..., None]
) -> None:
    pair = twins("googlenet_keras")
    wanted = points_of(pair)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        assert found.keys() == wanted.keys()
        comparison = compare({name: found[name] for name in pair.end_points}, wanted)
        figure(f"googlenet_keras, {framework}", "GoogLeNet of Keras tutorials", comparison)
        assert not comparison.apart


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ((), "conv1_7x7_s2"),
        (NO_NORMS, "conv1_7x7_s2"),
        ((SAME,), "conv2_3x3_reduce"),  # the first behind a norm
        ((SAME, NO_NORMS[0]), "pool2_3x3_s2"),
    ],
)
def test_each_difference_shows(
    twins: Callable[..., Twins], changes: tuple[str, ...], first: str
) -> None:
    pair = twins("googlenet", *changes)
    assert next(iter(compare(pair.torch_points, points_of(pair)).apart)) == first
