"""Runs emitted torch code: `run_torch.py JOB`, with the job as `harness.py` lays it out."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from runner import load, main, weighings
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.utils.flop_counter import FlopCounterMode


def prepare(case: Any, dtype: str) -> None:
    """Import the model and build it with the case's weights."""
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    case.model = load(case.folder)
    case.network = getattr(case.model, case.class_)().eval()
    state = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in case.weights.items()}
    missing, unexpected = case.network.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all(k.endswith("num_batches_tracked") for k in missing), missing
    case.x = torch.from_numpy(case.images)


def leaves(output: Any) -> list[Tensor]:
    """Return the tensors of an output."""
    return [output] if isinstance(output, Tensor) else list(output)


def same(left: Any, right: Any) -> None:
    """Compare two outputs, which other kernels may have computed."""
    left, right = leaves(left), leaves(right)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= 1e-4 * b.abs().max() + 1e-12


def in_training(case: Any) -> nn.Module:
    """Return a copy that trains, without the chance of dropout."""
    network = copy.deepcopy(case.network).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


def points(case: Any) -> dict[str, Any]:
    """Compute every end point, all before any is read."""
    with torch.no_grad():
        found = case.network.end_points(case.x)
    assert list(found) == [*case.model.END_POINTS] or {*found} == {*case.model.END_POINTS}
    return {k: v.numpy() for k, v in found.items()}


def nodes(case: Any) -> dict[str, Any]:
    """Return what every module gives, by its name, in evaluation and for the end points."""
    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[[Any, Any, Tensor], None]:
        def hook(module: Any, inputs: Any, result: Tensor) -> None:
            found[name] = result.clone()  # what follows may change it in place

        return hook

    named = [(k, m) for k, m in case.network.named_modules() if k]
    handles = [module.register_forward_hook(keep(name)) for name, module in named]
    with torch.no_grad():
        case.network(case.x)
        case.network.end_points(case.x)
    for handle in handles:
        handle.remove()
    return found


def facts(case: Any) -> dict[str, Any]:
    """Return every tensor's shape, and the multiply-adds that torch counts for one image."""
    found = {f"shape {k}": [*v.shape] for k, v in case.network.state_dict().items() if v.ndim}
    found["params"] = sum(v.numel() for v in case.network.state_dict().values() if v.ndim)
    found["trainable"] = sum(p.numel() for p in case.network.parameters())
    runs = {"inference": case.network, "all": case.network.end_points}
    for name, run in runs.items():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run(case.x[:1])
        operations = counter.get_total_flops()  # two for a multiply-add
        assert operations % 2 == 0
        found[f"macs {name}"] = operations // 2
    return found


def output(case: Any) -> None:
    """Hold the output against its end point, and the training output's form."""
    with torch.no_grad():
        given = case.network(case.x)
        assert isinstance(given, Tensor)
        assert torch.equal(given, case.network.end_points(case.x)[case.output])
        trained = in_training(case)(case.x)
    if case.training:
        assert type(trained) is case.model.Output
        assert list(trained._fields) == case.fields
    else:
        assert isinstance(trained, Tensor)


def gradients(case: Any) -> dict[str, Any]:
    """Return the output in evaluation, and gradients of its weighed sum."""
    return differentiated(case, copy.deepcopy(case.network))


def training(case: Any) -> dict[str, Any]:
    """Return the same in training, and the moved statistics."""
    network = in_training(case)
    found = differentiated(case, network)
    state = network.state_dict()
    return found | {k: state[k] for k in case.statistics}


def point_gradients(case: Any) -> dict[str, Any]:
    """Return gradients of the weighed sum of each end point, in evaluation."""
    network = copy.deepcopy(case.network)
    x = case.x.clone().requires_grad_()
    given = network.end_points(x)
    named = {"input": x, **dict(network.named_parameters())}
    found = {}
    for point, weighing in weighings(case).items():
        total = (given[point] * torch.from_numpy(weighing)).sum()
        gradients = torch.autograd.grad(
            total, [*named.values()], retain_graph=True, allow_unused=True
        )
        known = zip(named, gradients, strict=True)
        found |= {f"{point}:{k}": g for k, g in known if g is not None}
    return found


def differentiated(case: Any, network: nn.Module) -> dict[str, Any]:
    x = case.x.clone().requires_grad_()
    given = leaves(network(x))[0]
    (given * torch.from_numpy(case.weighing)).sum().backward()
    found = {k: p.grad for k, p in network.named_parameters() if p.grad is not None}
    return {"output": given.detach(), "input": x.grad, **found}


def chance(case: Any) -> dict[str, Any]:
    """Return the output in training, dropout included."""
    with torch.no_grad():
        return {"output": copy.deepcopy(case.network).train()(case.x)}


def step(case: Any) -> dict[str, Any] | None:
    """Train once: gradients of every parameter that the loss depends on are finite.

    Return the loss and the outputs that it was computed from.
    """
    network = in_training(case)
    if not case.trained:
        return None
    labels = torch.arange(len(case.x)) % case.units
    given = network(case.x)
    if case.has_loss:
        total = case.model.loss(given, labels)
    else:
        total = torch.stack([t.square().mean() for t in leaves(given)]).sum()
    total.backward()
    gradients = {k: p.grad for k, p in network.named_parameters()}
    assert {k for k, g in gradients.items() if g is not None} == {*case.trained}
    assert all(torch.isfinite(g).all() for g in gradients.values() if g is not None)
    optimizer = torch.optim.SGD(network.param_groups(), lr=1e-3)
    optimizer.step()
    names = {p: k for k, p in network.named_parameters()}
    decays = {names[p]: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays == case.decays
    outputs = {str(i): t.detach() for i, t in enumerate(leaves(given))}
    return {"loss": total.detach(), **outputs}


def init(case: Any) -> dict[str, Any]:
    """Draw all weights after a life on the meta device."""
    with torch.device("meta"):
        network = getattr(case.model, case.class_)()
    network.to_empty(device="cpu")
    for tensor in network.state_dict().values():
        tensor.fill_(7)
    network.init_weights()
    return dict(network.state_dict())


def sizes(case: Any) -> dict[str, Any] | None:
    """Run on larger images: the output, or nothing where the network rightly refuses."""
    x = torch.from_numpy(np.load(case.folder / "larger.npy").astype(case.dtype))
    if not case.follows_size:
        return {"output": case.network(x).detach()}
    said = ""
    try:
        case.network(x)
    except ValueError as error:
        said = str(error)
    assert "archc build" in said
    assert f"{case.x.shape[2]}x{case.x.shape[3]}" in said
    return None


def trace(case: Any) -> None:
    """Trace symbolically."""
    same(torch.fx.symbolic_trace(case.network)(case.x), case.network(case.x))


def fold(case: Any) -> None:
    """Fold every norm that follows a convolution into it."""
    folded = fuse(copy.deepcopy(case.network))
    same(folded(case.x), case.network(case.x))
    if case.name == "inception_v3":
        assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())


def script(case: Any) -> None:
    """Compile with TorchScript, once; run it in evaluation and in training."""
    compiled = torch.jit.script(in_training(case))
    same(compiled.eval()(case.x), case.network(case.x))
    same(compiled.train()(case.x), in_training(case)(case.x))


def export(case: Any) -> None:
    """Export, in evaluation and in training."""
    same(torch.export.export(case.network, (case.x,)).module()(case.x), case.network(case.x))
    network, other = in_training(case), in_training(case)
    same(torch.export.export(network, (case.x,)).module()(case.x), other(case.x))


def compiled(case: Any) -> None:
    """Compile without a graph break, in evaluation and in training."""
    torch.compiler.reset()
    run = torch.compile(case.network, fullgraph=True, backend="eager")
    same(run(case.x), case.network(case.x))
    network, other = in_training(case), in_training(case)
    same(torch.compile(network, fullgraph=True, backend="eager")(case.x), other(case.x))


CHECKS = (
    points, nodes, facts, output, gradients, point_gradients, training, chance, step, init,
    sizes,
    trace, fold, script, export, compiled,
)  # fmt: skip

if __name__ == "__main__":
    gc.freeze()
    torch.set_num_threads(1)
    main(prepare, {check.__name__: check for check in CHECKS})
