"""Inception V3 is torchvision's, bit by bit; only its average pools tell it from TF-slim's."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import Points, Twins, compare, from_torch
from torch_peer import (
    alike,
    copy_weights,
    count,
    end_points,
    import_beside_torch,
    train_once,
    unequal,
)

from archcompiler.ir import Totals

NAMES = {
    "maxpool1": "MaxPool_3a_3x3",
    "maxpool2": "MaxPool_5a_3x3",
    "dropout": "PreLogits",
    "fc": "Logits",
}
"""Its names to ours."""
WHOLE = Totals(params=27_197_488, trainable=27_161_264, macs=5_718_899_296)


@pytest.fixture
def theirs() -> ModuleType:
    """Return the module of torchvision that has Inception V3."""
    return import_beside_torch("torchvision.models.inception")


def build(theirs: ModuleType, pair: Twins) -> Any:
    peer = theirs.Inception3(aux_logits=True, transform_input=False, init_weights=False).eval()
    copy_weights(pair.torch_model, peer)
    return peer


@pytest.fixture
def own(twins: Callable[..., Twins]) -> Twins:
    """Return the network with torchvision's pools and heads."""
    return twins("inception_v3_torchvision")


def test_every_end_point_is_bit_identical(
    own: Twins, theirs: ModuleType, figure: Callable[..., None]
) -> None:
    found = own.torch_tensors
    wanted = end_points(build(theirs, own), own.torch_images, NAMES)
    assert set(own.end_points) <= wanted.keys()
    assert unequal(found, wanted) == []
    comparison = compare(own.torch_points, {n: from_torch(t) for n, t in wanted.items()})
    figure("inception_v3_torchvision, torch", "torchvision", comparison)


def test_training_is_bit_identical(own: Twins, theirs: ModuleType) -> None:
    found, moved = train_once(own.torch_model, own.torch_images)
    wanted, theirs_moved = train_once(build(theirs, own), own.torch_images)
    assert found._fields == wanted._fields == ("logits", "aux_logits")
    assert unequal(found._asdict(), wanted._asdict()) == []
    assert moved.keys() == theirs_moved.keys()
    assert unequal(moved, theirs_moved) == []


def test_weights_and_macs_are_as_many(own: Twins, theirs: ModuleType) -> None:
    import torch

    with torch.device("meta"):
        peer = theirs.Inception3(aux_logits=True, init_weights=False)
        images = torch.empty(2, 3, 299, 299)  # training needs more than one
    assert count(peer.train()) == replace(WHOLE, macs=0)
    assert count(peer, images).macs == 2 * WHOLE.macs
    assert own.network.totals() == WHOLE

    without = replace(WHOLE, macs=count(peer.eval(), images).macs // 2)
    aux = count(peer.AuxLogits)
    without = replace(
        without, params=WHOLE.params - aux.params, trainable=WHOLE.trainable - aux.trainable
    )
    assert own.network.totals(inference=True) == without


def test_fresh_weights_are_drawn_alike(own: Twins, theirs: ModuleType) -> None:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours, peer = own.torch_class()(), theirs.Inception3(init_weights=True)
    drawn: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for name, source, target in alike(ours, peer):
        kind = name if isinstance(target, nn.Linear) else "Trunk"
        for key, values in target.named_parameters():
            pair = source.get_parameter(key).detach(), values.detach()
            drawn[f"{kind} {type(target).__name__} {key}"].append(pair)
    assert len(drawn) == 7  # kernels, gammas, betas, two kernels and biases of dense layers
    for kind, pairs in drawn.items():
        found, wanted = (
            torch.cat([v.flatten() for v in side]) for side in zip(*pairs, strict=True)
        )
        within = 0.01 if len(found) > 1e5 else 0.1
        assert found.std().item() == pytest.approx(wanted.std().item(), rel=within), kind
        assert found.abs().max().item() == pytest.approx(wanted.abs().max().item(), rel=0.1), kind


@pytest.mark.parametrize(
    ("name", "package", "peer"),
    [
        ("inception_v3_torchvision", "inception", "Inception3"),
        ("googlenet_torchvision", "googlenet", "GoogLeNet"),
    ],
)
def test_fresh_kernels_are_drawn_by_the_same_calls(
    twins: Callable[..., Twins],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    package: str,
    peer: str,
) -> None:
    """As many kernels of each shape, each with the same deviation and the same cut."""
    import torch

    theirs = import_beside_torch(f"torchvision.models.{package}")
    ours = twins(name).torch_class()
    calls: Counter[tuple[object, ...]] = Counter()

    def draw(
        tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
    ) -> Any:
        calls[tuple(tensor.shape), mean, std, a, b] += 1
        return tensor

    monkeypatch.setattr(torch.nn.init, "trunc_normal_", draw)
    with torch.device("meta"):
        getattr(theirs, peer)(init_weights=True)
        wanted = calls.copy()
        calls.clear()
        ours()
    assert calls == wanted


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
