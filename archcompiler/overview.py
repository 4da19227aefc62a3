"""What is told of a path that is no single layer: a section, a branch, a block, repeated layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcompiler.addresses import Addresses
from archcompiler.diagnostics import show
from archcompiler.fields import shape_text, yaml_text
from archcompiler.ir import Fork, Instance, Network, Node
from archcompiler.merge import is_null
from archcompiler.source import Mapping, Scalar
from archcompiler.source import Node as SourceNode

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
    elif path.startswith("blocks/") and (known or _is_brought(path, places, network)):
        what = known.what if known else "layer"
        about = list(_template(path, places)) if what == "block" else []
        uses = _uses(path, places, network)
        word = "instances" if what == "block" else "layers"
        about += _listed(word, uses) if uses else ["no use of it has this layer"]
        if not known:
            inner = (n for n in nodes if n == uses[0] or n.startswith(f"{uses[0]}/"))
            first = next(inner, "")  # a branch may be empty
            what = what if first == uses[0] else "branch"
            at = f"at {nodes[first].position} " if first else ""
            return [f"{path}  {what} of {network.name}", f"written {at}by a patch", "", *about]
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
    for patch in places.removals(path):
        yield f"removed at {patch.position}"
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


def _template(path: str, places: Addresses) -> Iterator[str]:
    texts = {}
    for name, attribute in places.spec.blocks[path.partition("/")[2]].params.items():
        value = getattr(attribute.value, "text", None)
        texts[name] = f"${value}" if value else "each use says it"
        if attribute.value is not None and not value:
            texts[name] = yaml_text(attribute.value)
    for patch in places.changes(path):
        given = patch.entries["params"].node if "params" in patch.entries else None
        for name, entry in given.entries.items() if isinstance(given, Mapping) else ():
            texts[name] = source_text(entry.node)
            if is_null(entry.node):
                del texts[name]
    yield from (f"param {name}: {text}" for name, text in texts.items())


def _uses(path: str, places: Addresses, network: Network) -> list[str]:
    """Return the layers that a path of a template stands for."""
    if path.count("/") == 1:
        name = path.partition("/")[2]
        nodes = network.walk()
        return [n.path for n in nodes if isinstance(n.op, Instance) and n.op.template == name]
    return of_templates(network).get(path, []) or [
        n.path for n in network.walk() if path in places.of(n.path)
    ]


def _is_brought(path: str, places: Addresses, network: Network) -> bool:
    """Tell whether a patch of a template brought in what a path of it names."""
    block = "/".join(path.split("/")[:2])
    patched = any(p == block or p.startswith(f"{block}/") for p in places.patches)
    return patched and path in of_templates(network)


def of_templates(network: Network) -> dict[str, list[str]]:
    """Return the paths of layers and branches by their path in the nearest template."""
    found: dict[str, list[str]] = {}

    def visit(node: Node, start: int, template: str) -> None:
        if template:
            found.setdefault(f"{template}/{node.path[start:]}", []).append(node.path)
        if isinstance(node.op, Instance):
            start, template = len(node.path) + 1, f"blocks/{node.op.template}"
        for graph in node.graphs:
            if isinstance(node.op, Fork) and template and not graph.single:
                branch = node.branch_path(graph)
                found.setdefault(f"{template}/{branch[start:]}", []).append(branch)
            for inner in graph.nodes:
                visit(inner, start, template)

    for node in (*network.trunk, *(h.node for h in network.heads)):
        visit(node, 0, "")
    return found


def source_text(node: SourceNode) -> str:
    """Return a written value on one line."""
    if isinstance(node, Scalar):
        return show(node.text)
    if isinstance(node, Mapping):
        entries = node.entries.items()
        return "{" + ", ".join(f"{k}: {source_text(e.node)}" for k, e in entries) + "}"
    return "[" + ", ".join(map(source_text, node.items)) + "]"


def _listed(word: str, paths: Sequence[str]) -> list[str]:
    rest = len(paths) - MOST_LISTED
    lines = [f"  {path}" for path in paths[:MOST_LISTED]]
    return [f"{word}:", *lines, *([f"  and {rest} more"] if rest > 0 else [])]
