"""The test kit for backends, those of third parties included.

from archcompiler.testing import check_backend

def test_backend():
    assert check_backend(BACKEND) == []
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archcompiler.backend import Backend
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.fields import Shape, shape_text
from archcompiler.ir import Network
from archcompiler.op import Example, Op
from archcompiler.ops import OPS
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

HEAD = "Logits"
"""The head that is the op of an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleNetwork:
    """The smallest network around one example of an op."""

    op: type[Op]
    example: Example
    network: Network


def example_networks() -> tuple[ExampleNetwork, ...]:
    """Return a network for every example of every op: the op is its only head, `Logits`."""
    return tuple(
        example_network(op, example, number)
        for op in OPS
        for number, example in enumerate(op.examples)
    )


def example_network(op: type[Op], example: Example, number: int = 0) -> ExampleNetwork:
    """Return the network around one example."""
    name = f"{op.key}_{number}"
    text = to_yaml(_spec(name, op, example))
    network = compile_node(parse(text, f"{name}.yaml"), source=f"{name}.yaml").network
    return ExampleNetwork(op=op, example=example, network=network)


def check_backend(backend: Backend, folder: Path | None = None) -> list[Diagnostic]:
    """Hold a backend to every example of every op; return the differences, which should be none.

    Each example is emitted, imported (all in fresh processes) and measured: the shape of its
    output, and the name, shape and kind of each weight (E801, E802). What has these right is run in
    float32 and float64: outputs, gradients for input and weights, and what training does to norm
    statistics are those of the definitions (E807). E501 says that the backend refuses an op. The
    processes find the backend by its entry point, so it must be installed. The builds stay in
    `folder` where one is given. It needs NumPy and safetensors.
    """
    from archcompiler.build import emit
    from archcompiler.testing.numbers import hold_numbers
    from archcompiler.verify import hold

    found: list[Diagnostic] = []
    networks: list[Network] = []
    for example in example_networks():
        try:
            emit(example.network, backend)
        except ArchcError as error:
            found += error.diagnostics
        except Exception as error:
            message = f"{backend.title} cannot emit `{example.network.name}`: {error!r}"
            found.append(Diagnostic(code="E803", message=message))
        else:
            networks.append(example.network)
    with tempfile.TemporaryDirectory(prefix="archc-") as temporary:
        home = folder or Path(temporary)
        right: list[Network] = []
        for network, wrong in hold(networks, backend, home / "shapes").items():
            found += wrong
            right += [] if wrong else [network]
        found += hold_numbers(right, backend, home / "numbers")
    return found


def _spec(name: str, op: type[Op], example: Example) -> dict[str, Any]:
    image, stem, sources = _inputs(example.inputs)
    head: dict[str, Any] = {op.key: None}
    if op.main is not None:
        head[op.key] = example.written[op.main]
    head |= {k: v for k, v in example.written.items() if k != op.main}
    if op.several_inputs:
        head["from"] = sources
    return {
        "archc": 1,
        "name": name,
        "input": shape_text(image),
        "stem": stem,
        "body": [],
        "heads": {HEAD: head},
    }


def _inputs(shapes: tuple[Shape, ...]) -> tuple[Shape, list[Mapping[str, Any]], list[str]]:
    """Return an image, the layers that make the inputs from it, and the inputs' names."""
    vector = len(shapes[0]) == 1
    size = (1, 1) if vector else shapes[0][:2]
    squeeze = [{"squeeze": None, "name": "vector"}] if vector else []
    if len(shapes) == 1:
        return (*size, shapes[0][-1]), [*squeeze], []
    names = [f"input_{i}" for i in range(1, len(shapes) + 1)]
    start = {"from": "vector"} if vector else {"from": "input"}
    layers = [
        {"dense": s[-1], "name": n, **start}
        if vector
        else {"conv": s[-1], "kernel": 1, "padding": "valid", "name": n, **start}
        for s, n in zip(shapes, names, strict=True)
    ]
    return (*size, 2), [*squeeze, *layers], names
