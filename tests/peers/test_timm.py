"""Inception V3 with torchvision's pools and heads is timm's, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import Twins, compare, from_torch
from torch_peer import copy_weights, count, end_points, import_beside_torch, train_once, unequal

NAMES = {"Pool1": "MaxPool_3a_3x3", "Pool2": "MaxPool_5a_3x3"}
NAMES |= {"head_drop": "PreLogits", "fc": "Logits"}
"""Its names to ours."""


@pytest.fixture
def own(twins: Callable[..., Twins]) -> Twins:
    return twins("inception_v3_torchvision")


@pytest.fixture
def peer(own: Twins) -> Any:
    theirs = import_beside_torch("timm.models.inception_v3")
    model = theirs.InceptionV3(aux_logits=True).eval()
    copy_weights(own.torch_model, model)
    return model


def test_every_end_point_is_bit_identical(
    own: Twins, peer: Any, figure: Callable[..., None]
) -> None:
    wanted = end_points(peer, own.torch_images, NAMES)
    assert set(own.end_points) <= wanted.keys()
    assert unequal(own.torch_tensors, wanted) == []
    comparison = compare(own.torch_points, {n: from_torch(t) for n, t in wanted.items()})
    figure("inception_v3_torchvision, torch", "timm", comparison)


def test_training_is_bit_identical(own: Twins, peer: Any) -> None:
    found, moved = train_once(own.torch_model, own.torch_images)
    wanted, theirs_moved = train_once(peer, own.torch_images)  # a plain tuple
    assert unequal(found._asdict(), dict(zip(found._fields, wanted, strict=True))) == []
    assert unequal(moved, theirs_moved) == []


def test_weights_are_as_many(own: Twins, peer: Any) -> None:
    assert count(peer).params == own.network.totals().params
