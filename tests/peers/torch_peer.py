"""What comparisons with Inception V3 in PyTorch share: torchvision's, and timm's descendant of it.

Both have our names for convolutions and blocks, and each block has its layers in our order.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from archcompiler.ir import Totals


def import_beside_torch(name: str) -> ModuleType:
    """Import torchvision or a package that needs it; skip where it is not installed."""
    # Shapes of compiled operators for detection, which are not there beside another build of
    # torch. No model of classification has any.
    stub = "torchvision._meta_registrations"
    sys.modules.setdefault(stub, ModuleType(stub))
    for package in ("torchvision", name.partition(".")[0]):
        pytest.importorskip(
            package, reason=f"{package} is not installed (CONTRIBUTING.md says how)"
        )
    return importlib.import_module(name)


def weighted(module: Any) -> Iterator[Any]:
    from torch import nn

    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    return (m for m in module.modules() if isinstance(m, kinds))


def alike(ours: Any, peer: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield modules with weights: the name of the peer's child that has it, ours, the peer's."""
    for name, child in peer.named_children():
        if any(weighted(child)):
            same = ours.get_submodule("Logits" if name == "fc" else name)
            for source, target in zip(weighted(same), weighted(child), strict=True):
                yield name, source, target


def copy_weights(ours: Any, peer: Any) -> None:
    """Copy all weights into the peer, which may have a gamma or a dense layer where we have not."""
    import torch
    from torch import nn

    for _, source, target in alike(ours, peer):
        state = source.state_dict()
        if isinstance(target, nn.BatchNorm2d):
            state.setdefault("weight", torch.ones_like(state["bias"]))
        elif isinstance(target, nn.Linear):
            state["weight"] = state["weight"].flatten(1)  # of a 1x1 convolution
        target.load_state_dict(state)


def end_points(peer: Any, images: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Run the peer in evaluation; return the results of its children by our names."""
    import torch

    points: dict[str, Any] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            points[name] = output

        return hook

    children = [(names.get(n, n), c) for n, c in peer.named_children()]
    hooks = [c.register_forward_hook(keep(n)) for n, c in children]
    with torch.inference_mode():
        peer(images)
        if hasattr(peer, "AuxLogits") and peer.AuxLogits and "AuxLogits" not in points:
            # which torchvision computes in training only
            peer.AuxLogits(points["Mixed_6e"])
        points["Predictions"] = torch.softmax(points["Logits"], 1)
    for handle in hooks:
        handle.remove()
    return points


def unequal(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the shared names whose tensors have a bit of difference; a 1x1 map is a vector."""
    import torch

    shared = [name for name in found if name in wanted]
    return [n for n in shared if not torch.equal(found[n], wanted[n].view(found[n].shape))]


def train_once(model: Any, images: Any) -> tuple[Any, dict[str, Any]]:
    """Return what a copy gives in training without chance, and how the statistics have moved.

    The statistics of a child of the model are one tensor, by the child's name.
    """
    import torch
    from torch import nn

    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        outputs = model(images)
    moved = {}
    for name, child in model.named_children():
        norms = [m for m in weighted(child) if isinstance(m, nn.BatchNorm2d)]
        if norms:
            moved[name] = torch.cat([t for m in norms for t in (m.running_mean, m.running_var)])
    return outputs, moved


def count(
    model: Any, images: Any | None = None, run: Callable[[Any], object] | None = None
) -> Totals:
    """Return how many weights a model has, statistics of norms included, and its multiply-adds.

    These are of a call with images, or of another of its functions; none without images.
    """
    from torch.utils.flop_counter import FlopCounterMode

    tensors = {n: t for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    params = sum(t.numel() for t in tensors.values())
    trainable = sum(t.numel() for t in model.parameters())
    with FlopCounterMode(display=False) as counter:
        if images is not None:
            (run or model)(images)
    return Totals(params=params, trainable=trainable, macs=counter.get_total_flops() // 2)
