"""Networks in PyTorch that are those of timm, facenet-pytorch and torchvision, bit by bit.

The peers get their weights through the shipped name maps. Compared is every child of the peer, and
every residual block; an average of a whole map may differ in its last bits, for it is summed in
another order, and what follows it with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import Twins, compare, from_torch
from torch_peer import count, import_beside_torch, train_once, unequal

from archcompiler import weights
from archcompiler.weights import pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer, its modules by ours, both as patterns, and the name of its map.

    `averaged` are our modules from the average of the whole map on.
    """

    network: str
    source: str
    package: str
    build: Callable[[Any], Any]
    modules: Mapping[str, str]
    averaged: Mapping[str, str]
    heads: bool = False
    """Whether it has our training heads."""

    def pairs(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return the peer's modules by ours."""
        return {
            ours: pattern.fill(theirs, picks)
            for key, theirs in names.items()
            for ours, picks in pattern.names(key)
        }


PEERS = (
    Peer(
        network="inception_v4",
        source="timm",
        package="timm.models.inception_v4",
        build=lambda package: package.InceptionV4(),
        modules={
            "{Conv2d_1a_3x3,Conv2d_2a_3x3,Conv2d_2b_3x3}": "features.{0..2}",
            "Mixed_{3a,4a,5a,5b,5c,5d,5e}": "features.{3..9}",
            "Mixed_{6a,6b,6c,6d,6e,6f,6g,6h}": "features.{10..17}",
            "Mixed_{7a,7b,7c,7d}": "features.{18..21}",
        },
        averaged={"Logits.PreLogitsFlatten": "global_pool", "Logits": "last_linear"},
    ),
    Peer(
        network="inception_resnet_v2",
        source="timm",
        package="timm.models.inception_resnet_v2",
        build=lambda package: package.InceptionResnetV2(),
        modules={
            "Conv2d_{1a_3x3,2a_3x3,2b_3x3,3b_1x1,4a_3x3,7b_1x1}": "conv2d_{1a,2a,2b,3b,4a,7b}",
            "MaxPool_{3a,5a}_3x3": "maxpool_{}",
            "Mixed_{5b,6a,7a}": "mixed_{}",
            "{Repeat,Repeat_1,Repeat_2,Block8}": "{repeat,repeat_1,repeat_2,block8}",
            "PreAuxLogits": "repeat_1",
            "Repeat.block35_{1..10}": "repeat.{0..9}",
            "Repeat_1.block17_{1..20}": "repeat_1.{0..19}",
            "Repeat_2.block8_{1..9}": "repeat_2.{0..8}",
        },
        averaged={"Logits.PreLogitsFlatten": "global_pool", "Logits": "classif"},
    ),
    Peer(
        network="inception_resnet_v1",
        source="facenet",
        package="facenet_pytorch.models.inception_resnet_v1",
        build=lambda package: package.InceptionResnetV1(classify=True, num_classes=8631),
        modules={
            "Conv2d_{1a_3x3,2a_3x3,2b_3x3,3b_1x1,4a_3x3,4b_3x3}": "conv2d_{1a,2a,2b,3b,4a,4b}",
            "MaxPool_3a_3x3": "maxpool_3a",
            "Mixed_{6a,7a}": "mixed_{}",
            "{Repeat,Repeat_1,Repeat_2,Block8}": "{repeat_1,repeat_2,repeat_3,block8}",
            "Repeat.block35_{1..5}": "repeat_1.{0..4}",
            "Repeat_1.block17_{1..10}": "repeat_2.{0..9}",
            "Repeat_2.block8_{1..5}": "repeat_3.{0..4}",
        },
        averaged={
            "Bottleneck.PreLogitsFlatten": "dropout",
            "Bottleneck": "last_bn",
            "Logits": "logits",
        },
    ),
    Peer(
        network="googlenet_torchvision",
        source="torchvision",
        package="torchvision.models.googlenet",
        build=lambda package: package.GoogLeNet(init_weights=False),
        modules={
            "{conv1_7x7_s2,conv2_3x3_reduce,conv2_3x3}": "{conv1,conv2,conv3}",
            "{pool1_3x3,pool2_3x3,pool3_3x3,pool4_2x2}_s2": "maxpool{1,2,3,4}",
            "inception_{3a,3b,4a,4b,4c,4d,4e,5a,5b}": "inception{}",
            "{loss3.pool5,loss3}": "{avgpool,fc}",
        },
        averaged={},
        heads=True,
    ),
    Peer(
        network="bn_inception",
        source="cadene",
        package="pretrainedmodels.models.bninception",
        build=lambda package: package.BNInception(),
        modules={
            "Conv2d_{1a_7x7,2b_1x1,2c_3x3}": "conv{1_relu_7x7,2_relu_3x3_reduce,2_relu_3x3}",
            "MaxPool_{2a,3a}_3x3": "pool{1,2}_3x3_s2",
            "Mixed_{3b,3c,4b,4c,4d,4e,5b,5c}.Branch_{0,1,2,3}":
                "inception_{3a,3b,4a,4b,4c,4d,5a,5b}_relu_{1x1,3x3,double_3x3_2,pool_proj}",
            "Mixed_{4a,5a}.Branch_{0,1}": "inception_{3c,4e}_relu_{3x3,double_3x3_2}",
            "Mixed_{4a,5a}.Branch_2": "inception_{3c,4e}_pool",
        },
        averaged={"Logits": "last_linear"},
    ),
    Peer(
        network="inception_next_tiny",
        source="timm",
        package="timm.models.inception_next",
        build=lambda package: package.inception_next_tiny(),
        modules={
            "stem_conv": "stem",
            "stage_{1..4}": "stages.{0..3}",
            "stage_{1,2,4}.block_{1..3}": "stages.{0,1,3}.blocks.{0..2}",
            "stage_3.block_{1..9}": "stages.2.blocks.{0..8}",
            "downsample_{2..4}": "stages.{1..3}.downsample",
        },
        averaged={"Logits.global_pool": "head.global_pool", "Logits": "head"},
    ),
)  # fmt: skip
SMALL = {
    "inception_v4": "input=107x107",
    "inception_resnet_v2": "input=107x107",
    "inception_next_tiny": "input=32x32",
}
"""Sizes for every run of the tests, with maps down to 1x1; the whole size takes longer."""


@pytest.fixture(params=PEERS, ids=lambda p: f"{p.network}-{p.source}")
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.param
    return found


def with_weights(peer: Peer, own: Twins, folder: Path) -> Any:
    """Build the peer with our weights, through its map; the map must bring them back, too."""
    import torch

    model = peer.build(import_beside_torch(peer.package)).eval()
    file = folder / "theirs.pth"
    weights.export_weights(file, own.network, own.weights, peer.source)
    model.load_state_dict(torch.load(file, weights_only=True))  # no name more, none fewer
    torch.save(model.state_dict(), file)
    back = weights.import_weights(file, own.network, peer.source)
    absent = () if peer.heads else own.network.training_heads
    heads = tuple(f"{h.name}/" for h in absent)
    wanted = (
        {n: w for n, w in own.weights.items() if not n.startswith(heads)} if heads else own.weights
    )
    assert back.tensors.keys() == wanted.keys()
    assert all((back.tensors[name] == value).all() for name, value in wanted.items())
    return model


def results(model: Any, images: Any, modules: Mapping[str, str]) -> dict[str, Any]:
    """Run a model in evaluation; return what its modules give, by the names that we give them."""
    import torch

    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            found[name] = output

        return hook

    hooks = [
        model.get_submodule(m).register_forward_hook(keep(name)) for name, m in modules.items()
    ]
    with torch.inference_mode():
        model(images)
    for handle in hooks:
        handle.remove()
    return found


@pytest.mark.parametrize("size", ["small", pytest.param("whole", marks=pytest.mark.long)])
def test_every_end_point_is_bit_identical(
    twins: Callable[..., Twins],
    peer: Peer,
    size: str,
    tmp_path: Path,
    figure: Callable[..., None],
) -> None:
    if size == "whole" and peer.network not in SMALL:
        pytest.skip("this network is small")
    changes = [SMALL[peer.network]] if size == "small" and peer.network in SMALL else []
    own = twins(peer.network, *changes)
    model = with_weights(peer, own, tmp_path)
    exact, averaged = peer.pairs(peer.modules), peer.pairs(peer.averaged)
    ours = {name: name for name in exact | averaged}
    found = results(own.torch_model, own.torch_images, ours)
    wanted = results(model, own.torch_images, exact | averaged)
    assert found.keys() == wanted.keys()
    compared = {part for name in found for part in name.split(".")}
    left = {h.name for h in own.network.training_heads}  # which evaluation has not
    left |= {"Predictions", "prob", "global_pool"}  # functions; a map of 1x1
    assert {*own.end_points} - compared <= left
    assert unequal({n: found[n] for n in exact}, wanted) == []
    comparison = compare(*({n: from_torch(t) for n, t in p.items()} for p in (found, wanted)))
    figure(f"{peer.network}, torch", f"{peer.source}, {size}", comparison)
    assert not comparison.apart


def test_weights_are_as_many(twins: Callable[..., Twins], peer: Peer) -> None:
    """But for the gammas, of which the peers have one beside each beta."""
    own = twins(peer.network, *([SMALL[peer.network]] if peer.network in SMALL else []))
    model = peer.build(import_beside_torch(peer.package))
    norms = [n for n in own.network.walk(inference=True) if "beta" in {w.name for w in n.weights}]
    gammas = sum(w.shape[0] for n in norms for w in n.weights if w.name == "beta")
    gammas -= sum(w.shape[0] for n in norms for w in n.weights if w.name == "gamma")
    totals = own.network.totals(inference=not peer.heads)
    assert count(model).params == totals.params + gammas
    assert count(model).trainable == totals.trainable + gammas


def test_training_of_googlenet(
    twins: Callable[..., Twins], tmp_path: Path, figure: Callable[..., None]
) -> None:
    """The logits are bit-identical; the heads sum their rows in another order (C, H, W)."""
    own = twins("googlenet_torchvision")
    [peer] = (p for p in PEERS if p.network == own.network.name)
    model = with_weights(peer, own, tmp_path)
    found, _ = train_once(own.torch_model, own.torch_images)
    wanted, _ = train_once(model, own.torch_images)
    names = {"loss3": "logits", "loss1": "aux_logits1", "loss2": "aux_logits2"}
    theirs = {ours: getattr(wanted, name) for ours, name in names.items()}
    assert found._fields == tuple(names)
    assert unequal({"loss3": found.loss3}, theirs) == []
    comparison = compare(
        *({n: from_torch(t) for n, t in p.items()} for p in (found._asdict(), theirs))
    )
    figure("googlenet_torchvision, torch", "torchvision, training", comparison)
    assert not comparison.apart
