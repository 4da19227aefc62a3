"""The size of shipped networks is that of the implementations that they follow.

`tests/cases/figures.yaml` has what was counted on the other implementations themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from archcompiler.compiler import Compiled, compile_file, compile_node
from archcompiler.fields import shape_text
from archcompiler.ir import Network, Node
from archcompiler.locate import shipped
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.conv import Conv
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import Unit
from archcompiler.overrides import parse_assignment
from archcompiler.source import parse

TESTS = Path(__file__).parent
SPECS = TESTS.parent / "specs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What was counted; the file says what each field is."""

    oracle: str
    spec: str
    changes: list[str] = field(default_factory=list)
    variant: dict[str, object] | None = None
    separable: int = 1
    params: int
    trainable: int
    statistics: int
    heads: int
    gmacs: list[str]
    convolutions: list[int]
    norms: int
    outputs: dict[str, list[str]]

    def compile(self) -> Network:
        changes = [parse_assignment(change) for change in self.changes]
        if self.variant is None:
            return compile_file(SPECS / f"{self.spec}.yaml", changes).network
        document = {"archc": 1, "name": "variant", "extends": self.spec, **self.variant}
        text = yaml.safe_dump(document, sort_keys=False)
        compiled: Compiled = compile_node(parse(text, "variant.yaml"), changes, source="variant")
        return compiled.network


CASES = [Case(**case) for case in yaml.safe_load((TESTS / "cases/figures.yaml").read_text("utf-8"))]
TABLE = 16
"""How many cases are those of one table of reference models; further ones have sources, too."""


def convolutions(nodes: Iterable[Node], separable: int) -> int:
    """Count convolutions, a separable one as the source does."""
    found = [node.op for node in nodes]
    single = sum(isinstance(op, (Conv, DepthwiseConv)) for op in found)
    return single + separable * sum(isinstance(op, SeparableConv) for op in found)


def norms(nodes: Iterable[Node]) -> int:
    """Count batch norms, those of units and those that stand alone."""
    ops = [node.op for node in nodes]
    own = (op.norm if isinstance(op, Unit) else op for op in ops)
    return sum(isinstance(op, BatchNorm) for op in own)


# Of the module, so that the tests of one case share the network.
@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.oracle)
def counted(request: pytest.FixtureRequest) -> tuple[Case, Network]:
    return request.param, request.param.compile()


def test_figures_are_those_of_the_source(counted: tuple[Case, Network]) -> None:
    case, network = counted
    whole, alone = network.totals(), network.totals(inference=True)
    weights = [weight for node in network.walk() for weight in node.weights]
    found: dict[str, Any] = {
        "params": whole.params,
        "trainable": whole.trainable,
        "statistics": sum(w.count for w in weights if w.name.startswith("moving_")),
        "heads": whole.params - alone.params,
        "gmacs": [f"{totals.macs / 1e9:.4f}" for totals in (alone, whole)],
        "convolutions": [
            convolutions(network.walk(inference=inference), case.separable)
            for inference in (True, False)
        ],
        "norms": norms(network.walk()),
    }
    assert found == {name: getattr(case, name) for name in found}


def test_outputs_are_those_of_the_source(counted: tuple[Case, Network]) -> None:
    case, network = counted
    shapes = {point.name: shape_text(point.node.output.shape) for point in network.end_points}
    found = {theirs: [ours, shapes.get(ours, "none")] for theirs, (ours, _) in case.outputs.items()}
    assert found == case.outputs
    assert network.output in {ours for ours, _ in case.outputs.values()}


def test_every_shipped_spec_has_figures() -> None:
    assert {case.spec for case in CASES} == shipped().keys()
    assert len(CASES) >= TABLE


def test_shipped_specs_are_short() -> None:
    lines = {p.stem: p.read_text("utf-8").splitlines() for p in SPECS.glob("*.yaml")}
    assert max(map(len, lines.values())) <= 165
    limits = {
        "inception_v4": 150,
        "inception_v3_fid": 12,
        "inception_v3_torchvision": 20,
        "inception_v3_printed": 10,
        "inception_v3_half": 5,
    }
    assert {name: len(lines[name]) for name in limits if len(lines[name]) > limits[name]} == {}
    assert max(len(line) for text in lines.values() for line in text) <= 100
