"""The text of a new variant: what it extends, and places to start that only need a `#` less."""

from __future__ import annotations

from collections.abc import Iterator

from archcompiler.fields import shape_text, yaml_text
from archcompiler.ir import Network, Node
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.spec import Block, Layer, Spec

SCHEMA_FILE = "archc.schema.json"


def text(name: str, extends: str, spec: Spec, network: Network) -> str:
    """Return a spec that extends another; `spec` and `network` are that other one."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "archc: 1",
        f"name: {name}",
        f"summary: {network.name} with changes",
        f"extends: {extends}",
        "",
        f"# Below stands what {network.name} has, or an example. Take the `#` away to change it.",
        "",
        f"# input: {shape_text(network.input.shape)}",
    ]
    for section in (_params(network), _defaults(network), _heads(network), _patches(spec, network)):
        found = list(section)
        lines += ["", *(f"# {line}" for line in found)] if found else []
    return "\n".join(lines) + "\n"


def _params(network: Network) -> Iterator[str]:
    if network.params:
        yield "params:"
    for name, value in network.params.items():
        yield f"  {name}: {yaml_text(value)}"


def _defaults(network: Network) -> Iterator[str]:
    """Show a default that any network takes: the activation of its convolutions."""
    if any(node.op.key == "conv" for node in network.walk()):
        yield "defaults: # of every layer of an op, unless a nearer scope or the layer says it"
        yield "  conv: {activation: gelu}"


def _heads(network: Network) -> Iterator[str]:
    names = [head.name for head in network.training_heads]
    if names:
        yield f"heads: {{{', '.join(f'{name}: null' for name in names)}}} # null leaves a head out"


def _patches(spec: Spec, network: Network) -> Iterator[str]:
    yield f"patch: # `archc summary {network.name}` shows every path"
    unit = next((n for n in network.walk() if _activated(n)), None)
    if unit:
        yield f"  - {{set: {unit.path}, activation: silu}} # one layer"
    if template := next((p for b in spec.blocks.values() if (p := _inside(b))), None):
        yield f"  - {{set: {template}, activation: silu}} # in all its uses"
    last = next((n for n in reversed(network.body.nodes) if n.named), None)
    if last:
        yield f"  - {{after: {last.path}, insert: {{dropout: 0.1, name: Dropout_1}}}}"


def _activated(node: Node) -> bool:
    return node.named and "activation" in _attributes(node.op.key)


def _attributes(key: str) -> dict[str, object]:
    return attributes(BY_KEY[key]) if key in BY_KEY else {}


def _inside(block: Block) -> str | None:
    """Return the path of the first unit in a template's own text."""
    found = _first(block.layer)
    return f"blocks/{block.name}/{found}" if found else None


def _first(layer: Layer) -> str | None:
    own = f"{layer.name}/" if layer.name else ""
    if "activation" in _attributes(layer.key) and layer.name and not layer.repeat:
        return layer.name.text
    for inner in layer.layers:
        if found := _first(inner):
            return own + found
    for branch in layer.branches:
        for inner in branch.layers:
            if branch.single and "activation" in _attributes(inner.key):
                return f"{own}{branch.name}"
            if found := _first(inner):
                return f"{own}{branch.name}/{found}"
    return None
