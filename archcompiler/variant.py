"""The text of a new variant: what it extends, and places to start that only need a `#` less."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from archcompiler.diagnostics import show
from archcompiler.fields import shape_text
from archcompiler.ir import Network, Node
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.spec import Block, Layer, Spec
from archcompiler.yaml_writer import flow

SCHEMA_FILE = "archc.schema.json"
MOST_TRIED = 4
"""So many layers are tried for one example before it is left out."""

Holds = Callable[[str], bool]
"""Tells whether a spec of this text compiles."""


def start(name: str, extends: str, network: Network) -> str:
    """Return a spec that extends another and changes nothing."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "archc: 1",
        f"name: {name}",
        f"summary: {network.name} with changes",
        f"extends: {flow(extends)}",
    ]
    return "\n".join(lines) + "\n"


def places(first: str, spec: Spec, network: Network, typed: str, holds: Holds) -> str:
    """Return commented places to start, each of which holds behind `first`, a variant's start.

    `spec` and `network` are what it extends, `typed` how a command line calls that.
    """
    lines = [
        "",
        f"# Below stands what {network.name} has, or an example. Take the `#` away to change it.",
        "",
        f"# input: {shape_text(network.input.shape)}",
    ]
    head = f"patch: # `archc summary {show(typed)}` shows every path"
    sections = [list(s) for s in (_params(network), _defaults(network), _heads(network))]
    tried = [list(itertools.islice(one, MOST_TRIED)) for one in _patches(spec, network)]
    patches = [one[0] for one in tried if one]
    # To compile a large network once is enough where all of it holds together, as it mostly does.
    if not holds("\n".join([first, *itertools.chain(*sections), head, *patches, ""])):
        sections = [s for s in sections if s and holds(first + "\n".join(s) + "\n")]
        found = (next((p for p in one if holds(f"{first}{head}\n{p}\n")), "") for one in tried)
        patches = [patch for patch in found if patch]
    for section in (*sections, [head, *patches] if patches else []):
        lines += ["", *(f"# {line}" for line in section)] if section else []
    return "\n".join(lines) + "\n"


def _params(network: Network) -> Iterator[str]:
    if network.params:
        yield "params:"
    for name, value in network.params.items():
        yield f"  {name}: {flow(value)}"


def _defaults(network: Network) -> Iterator[str]:
    """Show a default that any network takes: the activation of its convolutions."""
    if any(node.op.key == "conv" for node in network.walk()):
        yield "defaults: # of every layer of an op, unless a nearer scope or the layer says it"
        yield "  conv: {activation: gelu}"


def _heads(network: Network) -> Iterator[str]:
    names = [head.name for head in network.training_heads]
    if names:
        yield f"heads: {{{', '.join(f'{name}: null' for name in names)}}} # null leaves a head out"


def _patches(spec: Spec, network: Network) -> Iterator[Iterable[str]]:
    """Yield the examples: of each the lines that may do, the best first."""
    nodes = list(network.walk())
    yield (f"  - {{set: {n.path}, activation: silu}} # one layer" for n in nodes if _activated(n))
    templates = (_inside(block) for block in spec.blocks.values())
    yield (f"  - {{set: {path}, activation: silu}} # in all its uses" for path in templates if path)
    taken = {part.lower() for node in nodes for part in node.path.split("/")}
    free = next(n for n in map("Dropout_{}".format, itertools.count(1)) if n.lower() not in taken)
    named = (node for node in reversed(network.body.nodes) if node.named)
    yield (f"  - {{after: {n.path}, insert: {{dropout: 0.1, name: {free}}}}}" for n in named)


def _activated(node: Node) -> bool:
    return node.named and "activation" in _attributes(node.op.key)


def _attributes(key: str) -> dict[str, object]:
    return attributes(BY_KEY[key]) if key in BY_KEY else {}


def _inside(block: Block) -> str | None:
    """Return the path of the first unit in a template's own text."""
    found = _first(block.layer)
    return f"blocks/{block.name}/{found}" if found else None


def _first(layer: Layer) -> str | None:
    if layer.repeat:  # its uses have names of their own, which a template's path cannot say
        return None
    own = f"{layer.name}/" if layer.name else ""
    if "activation" in _attributes(layer.key) and layer.name:
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
