"""Weights and multiply-adds of every shipped network: the IR's are what both frameworks count.

PyTorch's own counter, and TensorFlow's graph, of the emitted code as it is built; nothing is
computed. `tests/test_figures.py` holds the IR to the counts of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras_graph
import pytest
import torch_peer
from support import Twins

from archcompiler.ir import Network, Totals
from archcompiler.locate import shipped

LONG = (
    "bn_inception", "googlenet_torchvision", "inception_resnet_v1", "inception_resnet_v2",
    "inception_v3_fid", "inception_v3_half", "inception_v3_keras", "inception_v3_printed",
    "inception_v3_torchvision", "inception_v4",
)  # fmt: skip
"""Large networks, and some that others are alike."""


@pytest.fixture(
    params=[pytest.param(n, marks=[pytest.mark.long] * (n in LONG)) for n in sorted(shipped())]
)
def pair(request: pytest.FixtureRequest, twins: Callable[..., Twins]) -> Twins:
    return twins(request.param)


def views(network: Network) -> Iterator[tuple[bool, Totals]]:
    """Yield what evaluation computes, and all heads where that is more."""
    yield True, network.totals(inference=True)
    if network.training_heads:
        yield False, network.totals()


def test_torch_counts_as_many(pair: Twins) -> None:
    import torch

    height, width, channels = pair.network.input.shape
    with torch.device("meta"):
        model = pair.torch_class()().eval()
        image = torch.empty(1, channels, height, width)
    for inference, wanted in views(pair.network):
        found = torch_peer.count(model, image, None if inference else model.end_points)
        heads = {head.name for head in pair.network.training_heads if inference}
        assert without(model, found, heads) == wanted


def without(model: Any, found: Totals, heads: set[str]) -> Totals:
    """Take away the weights of heads, which a PyTorch model has whatever it computes."""
    parts = [torch_peer.count(model.get_submodule(head)) for head in heads]
    return Totals(
        params=found.params - sum(part.params for part in parts),
        trainable=found.trainable - sum(part.trainable for part in parts),
        macs=found.macs,
    )


def test_keras_counts_as_many(pair: Twins) -> None:
    model = pair.keras_module.build()
    for inference, wanted in views(pair.network):
        view = pair.keras_module.inference(model) if inference else model
        assert keras_graph.count(view) == wanted
