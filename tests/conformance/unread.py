"""Random specs have parameters that nothing reads, and defaults that no layer takes.

archc refuses both, so they are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.position import Position
from archcompiler.source import Mapping, Node, Sequence, parse
from archcompiler.yaml_writer import to_yaml


def without_idle(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec without unread parameters, and without the defaults that archc calls idle."""
    while True:
        spec = without_unread(spec)
        node = parse(to_yaml(spec), "random")
        try:
            compile_node(node, source="random")
        except ArchcError as error:
            idle = {d.position for d in error.diagnostics if d.code == "E321"}
            if not idle:
                return spec
            before, spec = spec, _dropped(spec, node, idle)
            if spec == before:  # else this would not end
                raise
        else:
            return spec


def _dropped(value: Any, node: Node, places: set[Position | None]) -> Any:
    """Drop what stands at some places, and the mappings of `defaults` that it leaves empty."""
    if isinstance(node, Sequence):
        pairs = zip(value, node.items, strict=True)
        return [_dropped(part, inner, places) for part, inner in pairs]
    if not isinstance(node, Mapping):
        return value
    found = {}
    for key, part in value.items():
        inner = node.entries[key].node
        if inner.position not in places:
            found[key] = _dropped(part, inner, places)
    if isinstance(found.get("defaults"), dict):
        left = {op: values for op, values in found["defaults"].items() if values != {}}
        found = {k: v for k, v in found.items() if k != "defaults"}
        found |= {"defaults": left} if left else {}
    return found


def without_unread(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec without the parameters, of its own and of blocks, that no expression reads."""
    while True:
        blocks = {
            name: {**block, "params": _kept(block["params"], block)} if "params" in block else block
            for name, block in spec.get("blocks", {}).items()
        }
        found = {**spec, **({"blocks": blocks} if "blocks" in spec else {})}
        if "params" in spec:
            found["params"] = _kept(spec["params"], spec)
        found = {
            key: _given(value, blocks) if key not in ("params", "defaults") else value
            for key, value in found.items()
        }
        if found == spec:
            return spec
        spec = found


def _kept(params: dict[str, Any], around: Any) -> dict[str, Any]:
    read = {*_names(around)}
    return {name: value for name, value in params.items() if name in read}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("$"):
        yield from re.findall(r"[A-Za-z_]\w*", value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _names(part)
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)


def _given(value: Any, blocks: dict[str, Any]) -> Any:
    """Drop from `with` what a block has no more."""
    if isinstance(value, list):
        return [_given(part, blocks) for part in value]
    if not isinstance(value, dict):
        return value
    found = {key: _given(part, blocks) for key, part in value.items()}
    if isinstance(found.get("block"), str) and isinstance(found.get("with"), dict):
        known = blocks.get(found["block"], {}).get("params", {})
        given = {k: v for k, v in found["with"].items() if k in known}
        found = {k: v for k, v in found.items() if k != "with"} | ({"with": given} if given else {})
    return found
