"""Random specs have parameters that nothing reads; archc refuses these, so they are dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


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
