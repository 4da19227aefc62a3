"""Inception V3 of TF-slim is torchvision's but for what its average pools make of the padding."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import Points, Twins, compare, from_torch
from torch_peer import copy_weights, end_points, import_beside_torch

NAMES = {
    "maxpool1": "MaxPool_3a_3x3",
    "maxpool2": "MaxPool_5a_3x3",
    "dropout": "PreLogits",
    "fc": "Logits",
}
"""Its names to ours."""


@pytest.fixture
def theirs() -> ModuleType:
    """Return the module of torchvision that has Inception V3."""
    return import_beside_torch("torchvision.models.inception")


def build(theirs: ModuleType, pair: Twins) -> Any:
    peer = theirs.Inception3(aux_logits=True, transform_input=False, init_weights=False).eval()
    copy_weights(pair.torch_model, peer)
    return peer


def test_only_the_padding_in_average_pools_tells_slim_apart(
    twins: Callable[..., Twins],
    theirs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[..., None],
) -> None:
    import torch.nn.functional as F

    pair = twins("inception_v3")
    peer = build(theirs, pair)

    def points() -> Points:
        found = end_points(peer, pair.torch_images, NAMES)
        return {name: from_torch(tensor) for name, tensor in found.items()}

    apart = compare(pair.torch_points, points()).apart
    assert next(iter(apart)) == "Mixed_5b"  # the first block with an average pool

    excluding = functools.partial(F.avg_pool2d, count_include_pad=False)
    functions = SimpleNamespace(**(vars(F) | {"avg_pool2d": excluding}))
    monkeypatch.setattr(theirs, "F", functions)
    comparison = compare(pair.torch_points, points())
    assert comparison.differences.keys() == set(pair.end_points)
    figure("inception_v3, torch", "torchvision, its pools without padding", comparison)
    assert not comparison.apart
