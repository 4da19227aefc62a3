"""A diff as plain values, for JSON: every layer by itself, whatever it shares with others."""

from __future__ import annotations

import dataclasses
from typing import Any

from archcompiler.diff import Change, Diff, Difference
from archcompiler.fields import shape_text
from archcompiler.lock import Figures


def document(found: Diff) -> dict[str, Any]:
    """Return the diff as dicts, lists and scalars."""
    return {
        "equal": found.equal,
        "network": [_change(c) for c in found.network],
        "params": [_change(c) for c in found.params],
        "layers": [_layer(d) for d in found.layers],
        "end_points": {
            name: {"before": _figures(old), "after": _figures(new)}
            for name, (old, new) in found.end_points.items()
        },
        "totals": {
            key: {"before": dataclasses.asdict(old), "after": dataclasses.asdict(new)}
            for key, (old, new) in found.totals.items()
        },
    }


def _layer(d: Difference) -> dict[str, Any]:
    position = d.position
    return {
        "kind": d.kind,
        "path": d.path,
        "old_path": d.old_path or d.path,
        "what": d.what,
        "changes": [_change(c) for c in d.changes],
        "before": _figures(d.before),
        "after": _figures(d.after),
        "file": position.source.name if position else None,
        "line": position.line if position else None,
    }


def _change(change: Change) -> dict[str, str]:
    return {"attribute": change.name, "before": change.old, "after": change.new}


def _figures(found: Figures | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"shape": shape_text(found.shape), "params": found.params, "macs": found.macs}
