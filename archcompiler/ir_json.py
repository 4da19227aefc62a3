"""The IR as JSON: `architecture.json`, written to be read by people and read back by archc.

Hierarchical as the IR is. A value is the name of what gives it, ops are in the notation of specs,
shapes are `35x35x256`. Reading computes everything that follows from the ops again (shapes,
weights, MACs, totals) and compares it, so that what was read is what the rooms could have made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from archcompiler import __version__
from archcompiler.errors import MOST_ERRORS_SHOWN, ArchcError, Diagnostic
from archcompiler.fields import InitField, shape_text, write
from archcompiler.ir import Fork, Graph, Instance, Network, Node, Totals
from archcompiler.json_text import json_text
from archcompiler.op import Op, Weight, write_attributes
from archcompiler.position import Position

FORMAT = 1


def to_json(network: Network) -> str:
    """Write a network: ASCII, one line end at the end, the same text on every machine."""
    return json_text(document(network))


def from_json(text: str) -> Network:
    """Read a network. Raises E113, naming the place, where it is not one that archc can make."""
    from archcompiler.ir_reader import read  # its models cost time, and few runs read

    try:
        data = json.loads(
            text, object_pairs_hook=_unique, parse_float=_float, parse_constant=_float
        )
    except RecursionError:
        raise failure("", "this is nested too deep") from None
    except ValueError as error:
        raise failure("", f"this is no JSON: {error}") from None
    network = read(data)
    compare(data, document(network), "")
    return network


def compare(given: Any, made: Any, at: str) -> None:
    """Raise E113 with every difference between what a file says and what its ops give."""
    wrong = [failure(*d).diagnostics[0] for d in _differences(given, made, at)]
    if wrong:
        raise ArchcError(*wrong[:MOST_ERRORS_SHOWN])


def failure(at: str, message: str) -> ArchcError:
    """Return the error for the place `at`, such as `stem.layers[0].macs`."""
    where = f"architecture.json: {at}: " if at else "architecture.json: "
    return ArchcError(Diagnostic(code="E113", message=f"{where}{message}"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"`{key}` is written twice")
        found[key] = value
    return found


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def _differences(given: Any, made: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(given, dict) and isinstance(made, dict):
        for key in sorted(given.keys() - made.keys()):
            yield f"{at}.{key}".lstrip("."), "has no place here"
        sums = ("totals", "inference")  # last: they follow from the layers
        for key in sorted(made, key=lambda k: not at and k in sums):
            if at or key != "archc":  # any version may have written it
                yield from _differences(given.get(key), made[key], f"{at}.{key}".lstrip("."))
    elif isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        for number, (one, other) in enumerate(zip(given, made, strict=True)):
            yield from _differences(one, other, f"{at}[{number}]")
    elif given != made:
        yield at, f"expected {_short(made)}, got {_short(given)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# Writing


def document(network: Network) -> dict[str, Any]:
    """Return the network as plain dicts and lists."""
    return {
        "format": FORMAT,
        "archc": __version__,
        "name": network.name,
        "summary": network.summary,
        "source": network.source,
        **({"shipped": True} if network.shipped else {}),
        **({"changes": list(network.changes)} if network.changes else {}),
        **({"extends": list(network.lineage)} if network.lineage else {}),
        "params": dict(network.params),
        "free_params": list(network.free_params),
        "input": shape_text(network.input.shape),
        "output": network.output,
        "totals": _totals(network.totals()),
        "inference": _totals(network.totals(inference=True)),
        "end_points": {e.name: e.node.path for e in network.end_points},
        "stem": _graph(network.stem),
        "body": _graph(network.body),
        "heads": [
            {
                "name": h.name,
                "training_only": h.training_only,
                **({} if h.loss_weight is None else {"loss_weight": h.loss_weight}),
                "layer": _node(h.node),
            }
            for h in network.heads
        ],
    }


def _totals(totals: Totals) -> dict[str, int]:
    return {"params": totals.params, "trainable": totals.trainable, "macs": totals.macs}


def _graph(graph: Graph) -> dict[str, Any]:
    return {
        **({"name": graph.name} if graph.name else {}),
        "input": graph.input.name,
        "output": graph.output.name,
        "layers": [_node(n) for n in graph.nodes],
    }


def _node(node: Node) -> dict[str, Any]:
    graphs = {"graphs": [_graph(g) for g in node.graphs]} if node.graphs else {}
    return own_document(node) | graphs


def own_document(node: Node) -> dict[str, Any]:
    """Return a layer without those inside; what is empty, or as it mostly is, is left out."""
    entry: dict[str, Any] = {"name": node.name, "path": node.path, "op": node.op.key}
    if not node.named:
        entry["named"] = False
    entry["inputs"] = [v.name for v in node.inputs]
    entry["output"] = shape_text(node.output.shape)
    if isinstance(node.op, Op):
        entry["attributes"] = write_attributes(node.op)
    elif isinstance(node.op, Fork):
        entry["join"] = node.op.join
        if node.op.split is not None:
            entry["split"] = list(node.op.split)
    elif isinstance(node.op, Instance):
        entry["template"] = node.op.template
        entry["arguments"] = dict(node.op.arguments)
        if node.op.patched:
            entry["patched"] = list(node.op.patched)
    if node.expressions:
        entry["expressions"] = dict(node.expressions)
    if node.unscaled:
        entry["unscaled"] = {
            k: list(v) if isinstance(v, tuple) else v for k, v in node.unscaled.items()
        }
    if node.weights:
        entry["weights"] = [_weight(w) for w in node.weights]
    if isinstance(node.op, Op):
        entry["macs"] = node.macs
    if node.follows_size:
        entry["follows_size"] = True
    entry["position"] = _position_text(node.position)
    return entry


def _weight(weight: Weight) -> dict[str, Any]:
    return {
        "part": weight.part,
        "name": weight.name,
        "shape": shape_text(weight.shape),
        **({} if weight.trainable else {"trainable": False}),
        "init": write(InitField, weight.init),
        **({"decay": weight.decay} if weight.decay else {}),
    }


def _position_text(position: Position) -> str:
    """Name the file without its folder, which differs between machines."""
    return f"{PurePath(position.source.name).name}:{position.line}:{position.column}"
