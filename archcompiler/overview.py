"""What is told of a path that is no single layer: a section, a branch, a block, repeated layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcompiler.addresses import Addresses
from archcompiler.fields import shape_text, yaml_text
from archcompiler.ir import Fork, Instance, Network, Node

MOST_LISTED = 12


def overview(path: str, places: Addresses, network: Network) -> list[str]:
    """Say what a path is, where it was written and what it stands for; empty for no such path."""
    nodes = {node.path: node for node in network.walk()}
    known = places.written.get(path)
    if path == "input":
        return [f"input  the image of {network.name}, {shape_text(network.input.shape)}"]
    what, about = "", []
    inside = [n for n in nodes if n.startswith(f"{path}/") and n.count("/") == path.count("/") + 1]
    if path in ("stem", "body"):
        graph = network.stem if path == "stem" else network.body
        what, about = "section", _listed("layers", [n.path for n in graph.nodes])
    elif path.startswith("blocks/") and known:
        what = known.what
        about = list(_template(path, places, network)) if what == "block" else []
        uses = _uses(path, places, network)
        word = "instances" if what == "block" else "layers"
        about += _listed(word, uses) if uses else ["no use of it has this layer"]
    elif known and known.what == "repeated layer":
        what = known.what
        about = _listed("instances", [n for n in nodes if path in places.of(n)])
    elif _is_branch(path, nodes):
        what = "branch"
        about = _listed("layers", inside) if inside else ["no layer: it gives what it takes"]
    else:
        return []
    return [f"{path}  {what} of {network.name}", *_where(path, places), "", *about]


def where(path: str, places: Addresses, written: str) -> Iterator[str]:
    """Yield where a thing was written, and the patches that changed it."""
    if written:
        yield f"written at {written}"
    for patch in places.changes(path):
        if not patch.by_command_line:
            yield f"patched at {patch.position} as {patch.path}"


def _where(path: str, places: Addresses) -> Iterator[str]:
    origin = places.origin(path)
    replaced = places.replacements(path)
    written = f"{replaced[-1].position} by a patch" if replaced else ""
    yield from where(path, places, str(origin.position) if origin else written)


def _is_branch(path: str, nodes: dict[str, Node]) -> bool:
    forks = (node for node in nodes.values() if isinstance(node.op, Fork))
    return any(node.branch_path(graph) == path for node in forks for graph in node.graphs)


def _template(path: str, places: Addresses, network: Network) -> Iterator[str]:
    block = places.spec.blocks[path.partition("/")[2]]
    for name, attribute in block.params.items():
        value = getattr(attribute.value, "text", None)
        text = f"${value}" if value else "each use says it"
        if attribute.value is not None and not value:
            text = yaml_text(attribute.value)
        yield f"param {name}: {text}"


def _uses(path: str, places: Addresses, network: Network) -> list[str]:
    """Return the layers that a path of a template stands for."""
    if path.count("/") == 1:
        name = path.partition("/")[2]
        nodes = network.walk()
        return [n.path for n in nodes if isinstance(n.op, Instance) and n.op.template == name]
    nodes = network.walk()
    exact = [n.path for n in nodes if path in places.of(n.path)]
    around = {n.path.rpartition("/")[0] for n in network.walk()}
    return exact or sorted(p for p in around if p and path in places.of(p))


def _listed(word: str, paths: Sequence[str]) -> list[str]:
    rest = len(paths) - MOST_LISTED
    lines = [f"  {path}" for path in paths[:MOST_LISTED]]
    return [f"{word}:", *lines, *([f"  and {rest} more"] if rest > 0 else [])]
