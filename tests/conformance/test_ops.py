"""Every example of every op: both frameworks, and NumPy, give the same numbers and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import harness
import numpy as np
import pytest
import reference
from harness import FRAMEWORKS, Case, Results, difference

from archc_torch import TorchBackend
from archcompiler.backend import backend
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.ir import Network
from archcompiler.op import Example, ShapeError, read_attributes
from archcompiler.ops import OPS
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.conv import Conv
from archcompiler.ops.dropout import Dropout
from archcompiler.ops.max_pool import MaxPool
from archcompiler.ops.unit import Unit
from archcompiler.source import parse
from archcompiler.testing import check_backend, example_network, example_networks
from archcompiler.yaml_writer import to_yaml

EXAMPLES = {e.network.name: e for e in example_networks()}
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
NORMED = [
    name
    for name, example in EXAMPLES.items()
    if any(not w.trainable for w in example.network.output_head.node.weights)
]
BIG_DROPOUT = example_network(
    Dropout, Example(inputs=((16, 16, 8),), written={"rate": 0.3}, output=(16, 16, 8)), 99
)

Run = Mapping[str, Results]
"""The results by framework."""


def _sweep(size: tuple[int, int], seed: int) -> Network:
    """Return a network whose heads are windows of all kinds over one map of `size`."""
    generator = harness.random("sweep", seed)
    heads: dict[str, dict[str, object]] = {}
    while len(heads) < 60:
        op = (MaxPool, AvgPool, Conv)[len(heads) % 3]
        kernel, stride, dilation = generator.integers(1, 5, (3, 2)).tolist()
        pads = generator.integers(0, 3, 4).tolist()
        written: dict[str, object] = {
            "kernel": "{}x{}".format(*kernel),
            "stride": "{}x{}".format(*stride),
            "padding": ("same", "valid", pads[0], "{}x{}".format(*pads[:2]), pads)[seed % 5]
            if len(heads) % 2
            else pads,
        }
        if op is Conv:
            written |= {"filters": 2, "groups": int(generator.integers(1, 3))}
            if max(stride) == 1:
                written["dilation"] = "{}x{}".format(*dilation)
        else:
            written["ceil_mode"] = bool(generator.integers(2)) and written["padding"] != "same"
        if op is AvgPool:
            written["count_include_pad"] = bool(generator.integers(2))
        try:
            op.resolve(read_attributes(op, written), ((*size, 2),)).infer(((*size, 2),))
        except ShapeError:
            continue
        main = str(op.main)
        rest = {k: v for k, v in written.items() if k != main}
        heads[f"{op.key}_{len(heads)}"] = {op.key: written[main], **rest}
    name = f"sweep_{seed}"
    spec = {
        "archc": 1,
        "name": name,
        "input": f"{size[0]}x{size[1]}x2",
        "output": "max_pool_0",
        "stem": [],
        "body": [],
        "heads": heads,
    }
    return compile_node(parse(to_yaml(spec), name), source=f"{name}.yaml").network


SIZES = ((7, 8), (5, 11), (6, 6), (1, 9), (10, 3))
SWEEPS = {f"sweep_{seed}": _sweep(size, seed) for seed, size in enumerate(SIZES)}


def _cases(framework: str) -> list[Case]:
    found = [
        Case(
            name=name,
            network=example.network,
            checks=("gradients", "training"),
            dtypes=("float32", "float64"),
        )
        for name, example in EXAMPLES.items()
    ]
    swept = [
        Case(name=name, network=network, checks=("points",), dtypes=("float64",))
        for name, network in SWEEPS.items()
    ]
    chance = Case(
        name="chance", network=BIG_DROPOUT.network, checks=("chance",), dtypes=tuple(TOLERANCE)
    )
    return [*found, *swept, chance]


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    return harness.run(shared_folder / "ops", _cases)


def _numbers(run: Run, framework: str, name: str, check: str, dtype: str) -> dict[str, np.ndarray]:
    """Return a check's arrays in canonical layout, weights by the IR's names."""
    suffix = "" if dtype == "float32" else f"_{dtype}"
    network = EXAMPLES[name].network
    found = run[framework].numbers(name, check + suffix)
    return harness.canonical(framework, network, found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_its_op_infers(name: str) -> None:
    example, node = EXAMPLES[name].example, EXAMPLES[name].network.output_head.node
    found = (node.output.shape, sum(w.count for w in node.weights), node.macs)
    assert found == (example.output, example.params, example.macs)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_outputs_are_those_of_the_definition(
    run: Run, name: str, framework: str, dtype: str
) -> None:
    network = EXAMPLES[name].network
    weights, images = harness.weights(network), harness.images(name, network)
    for check, training in (("gradients", False), ("training", True)):
        found = _numbers(run, framework, name, check, dtype)
        wanted, _ = reference.evaluate(network, weights, images, training=training)
        error = difference(found["output"], wanted[network.output])
        assert error <= TOLERANCE[dtype], check


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", SWEEPS)
def test_windows_of_all_kinds(run: Run, name: str, framework: str) -> None:
    network = SWEEPS[name]
    found = run[framework].numbers(name, "points_float64")
    images = harness.images(name, network)
    wanted, _ = reference.evaluate(network, harness.weights(network), images)
    assert found.keys() == wanted.keys()
    for head, values in wanted.items():
        given = harness.map_from_framework(framework, found[head])
        assert difference(given, values) <= 1e-12, head


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_agree(run: Run, name: str, dtype: str) -> None:
    network = EXAMPLES[name].network
    for check in ("gradients", "training"):
        torch, tensorflow = (_numbers(run, f, name, check, dtype) for f in FRAMEWORKS)
        trained = {n.weight_name(w) for n in network.walk() for w in n.weights if w.trainable}
        assert torch.keys() == tensorflow.keys() >= {"input", *trained}
        # A bias before a norm has no gradient but rounding: the largest one is the measure.
        largest = max(np.abs(torch[k]).max() for k in ("input", *trained))
        for key in ("input", *trained):
            error = np.abs(torch[key] - tensorflow[key]).max()
            assert error <= TOLERANCE[dtype] * max(largest, 1e-30), key


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NORMED)
def test_training_moves_the_statistics(run: Run, name: str, framework: str) -> None:
    network = EXAMPLES[name].network
    weights, images = harness.weights(network), harness.images(name, network)
    node = network.output_head.node
    norm = node.op.norm if isinstance(node.op, Unit) else node.op
    _, moments = reference.evaluate(network, weights, images, training=True)
    found = _numbers(run, framework, name, "training", "float64")
    count = harness.batch_size(network) * int(np.prod(node.output.shape[:-1]))
    assert len(moments) == 2
    for key, batch in moments.items():
        # torch writes the unbiased variance, Keras 3 the biased one.
        if framework == "torch" and key.endswith("variance"):
            batch = batch * count / (count - 1)
        wanted = norm.decay * weights[key] + (1 - norm.decay) * batch
        assert difference(found[key], wanted) <= 1e-12


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_dropout_drops_its_rate_and_scales_the_rest(run: Run, framework: str, dtype: str) -> None:
    check = "chance" if dtype == "float32" else f"chance_{dtype}"
    found = run[framework].numbers("chance", check)["output"]
    network = BIG_DROPOUT.network
    images = harness.images("chance", network)
    kept = harness.map_from_framework(framework, found)
    assert 0.25 < (kept == 0).mean() < 0.35
    np.testing.assert_allclose(kept[kept != 0], images[kept != 0] / 0.7, rtol=TOLERANCE[dtype])


def test_every_op_has_a_reference_and_examples() -> None:
    for op in OPS:
        assert op.key in reference.OPS, f'add to reference.OPS: "{op.key}": {op.key},'
        assert op.examples, f"add to {op.__name__}: examples = (Example(inputs=..., output=...),)"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_test_kit_finds_nothing(framework: str) -> None:
    assert check_backend(backend(framework)) == []


class _Broken(TorchBackend):
    """The torch backend with a mistake of each kind."""

    changes: ClassVar[dict[str, tuple[str, str]]] = {
        "conv_0": ("padding=1", "padding=2"),
        "conv_1": ("bias=False", "bias=True"),
        "batch_norm_0": ("nn.BatchNorm2d(3, ", "nn.BatchNorm2d(3, affine=False, "),
        "max_pool_2": ("import torch\n", "import no_such_module\n"),
    }

    def emit(self, network: Network) -> dict[str, str]:
        if network.name == "dense_0":
            raise ArchcError(Diagnostic(code="E501", message="no dense"))
        if network.name == "flatten_0":
            raise KeyError("flatten")
        files = super().emit(network)
        if network.name in self.changes:
            old, new = self.changes[network.name]
            assert old in files["model.py"]
            files["model.py"] = files["model.py"].replace(old, new, 1)
        return files


def test_the_test_kit_finds_mistakes(tmp_path: Path) -> None:
    found = check_backend(_Broken(), tmp_path)
    assert [d.code for d in found] == ["E501", "E803", "E801", "E802", "E803", "E802", "E802"]
    messages = "\n".join(d.message for d in found)
    for part in ("no dense", "KeyError('flatten')", "no_such_module", "Logits/gamma"):
        assert part in messages
